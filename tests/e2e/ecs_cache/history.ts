/**
 * Every state that verdicts put a server into, so that it can be asked afterwards what it answered then.
 *
 * @module
 */

import { ofTarget } from "../../../core/fleet/by_target.ts";
import { decodeMessage } from "../../../core/dns/message.ts";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { parseAddress } from "../../../core/net/address.ts";
import { makeAnswering } from "../../../core/server/answering.ts";
import { type Server } from "../../../core/server/server.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { plugins } from "../../../plugins/mod.ts";
import { encodeQuery } from "../../support/server.ts";
import { answerOf } from "./asker.ts";

/** The time in which one snapshot's verdicts stood. */
interface Epoch {
  readonly snapshot: Snapshot;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A verdict that changed between down and not down. */
export interface Flip {
  readonly target: string;
  readonly isDown: boolean;
  readonly atMs: number;
}

/** Notes snapshots from when it is made until it is closed. Times are on the monotonic clock. */
export class History {
  readonly flips: Flip[] = [];
  readonly #name: string;
  readonly #epochs: Epoch[] = [];
  readonly #answer: (snapshot: Snapshot, client: string) => string;
  readonly close: () => void;

  /** @param name The owner name that is asked for. */
  constructor(server: Server, name: string) {
    this.#name = name;
    this.#answer = answererOf(server, name);
    this.#note(server.publisher.snapshot);
    this.close = server.publisher.onSnapshot((snapshot) => this.#note(snapshot));
  }

  /** The different answers that a client network was due at some time from `fromMs` to `toMs`. */
  answersDuring(client: string, fromMs: number, toMs: number): Set<string> {
    const then = this.#epochs.filter((epoch) => epoch.fromMs <= toMs && epoch.toMs >= fromMs);
    return new Set(then.map(({ snapshot }) => this.#answer(snapshot, client)));
  }

  /** When a client network was last due an answer; −Infinity = never. */
  lastDueMs(client: string, answer: string): number {
    const last = this.#epochs.findLast(({ snapshot }) => this.#answer(snapshot, client) === answer);
    return last?.toMs ?? -Infinity;
  }

  /** What a client network is due now. */
  answerNow(client: string): string {
    return this.#answer(this.#epochs.at(-1)!.snapshot, client);
  }

  #note(snapshot: Snapshot): void {
    const atMs = performance.now();
    const last = this.#epochs.at(-1);
    if (last?.snapshot.verdicts === snapshot.verdicts) return;
    if (last) {
      this.#epochs[this.#epochs.length - 1] = { ...last, toMs: atMs };
      this.flips.push(...flipsBetween(last.snapshot, snapshot, this.#name, atMs));
    }
    this.#epochs.push({ snapshot, fromMs: last ? atMs : -Infinity, toMs: Infinity });
  }
}

function flipsBetween(before: Snapshot, after: Snapshot, pool: string, atMs: number): Flip[] {
  const { targets, nodes } = after.pools[pool]!;
  const keys = nodes.flatMap(({ ipv4 }) => (ipv4 !== undefined && targets[ipv4]) || []);
  return keys.flatMap((target) => {
    const isDown = ofTarget(after.verdicts, target)?.state === "down";
    return isDown === (ofTarget(before.verdicts, target)?.state === "down") ? [] : [{ target, isDown, atMs }];
  });
}

/** The server's own chains, over whatever snapshot they are given, without a socket. */
function answererOf(server: Server, name: string): (snapshot: Snapshot, client: string) => string {
  let asked: Snapshot;
  const { configuration } = server;
  const { examine } = makeAnswering({
    configuration,
    modules: plugins,
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    snapshot: () => asked,
    writeLine() {},
    count() {},
    observe() {},
    series: () => ({ record() {} }),
  });
  const address = parseAddress("127.0.0.1")!;
  const { port } = configuration.blocks[0]!.endpoints[0]!;
  const arrival = { source: { address, port: 0 }, server: { address, port }, transport: "udp" } as const;
  return (snapshot, client) => {
    asked = snapshot;
    const outcome = examine(encodeQuery(name, "A", client), arrival);
    if (outcome instanceof Promise || !outcome.octets) throw new Error("The chain waits, or says nothing");
    return answerOf(decodeMessage(outcome.octets));
  };
}
