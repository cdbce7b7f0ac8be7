/**
 * What the control isolate and its data workers say to each other, and what both can see.
 *
 *     control isolate                                  data worker
 *     configure (with a port of its own) ------------>            by postMessage
 *     snapshot, loans, sockets, close ===============> looked for before every batch: receiveMessageOnPort
 *                        <---------------- ready, took, closed, failed
 *                        <---------------- waiting (queries that cannot be answered there), late (their like, answered)
 *                        <---------------- cells, place (metrics), line, log
 *     words of shared memory: what was posted and taken, a heartbeat, how many packets; what waits, of all workers together
 *
 * @module
 */

import type { Log } from "../../plugin.ts";
import type { Loan } from "../answering.ts";
import type { Endpoint } from "../arrival.ts";
import type { Configuration } from "../configure.ts";
import type { LineRoom } from "../log.ts";
import type { Place } from "../metrics.ts";
import type { SnapshotChanges } from "../snapshot_changes.ts";

/** A UDP socket of the process, as a worker is told of it. Plain data. */
export interface WorkerSocket {
  /** Never given to another socket, unlike the descriptor. */
  readonly id: number;
  readonly descriptor: number;
  readonly endpoint: Endpoint;
}

/** The first message, on which the worker becomes what it is. */
export interface Configure {
  readonly kind: "configure";
  readonly configuration: Configuration;
  readonly changes: SnapshotChanges;
  readonly cells: SharedArrayBuffer;
  /** A {@linkcode Budget}'s. */
  readonly budget: SharedArrayBuffer;
  /** Where lines go; absent = by message. */
  readonly lines?: LineRoom;
  /** Whether others answer clients meanwhile, so that it may take its time before it does. */
  readonly rehearses: boolean;
  /** All further messages. */
  readonly port: MessagePort;
}

/** What comes through the port. */
export type ToWorker =
  | { readonly kind: "snapshot"; readonly changes: SnapshotChanges }
  | { readonly kind: "loans"; readonly loans: readonly Loan[] }
  /** Reads these from now on and no others, and says so. */
  | { readonly kind: "sockets"; readonly sockets: readonly WorkerSocket[]; readonly turn: number }
  | { readonly kind: "close" };

/**
 * A message as it goes through the port. receiveMessageOnPort looks for ports within what it received, and for that goes
 * through every element of every typed array: seconds, and hundreds of megabytes, for the tables of a city database. Into
 * maps it does not look.
 */
export type Envelope = ReadonlyMap<"message", ToWorker>;

/** Puts a message into an envelope. */
export function sealed(message: ToWorker): Envelope {
  return new Map([["message", message]]);
}

/** What a worker says. */
export type FromWorker =
  | { readonly kind: "ready" }
  | { readonly kind: "took"; readonly turn: number }
  | { readonly kind: "closed" }
  | { readonly kind: "failed"; readonly reason: string }
  /** Queries that the control isolate is to answer, as `packQueries` puts them. */
  | { readonly kind: "waiting"; readonly packed: Uint8Array }
  /** A reply that was not ready at once, to be sent from where the query came to. */
  | { readonly kind: "late"; readonly socket: number; readonly to: Endpoint; readonly octets: Uint8Array }
  | { readonly kind: "line"; readonly text: string }
  | { readonly kind: "cells"; readonly buffer: SharedArrayBuffer }
  | { readonly kind: "place"; readonly place: Place }
  | { readonly kind: "log"; readonly level: keyof Log; readonly message: string };

/** Words of a worker's cells: how many messages were posted to its port and taken, and how often its loop came round. */
export const POSTED = 0, BEATS = 1, TAKEN = 4;

/** The double word of a worker's cells that counts the packets it took. */
export const PACKETS = 1;

/** Cells of one worker. */
export function makeCells(): SharedArrayBuffer {
  return new SharedArrayBuffer(64);
}

/** How many queries may wait in the control isolate at a time, of all workers, and how many octets they may have. */
const WAITING_MAX = 16_384, WAITING_OCTETS_MAX = 64 * 1024 * 1024;

/** Words of a budget: what it is used up by, and the most that it allows. */
const QUERIES = 0, OCTETS = 1, QUERIES_MAX = 2, OCTETS_MAX = 3;

/** What may wait in the control isolate, of one worker: taken from there, given back here. */
export class Budget {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;

  /** One worker's part of what `workers` may have together. */
  static share(workers: number): Budget {
    const words = new Int32Array(new SharedArrayBuffer(16));
    words[QUERIES_MAX] = Math.ceil(WAITING_MAX / workers);
    words[OCTETS_MAX] = Math.ceil(WAITING_OCTETS_MAX / workers);
    return new Budget(words.buffer);
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
  }

  /** Whether one more may wait; it then counts. */
  take(octets: number): boolean {
    const words = this.#words;
    if (Atomics.load(words, QUERIES) >= words[QUERIES_MAX]!) return false;
    if (Atomics.load(words, OCTETS) >= words[OCTETS_MAX]!) return false;
    Atomics.add(words, QUERIES, 1);
    Atomics.add(words, OCTETS, octets);
    return true;
  }

  giveBack(octets: number): void {
    Atomics.sub(this.#words, QUERIES, 1);
    Atomics.sub(this.#words, OCTETS, octets);
  }
}
