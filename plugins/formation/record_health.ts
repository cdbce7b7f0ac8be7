/**
 * Leaves out of records the addresses of nodes that do not serve, as form-dns meant to: whose address it is and how that node
 * fares is what pools know. Where none is left all stay, and what is nobody's counts as up.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import { addressDeadline } from "../../core/fleet/deadline.ts";
import { type Member, type PoolView, poolView } from "../../core/fleet/view.ts";
import {
  alsoOn,
  type Answer,
  type Deadline,
  type Dependence,
  earlier,
  type Family,
  INDEPENDENT,
  NEVER,
  type QueryContext,
  type RRset,
  type Snapshot,
} from "../../core/plugin.ts";
import { keyOf, type NodeTable } from "./published.ts";

/** A node that has an address, as a pool sees it. */
interface Found {
  readonly member: Member;
  readonly view: PoolView;
}

/** The answer without the addresses of nodes that do not serve, in what no pool owns. */
export function withoutDown(
  answer: Answer,
  context: Pick<QueryContext, "snapshot" | "nowMs" | "record">,
  nodes: NodeTable,
): Answer {
  let dependence: Dependence | undefined;
  const section = answer.answer.map((rrset) => {
    const filtered = filter(rrset, context, nodes);
    if (!filtered) return rrset;
    dependence = dependence ? joined(dependence, filtered.dependence) : filtered.dependence;
    return filtered.rrset;
  });
  return dependence ? alsoOn({ ...answer, answer: section }, dependence) : answer;
}

/** Undefined where no pool has to do with it, or where it is one address, which stays in any case. */
function filter(
  rrset: RRset,
  { snapshot, nowMs, record }: Pick<QueryContext, "snapshot" | "nowMs" | "record">,
  nodes: NodeTable,
): { readonly rrset: RRset; readonly dependence: Dependence } | undefined {
  const isAddress = rrset.type === TYPE.A || rrset.type === TYPE.AAAA;
  if (!isAddress || rrset.pool !== undefined || rrset.rdata.length < 2) return undefined;
  const found = rrset.rdata.map((octets) => nodeAt(octets, nodes, snapshot, nowMs));
  if (!found.some((one) => one)) return undefined;
  const up = rrset.rdata.filter((_, i) => found[i]?.member.serving ?? true);
  if (up.length < rrset.rdata.length) {
    const out = found.flatMap((one) => one && !one.member.serving ? one.member.node.id : []).join(", ");
    record?.({
      plugin: "formation",
      what: `${out}: not serving${up.length === 0 ? "; all stay" : ", left out"}`,
    });
  }
  const deadline = found.reduce<Deadline>(
    (least, one) => one ? earlier(least, deadlineOf(one.member, snapshot)) : least,
    rrset.deadline ?? NEVER,
  );
  const untilMs = Math.min(...found.map((one) => one?.view.untilMs ?? Infinity));
  return {
    rrset: { ...rrset, rdata: up.length === 0 ? rrset.rdata : up, deadline },
    dependence: {
      ...INDEPENDENT,
      deadline,
      pools: [...new Set(found.flatMap((one) => one?.view.name ?? []))],
      ...untilMs < Infinity && { untilMs },
    },
  };
}

function joined(a: Dependence, b: Dependence): Dependence {
  return {
    ...a,
    deadline: earlier(a.deadline, b.deadline),
    pools: [...new Set([...a.pools ?? [], ...b.pools ?? []])],
    ...(a.untilMs ?? b.untilMs) !== undefined &&
      { untilMs: Math.min(a.untilMs ?? Infinity, b.untilMs ?? Infinity) },
  };
}

/** When it could begin or cease to serve. */
function deadlineOf(member: Member, { deadlines }: Snapshot): Deadline {
  const { changeMs, steady } = addressDeadline(member, deadlines), scheduledMs = member.nextScheduleMs;
  return { earliestMs: Math.min(changeMs, scheduledMs), scheduledMs, steady };
}

/** The node of an address, as its pool sees it. */
function nodeAt(
  octets: Uint8Array,
  nodes: NodeTable,
  snapshot: Snapshot,
  nowMs: number,
): Found | undefined {
  const family: Family = octets.length === 4 ? 4 : 6, key = keyOf(octets), pool = nodes.get(key)?.pool;
  const view = pool === undefined ? undefined : poolView(snapshot, pool, family, nowMs);
  const member = view && membersOf(view).get(key);
  return member && { member, view };
}

const members = new WeakMap<PoolView, ReadonlyMap<string, Member>>();

function membersOf(view: PoolView): ReadonlyMap<string, Member> {
  let known = members.get(view);
  if (!known) {
    known = new Map(view.members.map((member) => [keyOf(member.octets), member]));
    members.set(view, known);
  }
  return known;
}
