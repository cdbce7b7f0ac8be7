/** A UDP socket of the process, whoever reads it. @module */

import type { Endpoint } from "../arrival.ts";
import { type BatchSocket, closeSocket, droppedByKernel, sendTo } from "../batch/batch_socket.ts";
import { isEmpty } from "../socket_options.ts";
import type { WorkerSocket } from "./protocol.ts";

let lastId = 0;

/** One socket. Only the control isolate opens and closes it; descriptors are used again, so what is closed sends nothing. */
export class PlaneSocket implements WorkerSocket {
  readonly id = ++lastId;
  readonly descriptor: number;
  readonly endpoint: Endpoint;
  /** Its place among the sockets of its address and port. */
  readonly share: number;
  /** How many sockets that address and port have. */
  readonly shares: number;
  /** Answers that are made in the control isolate and have not left yet. */
  underWay = 0;
  readonly #socket: BatchSocket;
  #isOpen = true;
  #dropped = 0;

  constructor(socket: BatchSocket, share: number, shares: number) {
    this.#socket = socket;
    this.descriptor = socket.fd;
    this.endpoint = Object.freeze({ ...socket.endpoint });
    [this.share, this.shares] = [share, shares];
  }

  /** What crosses isolates. */
  get plain(): WorkerSocket {
    return { id: this.id, descriptor: this.descriptor, endpoint: this.endpoint };
  }

  /** Whether nothing waits to be received. */
  get isEmpty(): boolean {
    return !this.#isOpen || isEmpty(this.descriptor);
  }

  /** How many datagrams the kernel has dropped for want of room since this was asked before. */
  takeDropped(): number {
    if (!this.#isOpen) return 0;
    const before = this.#dropped;
    this.#dropped = droppedByKernel(this.#socket);
    return Math.max(0, this.#dropped - before);
  }

  /** Sends one datagram. @returns Whether it went. */
  send(octets: Uint8Array, to: Endpoint): boolean {
    return this.#isOpen && sendTo(this.#socket, octets, to, this.endpoint);
  }

  /** Only once nobody reads it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSocket(this.#socket);
  }
}
