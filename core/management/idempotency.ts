/**
 * Requests that may come twice: what was answered is kept with the change itself, in its transaction, so that who has not
 * heard the answer asks again with the same key, and nothing is done twice.
 *
 * @module
 */

import { digestOf, type Json } from "../state/canonical.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import { objectIn } from "../state/object_in.ts";
import { type Condition, type Entry, type Store, type Write, WRITES_MAX } from "../state/store.ts";
import { ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";

/** How long an answer is kept. */
export const KEPT_MS = 24 * 3_600_000;

/** Keys are at most this long: more than any kind of random id. */
const KEY_CHARACTERS_MAX = 128;

/** What is kept of a request. */
interface Kept {
  /** Of what was asked for. */
  readonly digest: string;
  readonly atMs: number;
  readonly status: number;
  readonly value?: Json;
}

/** An answer that was given before. */
export interface Repeated {
  readonly status: number;
  readonly value?: Json;
  /** At which it was done. */
  readonly revision: number;
}

/** A request that has a key. */
export interface Repeatable {
  /** Who asks: another's key is another key. */
  readonly actor: string;
  readonly key: string;
  /** All that it asks for. */
  readonly asked: Json;
}

/**
 * What was answered before to a request of this key; undefined = nothing.
 *
 * @throws {ProblemError} `key-reused` where something else was asked for; `malformed` where the key is none.
 */
export async function answeredBefore(
  reader: Reader,
  request: Repeatable,
  nowMs: number,
): Promise<Repeated | undefined> {
  checkKey(request.key);
  const entry = await reader.get(KEYS.idempotency(request.actor, request.key));
  if (!entry) return undefined;
  const { digest, atMs, status, value } = JSON.parse(entry.value) as Kept;
  if (nowMs - atMs >= KEPT_MS) return undefined;
  if (digest !== digestOf(request.asked)) {
    throw new ProblemError("key-reused", `another request came with key ${JSON.stringify(request.key)}`);
  }
  return { status, revision: entry.revision, ...value !== undefined && { value } };
}

/** What keeps an answer, as part of the change, and what must hold for it: nobody has kept one meanwhile. */
export async function keeping(
  reader: Reader,
  { actor, key, asked }: Repeatable,
  answer: Omit<Repeated, "revision">,
  nowMs: number,
): Promise<{ readonly write: Write; readonly condition: Condition }> {
  const put = KEYS.idempotency(actor, key);
  const kept: Kept = { ...answer, digest: digestOf(asked), atMs: nowMs };
  // One that is older than a day may still lie there.
  const old = await reader.get(put);
  return {
    write: { put, value: JSON.stringify(kept) },
    condition: { key: put, revision: old?.revision ?? 0 },
  };
}

/** Takes away answers that are older than a day; how many. To be run now and then by one server or several. */
export async function sweepAnswers(store: Store, nowMs: number): Promise<number> {
  const { entries } = await store.list(PREFIXES.idempotency);
  const atMsOf = (value: string) => Number((objectIn(value) as Partial<Kept> | undefined)?.atMs ?? -Infinity);
  const old = entries.filter(({ value }) => nowMs - atMsOf(value) >= KEPT_MS);
  let swept = 0;
  for (let at = 0; at < old.length; at += WRITES_MAX) {
    swept += await remove(store, old.slice(at, at + WRITES_MAX));
  }
  return swept;
}

async function remove(store: Store, entries: readonly Entry[]): Promise<number> {
  const { succeeded } = await store.transact(
    entries.map(({ key }) => ({ remove: key })),
    entries.map(({ key, revision }) => ({ key, revision })),
  );
  return succeeded ? entries.length : 0;
}

function checkKey(key: string): void {
  if (/^[!-~]+$/.test(key) && key.length <= KEY_CHARACTERS_MAX) return;
  throw new ProblemError(
    "malformed",
    `wanted an idempotency key of 1 to ${KEY_CHARACTERS_MAX} printable ASCII characters, got ${
      JSON.stringify(key)
    }`,
  );
}
