/**
 * A memo before the chain of a server, asked packet by packet, each reply held against what the chain alone says.
 *
 * @module
 */

import type { Address } from "../../../core/net/address.ts";
import type { PacketSource, Transport } from "../../../core/query.ts";
import type { Arrival, Endpoint, Exchange } from "../../../core/server/arrival.ts";
import { RepeatedAtOnce } from "../../../core/server/at_once.ts";
import { exchangeOf } from "../../../core/server/exchange.ts";
import { LATER, SILENT, SLOT_OCTETS } from "../../../core/server/in_place.ts";
import { Memo } from "../../../core/server/memo/memo.ts";
import type { Server } from "../../../core/server/server.ts";
import { changesBetween } from "../../../core/server/snapshot_changes.ts";

/** What was asked, and the two replies; undefined = none at once. */
export interface Compared {
  readonly query: Uint8Array;
  readonly transport: Transport;
  readonly byMemo: Uint8Array | undefined;
  readonly byChain: Uint8Array | undefined;
  /** Whether the chain has to ask elsewhere. */
  readonly mustAsk: boolean;
  /** Whether the memo had it. */
  readonly wasHit: boolean;
}

/** The part of a server that is looked at. */
type Watched = Pick<Server, "answering" | "publisher">;

/**
 * See the module. The chain may be that of another server in the same state: of two, where what is asked first is charged for
 * or counted by, and would answer otherwise.
 */
export class MemoRig {
  readonly memo: Memo;
  readonly #stream: RepeatedAtOnce;
  readonly #exchange: Exchange;
  readonly #now: () => number;
  #readsAhead = false;

  constructor(server: Watched, now: () => number, memoOctets = 1 << 20, chained: Watched = server) {
    this.#now = now;
    this.#exchange = exchangeOf(chained.answering.examine);
    const { snapshot } = server.publisher, watch = (exchange: Exchange) => exchange;
    this.#stream = new RepeatedAtOnce({ answering: server.answering, snapshot, watch });
    this.memo = new Memo({
      answering: server.answering,
      slots: 2,
      memoOctets,
      later: () => {},
    });
    let before = server.publisher.snapshot;
    server.publisher.onSnapshot((snapshot) => {
      this.memo.dropFor(changesBetween(before, snapshot), before);
      this.#stream.follow(snapshot);
      before = snapshot;
    });
  }

  /** The memo's reply; undefined = nothing, or not at once. */
  ask(query: Uint8Array, source: Endpoint, server: Endpoint): Uint8Array | undefined {
    return this.askAtOnce(query, source, server).octets;
  }

  /** The memo's reply, in the second slot, so that something stands before it that must not change; and whether it must wait. */
  askAtOnce(query: Uint8Array, source: Endpoint, server: Endpoint): {
    readonly octets?: Uint8Array;
    readonly isLate: boolean;
  } {
    const { octets } = this.memo;
    octets.fill(0xee, 0, SLOT_OCTETS);
    octets.set(query, SLOT_OCTETS);
    const from = packetSource(source, server);
    // One is read ahead, the other is not.
    this.#readsAhead = !this.#readsAhead;
    if (this.#readsAhead) this.memo.read(SLOT_OCTETS, query.length, from);
    const length = this.memo.answer(SLOT_OCTETS, query.length, from, this.#now());
    if (octets.subarray(0, SLOT_OCTETS).some((octet) => octet !== 0xee)) {
      throw new Error("Wrote before its slot");
    }
    if (length === SILENT || length === LATER) return { isLate: length === LATER };
    return { octets: octets.slice(SLOT_OCTETS, SLOT_OCTETS + length), isLate: false };
  }

  /** The same of a message of a stream: what stands before its chain. */
  askStream(query: Uint8Array, arrival: Arrival): Uint8Array | undefined {
    const { octets } = this.#stream;
    octets.set(query);
    const source = packetSource(arrival.source, arrival.server);
    const length = this.#stream.answer(query.length, source, { arrival }, this.#now());
    if (length === SILENT) return undefined;
    if (length !== LATER) return octets.slice(0, length);
    const later = this.#stream.takeLater();
    return later instanceof Promise ? undefined : later;
  }

  /** The reply of the chain alone. */
  askChain(query: Uint8Array, source: Endpoint, server: Endpoint): Uint8Array | undefined {
    return this.#chained(query, { source, server, transport: "udp" }).byChain;
  }

  /** Asks the memo, then the chain. */
  compare(query: Uint8Array, source: Endpoint, server: Endpoint): Compared {
    const { hits } = this.memo;
    const byMemo = this.ask(query, source, server), wasHit = this.memo.hits > hits;
    return {
      query,
      transport: "udp",
      byMemo,
      ...this.#chained(query, { source, server, transport: "udp" }),
      wasHit,
    };
  }

  /** The same over a connection, whose client is told how long it may be idle if it asks. */
  compareStream(query: Uint8Array, source: Endpoint, server: Endpoint, keepaliveMs: number): Compared {
    const arrival: Arrival = { source, server, transport: "tcp", keepaliveMs };
    const { hits } = this.#stream;
    const byMemo = this.askStream(query, arrival), wasHit = this.#stream.hits > hits;
    return { query, transport: "tcp", byMemo, ...this.#chained(query, arrival), wasHit };
  }

  #chained(query: Uint8Array, arrival: Arrival): Pick<Compared, "byChain" | "mustAsk"> {
    const reply = this.#exchange(query.slice(), arrival), mustAsk = reply instanceof Promise;
    return { byChain: mustAsk ? undefined : reply, mustAsk };
  }
}

/** A source as sockets hand it over. */
export function packetSource({ address, port }: Endpoint, server: Endpoint): PacketSource {
  return { family: address.family, words: wordsOf(address), port, server };
}

function wordsOf({ octets }: Address): Uint32Array {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
  return Uint32Array.from({ length: 4 }, (_, i) => 4 * i < octets.length ? view.getUint32(4 * i) : 0);
}
