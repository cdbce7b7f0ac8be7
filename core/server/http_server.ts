/**
 * A small HTTP/1.1 server (RFC 9112) for GET and HEAD, which strangers may reach: whoever sends half a request, or does
 * not read what he asked for, is not waited for, and however many come hold no more than so many file descriptors.
 *
 * @module
 */

import { HttpConnection, type HttpConnectionOptions } from "./http_connection.ts";

/** What an {@linkcode HttpServer} needs. */
export interface HttpOptions extends HttpConnectionOptions {
  readonly hostname: string;
  /** 0 = any free one. */
  readonly port: number;
  /** Takes the port although another socket has it that lets it be shared. */
  readonly takesOver?: boolean;
}

/** Connections at once; one more takes the place of the one that has waited longest for a request. */
export const CONNECTIONS_MAX = 100;

/** Listens and answers, until it is closed or accepting fails. */
export class HttpServer {
  /** Where it listens. */
  readonly addr: Deno.NetAddr;
  /** Resolves when nobody is accepted any more: with undefined where that was wanted, else with the error. */
  readonly finished: Promise<unknown>;
  readonly #options: HttpOptions;
  readonly #listener: Deno.TcpListener;
  /** Each with its end. What has done as it does now for longest comes first. */
  readonly #connections = new Map<HttpConnection, Promise<void>>();
  #closing = false;

  /** @throws What Deno.listen throws, such as Deno.errors.AddrInUse. */
  constructor(options: HttpOptions) {
    const { hostname, port, takesOver } = options;
    this.#options = options;
    this.#listener = Deno.listen({ hostname, port, ...takesOver && { reusePort: true } });
    this.addr = this.#listener.addr;
    this.finished = this.#acceptAll();
  }

  /** Accepts nobody any more, and resolves when the requests under way have been answered. */
  async shutdown(): Promise<void> {
    this.#stop();
    await Promise.all(this.#connections.values());
    await this.finished;
  }

  /** Ends what {@linkcode shutdown} would wait for. */
  close(): void {
    this.#stop();
    for (const connection of this.#connections.keys()) connection.close();
  }

  #stop(): void {
    if (!this.#closing) this.#listener.close();
    this.#closing = true;
    for (const connection of this.#connections.keys()) connection.finish();
  }

  async #acceptAll(): Promise<unknown> {
    for (;;) {
      const socket = await this.#listener.accept().catch((error: Error) => error);
      if (!(socket instanceof Error)) this.#take(socket);
      else if (this.#closing) return undefined;
      else if (!hasLeft(socket)) {
        this.#stop();
        return socket;
      }
    }
  }

  #take(socket: Deno.TcpConn): void {
    if (this.#closing) return socket.close();
    if (this.#connections.size >= CONNECTIONS_MAX) this.#makeRoom();
    const connection = new HttpConnection(socket, this.#options, () => this.#moveLast(connection));
    const end = connection.serve().finally(() => this.#connections.delete(connection));
    this.#connections.set(connection, end);
  }

  #makeRoom(): void {
    const all = [...this.#connections.keys()];
    const victim = all.find(({ isWaiting }) => isWaiting) ?? all[0]!;
    victim.close("overflow");
    this.#connections.delete(victim);
  }

  #moveLast(connection: HttpConnection): void {
    const end = this.#connections.get(connection);
    if (end && this.#connections.delete(connection)) this.#connections.set(connection, end);
  }
}

/** Whether it is the client's doing that it was not accepted. */
function hasLeft(error: Error): boolean {
  return error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.ConnectionReset;
}
