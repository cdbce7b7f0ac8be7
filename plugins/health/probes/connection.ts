/** A connection to an address, whatever name the other side is to be asked under: over TCP. @module */

/** Octets both ways. */
export interface Connection {
  write(octets: Uint8Array): Promise<void>;
  /** The next octets; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  close(): void;
}

/** Connects to `address`. Closed when `signal` aborts. */
export async function openTcp(address: string, port: number, signal: AbortSignal): Promise<Connection> {
  const connection = await Deno.connect({ hostname: address, port, signal });
  const close = () => {
    try {
      connection.close();
    } catch {
      // It is closed already.
    }
  };
  signal.addEventListener("abort", close, { once: true });
  const buffer = new Uint8Array(16 * 1024);
  return {
    async write(octets) {
      for (let at = 0; at < octets.length;) at += await connection.write(octets.subarray(at));
    },
    async read() {
      const count = await connection.read(buffer);
      return count === null ? undefined : buffer.slice(0, count);
    },
    close,
  };
}
