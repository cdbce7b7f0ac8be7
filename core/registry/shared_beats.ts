/**
 * One account of who is heard, for all that hear nodes on a server: the registry, and who speaks another protocol with them.
 * Two would each write the same keys, and take from the store what the other had noted.
 *
 * @module
 */

import { Beats, type BeatsOptions } from "./beats.ts";

/** What its users see of it. */
export type BeatsAccount = Pick<
  Beats,
  "start" | "hear" | "drainingMs" | "pulse" | "fault" | "flush" | "close"
>;

/** One that is in use. */
interface Shared {
  readonly beats: Beats;
  readonly isNodes: Set<BeatsOptions["isNode"]>;
  isStarted: boolean;
}

const accounts = new WeakMap<object, Shared>();

/** The account of a member of the fleet: made by who asks first, closed by who closes last. */
export function sharedBeats(member: object, options: BeatsOptions): BeatsAccount {
  const shared = accounts.get(member) ?? makeShared(member, options);
  // A function of its own, so that each user leaves by itself.
  const isNode = (id: string) => options.isNode(id);
  shared.isNodes.add(isNode);
  const { beats } = shared;
  return {
    start() {
      if (!shared.isStarted) beats.start();
      shared.isStarted = true;
    },
    hear: (...heard) => beats.hear(...heard),
    drainingMs: (id) => beats.drainingMs(id),
    pulse: () => beats.pulse(),
    get fault() {
      return beats.fault;
    },
    flush: () => beats.flush(),
    async close() {
      shared.isNodes.delete(isNode);
      if (shared.isNodes.size > 0) return void await beats.flush();
      if (accounts.get(member) === shared) accounts.delete(member);
      await beats.close();
    },
  };
}

function makeShared(member: object, options: BeatsOptions): Shared {
  const isNodes: Shared["isNodes"] = new Set();
  const isNode = (id: string) => isNodes.values().some((isNode) => isNode(id));
  const shared = { beats: new Beats({ ...options, isNode }), isNodes, isStarted: false };
  accounts.set(member, shared);
  return shared;
}
