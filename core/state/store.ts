/**
 * Where the state of a fleet lies that several servers share: keys with values, changed together or not at all, and
 * everybody who watches hears of each change once, in order.
 *
 * Keys are paths (`nodes/fra1`) of printable ASCII without spaces, values text (JSON, as a rule); those of
 * one transaction have at most {@linkcode VALUES_OCTETS_MAX} octets. A revision is a whole number, one for the whole store, that grows with every transaction that changes
 * anything.
 *
 * @module
 */

/** A key that is there. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  /** Of the transaction that wrote it last. */
  readonly revision: number;
  /** How often it has been written since it came to be, that time included. */
  readonly version: number;
}

/** What happened to a key: it was written, or it is gone. */
export type Change =
  | { readonly kind: "put"; readonly entry: Entry }
  | { readonly kind: "delete"; readonly key: string };

/** All that one transaction changed, in the order of keys. Where one key was written twice, what it was in the end. */
export interface Changes {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** A condition: the key was written last at this revision; 0 = it is not there. */
export interface Condition {
  readonly key: string;
  readonly revision: number;
}

/** What a transaction does to a key. At most one for a key. */
export type Write =
  | { readonly put: string; readonly value: string; readonly lease?: Lease }
  | { readonly remove: string };

/** How a transaction went. */
export interface Outcome {
  /** Whether every condition held; otherwise nothing was written. */
  readonly succeeded: boolean;
  /** Of the store, after it. */
  readonly revision: number;
}

/** What lies below a prefix, in the order of keys, as it was at one revision. */
export interface Listing {
  readonly revision: number;
  readonly entries: readonly Entry[];
}

/** A span of life that keys are tied to: they are removed, as by a transaction, once it has not been renewed for so long. */
export interface Lease {
  readonly id: string;
  readonly seconds: number;
  /** @throws {LeaseEndedError} When it has ended. @throws {StoreUnavailableError} */
  renew(): Promise<void>;
  /** Ends it now, and removes its keys. Nothing where it has ended. @throws {StoreUnavailableError} */
  end(): Promise<void>;
}

/**
 * A store. Every operation may throw {@linkcode StoreUnavailableError}, when it cannot be reached or cannot write; whether
 * a transaction that ended so has been done is not known. And {@linkcode StoreRefusedError}.
 */
export interface Store {
  /** What is told of it: `sqlite /var/lib/meridian/fleet.db`. No secrets. */
  readonly name: string;
  get(key: string): Promise<Entry | undefined>;
  list(prefix: string): Promise<Listing>;
  /**
   * Writes everything, if every condition holds, or nothing.
   *
   * @throws {RangeError} A key that is none, too many octets of values, more than {@linkcode WRITES_MAX} writes, or one
   *   key twice.
   * @throws {LeaseEndedError} A lease of it has ended: nothing was written.
   */
  transact(writes: readonly Write[], conditions?: readonly Condition[]): Promise<Outcome>;
  /**
   * What changes below a prefix after revision `after`, each transaction once and in order, until the signal is aborted;
   * then it ends. An empty list of changes comes now and then, when nothing below the prefix has changed: as far as that
   * revision all is known.
   *
   * @throws {CompactedError} What happened after `after` is no longer known: list, and watch from there.
   * @throws {StoreUnavailableError} Watch again, from the last revision that came.
   */
  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<Changes>;
  /** @param seconds At least 1. */
  lease(seconds: number): Promise<Lease>;
  close(): Promise<void>;
}

/** The most octets of UTF-8 that the values of one transaction may have (etcd's default is half as much again). */
export const VALUES_OCTETS_MAX = 1 << 20;

/** The longest key. */
export const KEY_OCTETS_MAX = 512;

/** The most writes of one transaction, and the most conditions (etcd's default is 128 for both together). */
export const WRITES_MAX = 64;

/** The store cannot be reached, or does not do what it was told to, for now. */
export class StoreUnavailableError extends Error {
  override readonly name = "StoreUnavailableError";
}

/** The store can be reached, and does not hold what the fleet is: only half of it, or nothing where there was something. */
export class NotWholeError extends StoreUnavailableError {}

/** The store refuses who asks, or what it holds cannot be read by this program: to try again is of no use. */
export class StoreRefusedError extends Error {
  override readonly name = "StoreRefusedError";
}

/** What is asked for happened too long ago. */
export class CompactedError extends Error {
  override readonly name = "CompactedError";
  constructor() {
    super("Cannot tell what happened: the store has forgotten what is so long ago");
  }
}

/** A lease was not renewed in time. */
export class LeaseEndedError extends Error {
  override readonly name = "LeaseEndedError";
  constructor(id: string) {
    super(`Cannot use lease ${id}: it has ended`);
  }
}

/** The first key beyond all that begin with `prefix`; `prefix` is of printable ASCII and not empty. */
export function beyond(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

const encoder = new TextEncoder();

/** Throws the RangeError that {@linkcode Store.transact} tells of; drivers call it first. */
export function checkTransaction(writes: readonly Write[], conditions: readonly Condition[]): void {
  if (writes.length > WRITES_MAX || conditions.length > WRITES_MAX) {
    throw new RangeError(
      `Cannot write so much at once: got ${writes.length} writes and ${conditions.length} conditions, at most ${WRITES_MAX} each`,
    );
  }
  for (const { key } of conditions) checkKey(key);
  const keys = new Set(writes.map(keyOf));
  if (keys.size < writes.length) throw new RangeError("Cannot write one key twice in one transaction");
  for (const key of keys) checkKey(key);
  checkValues(writes);
}

/** The key that a write is of. */
export function keyOf(write: Write): string {
  return "put" in write ? write.put : write.remove;
}

function checkKey(key: string): void {
  if (/^[!-~]+$/.test(key) && key.length <= KEY_OCTETS_MAX) return;
  throw new RangeError(
    `Cannot use ${
      JSON.stringify(key)
    } as a key: 1 to ${KEY_OCTETS_MAX} printable ASCII characters without spaces are possible`,
  );
}

function checkValues(writes: readonly Write[]): void {
  let octets = 0;
  for (const write of writes) if ("put" in write) octets += encoder.encode(write.value).length;
  if (octets <= VALUES_OCTETS_MAX) return;
  throw new RangeError(
    `Cannot write ${octets} octets in one transaction, to ${writes.length} keys: at most ${VALUES_OCTETS_MAX} are possible`,
  );
}
