/**
 * Stand-ins for nodes: TCP listeners on loopback that accept, and hang up.
 *
 * @module
 */

/** Listeners at one port of many addresses, each of which can be opened and closed. */
export class Listeners {
  readonly port: number;
  readonly #open = new Map<string, Deno.TcpListener>();

  private constructor(port: number) {
    this.port = port;
  }

  /**
   * Opens all of `addresses`: at `port` where every one of them has it free, else at a higher port. A machine without
   * IPv6 leaves out IPv6 addresses.
   */
  static open(addresses: readonly string[], port: number): Listeners {
    for (;; port++) {
      const listeners = new Listeners(port);
      try {
        for (const address of addresses) listeners.open(address);
        return listeners;
      } catch (error) {
        listeners.close();
        if (!(error instanceof Deno.errors.AddrInUse)) throw error;
      }
    }
  }

  /** @throws {Deno.errors.AddrInUse} When someone else listens there. */
  open(address: string): void {
    if (this.#open.has(address)) return;
    try {
      const listener = Deno.listen({ hostname: address, port: this.port });
      this.#open.set(address, listener);
      hangUpOnAll(listener);
    } catch (error) {
      if (!address.includes(":") || !(error instanceof Deno.errors.AddrNotAvailable)) throw error;
    }
  }

  /** Closes one address; all of them by default. Connections are refused from then on. */
  close(address?: string): void {
    for (const one of address === undefined ? [...this.#open.keys()] : [address]) {
      this.#open.get(one)?.close();
      this.#open.delete(one);
    }
  }
}

async function hangUpOnAll(listener: Deno.TcpListener): Promise<void> {
  for await (const connection of listener) connection.close();
}
