/**
 * One short text for all of the fleet's state that an answer may depend on, so that two servers can be told apart by one
 * query: equal digests, equal RRsets for names that pools answer.
 *
 * What only says how long or since when is left out: deadlines, reasons, epochs. Nodes that served last count only in a pool
 * that answers by them. A plugin says of what it publishes what counts, as `digest`; zones of files have their serials.
 *
 * @module
 */

import type { Snapshot } from "../snapshot.ts";
import { sipHash } from "../siphash.ts";
import { canonicalJson, type Json } from "../state/canonical_json.ts";
import type { PoolState } from "./pool.ts";
import { essenceOf, type Verdict } from "./verdict.ts";
import { poolView } from "./view.ts";

/** 128 bits in hexadecimal; of equal state equal everywhere. It tells servers apart, and is no proof of anything. */
export function snapshotDigest(snapshot: Snapshot, nowMs: number): string {
  return digestOf({
    pools: Object.fromEntries(
      Object.entries(snapshot.pools).map(([name, pool]) => [name, poolDigest(snapshot, name, pool, nowMs)]),
    ),
    verdicts: snapshot.verdicts.flatMap((record, i) => isEmpty(record) ? [] : [[i, verdictsDigest(record)]]),
    // One that has ended changes nothing, and who started later does not have it.
    overrides: snapshot.overrides.filter(({ untilMs }) => untilMs > nowMs).map((override) =>
      digestOf({ ...override })
    ).sort(),
    published: Object.fromEntries(
      Object.entries(snapshot.slots).flatMap(([key, value]) => {
        const { digest } = (value ?? {}) as { readonly digest?: unknown };
        return typeof digest === "string" ? [[key, digest]] : [];
      }),
    ),
    geographies: Object.entries(snapshot.geographies).map(([block, { sources }]) => [
      block,
      // The first is asked first.
      sources.map(({ content }) => content),
    ]),
  });
}

/** Whether nothing differs that a digest is made of; a part that did not change is the same object. */
export function hasSameDigest(a: Snapshot, b: Snapshot): boolean {
  return a.pools === b.pools && a.verdicts === b.verdicts && a.overrides === b.overrides &&
    a.slots === b.slots && a.geographies === b.geographies;
}

/** How long a digest is told while nothing has changed but the time: an override may have begun or ended by that. */
const RECENT_MS = 250;

/** What tells the digest to whoever asks for it, however often: it is worked out again when there is another one. */
export function digestTeller(): typeof snapshotDigest {
  let told: { readonly of: Snapshot; readonly atMs: number; readonly digest: string } | undefined;
  return (snapshot, nowMs) => {
    const isRecent = told && Math.abs(nowMs - told.atMs) < RECENT_MS && hasSameDigest(told.of, snapshot);
    if (!isRecent) told = { of: snapshot, atMs: nowMs, digest: snapshotDigest(snapshot, nowMs) };
    return told!.digest;
  };
}

/** SipHash under two keys that everybody has: what answers queries does without a library of cryptography. */
const KEYS = [1, 2].map((octet) => new Uint8Array(16).fill(octet));

function digestOf(value: Json): string {
  const text = new TextEncoder().encode(canonicalJson(value));
  return KEYS.map((key) => sipHash(key, text).toHex()).join("");
}

/** Of parts that did not change since the last digest. */
const kept = new WeakMap<object, string>();

function keptDigest<T extends object>(part: T, make: (part: T) => Json): string {
  let digest = kept.get(part);
  if (digest === undefined) kept.set(part, digest = digestOf(make(part)));
  return digest;
}

function poolDigest(snapshot: Snapshot, name: string, pool: PoolState, nowMs: number): Json {
  const { policy, nodes, targets, failingShare, lastServing, degradation } = pool;
  return {
    policy: keptDigest(policy, finite),
    nodes: keptDigest(nodes, finite),
    targets: keptDigest(targets, finite),
    failingShare,
    ...degradation && { prices: keptDigest(degradation.prices, finite) },
    // Which these are is one server's history, and nobody's business while something serves.
    lastServing: ([4, 6] as const).map((family) =>
      poolView(snapshot, name, family, nowMs)?.allDown ? lastServing[family] : []
    ),
  };
}

function isEmpty(record: object): boolean {
  for (const _ in record) return false;
  return true;
}

function verdictsDigest(record: Readonly<Record<string, Verdict>>): string {
  return keptDigest(
    record,
    (record) => Object.fromEntries(Object.entries(record).map(([key, verdict]) => [key, essenceOf(verdict)])),
  );
}

/** JSON has no infinity, which policies have for what has no limit. */
function finite(value: unknown): Json {
  return JSON.parse(
    JSON.stringify(value, (_, one) => typeof one === "number" && !Number.isFinite(one) ? `${one}` : one),
  );
}
