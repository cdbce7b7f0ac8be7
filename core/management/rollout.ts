/**
 * Which version of the configuration each server is to run, and what it made of it.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { canonicalJson, type Json } from "../state/canonical.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { Entry } from "../state/store.ts";
import type { Management } from "./change.ts";
import type { Reader } from "./reader.ts";

/** What all servers are to run: `config/current`. */
export interface Current {
  readonly number: number;
  readonly digest: string;
  readonly actor: string;
  /** ISO 8601. */
  readonly at: string;
  /** What was current before: where a rollback leads. */
  readonly previous?: number;
}

/** What some servers are to try before all do: `config/stage`. */
export interface Stage extends Omit<Current, "previous"> {
  readonly servers: readonly string[];
}

/** Where a version is to be applied. */
export const toApplySchema = z.strictObject({
  servers: z.array(z.string()).min(1).optional()
    .openapi({ description: "those that try it; all servers, when left out", example: ["fra"] }),
  acknowledged: z.boolean().optional()
    .openapi({ description: "even though servers that were to try it do not run it" }),
}).openapi("ConfigurationApply");

/** {@linkcode toApplySchema}, read. */
export interface ToApply {
  readonly servers?: readonly string[] | undefined;
  readonly acknowledged?: boolean | undefined;
}

/** What a server made of the version that it was to take: `config/seen/SERVER`. */
export interface Seen {
  readonly number: number;
  readonly digest: string;
  /** `refused`: its own checks failed, and it runs what it ran before. */
  readonly state: "running" | "refused";
  /** The version that it runs; 0 = what is on its disk. */
  readonly runs: number;
  readonly reason?: string;
  /** ISO 8601. */
  readonly at: string;
}

/** How far things are. */
export interface Rollout {
  readonly current?: Current;
  readonly stage?: Stage;
  /** What servers told, by id; those that never told anything are not here. */
  readonly seen: Readonly<Record<string, Seen>>;
  /** Servers that refused what they are to run, with their reasons. */
  readonly refused: Readonly<Record<string, string>>;
}

/** The number of the version that a server is to run; undefined = what is on its disk. */
export function wantedVersion(
  server: string,
  current: Pick<Current, "number"> | undefined,
  stage: Pick<Stage, "number" | "servers"> | undefined,
): number | undefined {
  return stage?.servers.includes(server) ? stage.number : current?.number;
}

/** Why a version should not be applied to all yet: a server that was to try it does not run it. Undefined = it may. */
export function whyNotReady(
  number: number,
  stage: Stage | undefined,
  seen: Readonly<Record<string, Seen>>,
): string | undefined {
  if (stage?.number !== number) return undefined;
  for (const server of stage.servers) {
    const told = seen[server];
    if (told?.number !== number) return `${server} has not told yet what it made of version ${number}`;
    if (told.state === "refused") {
      return `${server} refused version ${number}: ${told.reason ?? "no reason is told"}`;
    }
  }
  return undefined;
}

/** Tells what a server made of a version; with a record, for it is what became of somebody's change. */
export async function reportSeen(
  { store, ledger, clock }: Pick<Management, "store" | "ledger" | "clock">,
  server: string,
  seen: Omit<Seen, "at">,
): Promise<void> {
  const key = KEYS.configurationSeen(server), before = await store.get(key);
  const after: Seen = { ...seen, at: new Date(clock.nowMs()).toISOString() };
  if (before && isSame(JSON.parse(before.value), after)) return;
  const event = {
    actor: `server:${server}`,
    action: "configuration.seen",
    subject: `configuration/${seen.number}`,
    ...before && { before: JSON.parse(before.value) as Json },
    after: after as unknown as Json,
  };
  await ledger.write([event], [{ put: key, value: canonicalJson(after as unknown as Json) }]);
}

function isSame(a: Seen, b: Seen): boolean {
  return a.number === b.number && a.digest === b.digest && a.state === b.state && a.runs === b.runs &&
    a.reason === b.reason;
}

/** A value and its entry, where it is there. */
async function readOne<T>(reader: Reader, key: string): Promise<{ value: T; entry: Entry } | undefined> {
  const entry = await reader.get(key);
  return entry && { value: JSON.parse(entry.value), entry };
}

/** {@linkcode Current}, if there is one. */
export function readCurrent(reader: Reader) {
  return readOne<Current>(reader, KEYS.configurationCurrent);
}

/** {@linkcode Stage}, if there is one. */
export function readStage(reader: Reader) {
  return readOne<Stage>(reader, KEYS.configurationStage);
}

/** What servers told, by id. */
export async function readSeen(reader: Reader): Promise<Record<string, Seen>> {
  const { entries } = await reader.list(PREFIXES.configurationSeen);
  return Object.fromEntries(entries.map(({ key, value }) => [
    namePart(key.slice(PREFIXES.configurationSeen.length)),
    JSON.parse(value) as Seen,
  ]));
}

/** All of it. */
export async function readRollout(reader: Reader): Promise<Rollout> {
  const [current, stage, seen] = [await readCurrent(reader), await readStage(reader), await readSeen(reader)];
  const refused = Object.entries(seen).flatMap(([server, { number, state, reason = "" }]) => {
    const isWanted = wantedVersion(server, current?.value, stage?.value) === number;
    return isWanted && state === "refused" ? [[server, reason]] : [];
  });
  return {
    ...current && { current: current.value },
    ...stage && { stage: stage.value },
    seen,
    refused: Object.fromEntries(refused),
  };
}
