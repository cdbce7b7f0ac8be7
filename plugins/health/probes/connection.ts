/** A TCP or TLS connection to an address, whatever name the other side is to be asked under. @module */

import { connect } from "node:tls";
import type { HttpCheck } from "../check.ts";

/** Octets both ways. */
export interface Connection {
  write(octets: Uint8Array): Promise<void>;
  /** The next octets; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  close(): void;
}

/** Connects to `address`; under TLS the server name sent, and verified, is `host`, or the address when there is none. */
export async function openConnection(
  address: string,
  { kind, port, host, ca, insecure }: HttpCheck,
  signal: AbortSignal,
): Promise<Connection> {
  if (insecure) return await unverified(address, port, host, signal);
  const tcp = await Deno.connect({ hostname: address, port, signal });
  if (kind === "http") return plain(tcp, signal);
  const abandon = () => closeQuietly(tcp);
  signal.addEventListener("abort", abandon, { once: true });
  try {
    const tls = await Deno.startTls(tcp, { hostname: host ?? address, ...(ca && { caCerts: [ca.pem] }) });
    const connection = plain(tls, signal);
    await tls.handshake();
    return connection;
  } catch (error) {
    closeQuietly(tcp);
    throw error;
  } finally {
    signal.removeEventListener("abort", abandon);
  }
}

function plain(connection: Deno.Conn, signal: AbortSignal): Connection {
  const close = () => closeQuietly(connection);
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

/** Deno's own TLS always verifies the chain; node's may be told not to. */
async function unverified(
  address: string,
  port: number,
  host: string | undefined,
  signal: AbortSignal,
): Promise<Connection> {
  const socket = connect({
    host: address,
    port,
    rejectUnauthorized: false,
    ...(host && { servername: host }),
  });
  const close = () => void socket.destroy();
  signal.addEventListener("abort", close, { once: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed")));
    socket.once("secureConnect", resolve);
  });
  const parts = socket[Symbol.asyncIterator]();
  return {
    write: (octets) =>
      new Promise((resolve, reject) => socket.write(octets, (error) => error ? reject(error) : resolve())),
    read: async () => (await parts.next()).value,
    close,
  };
}

function closeQuietly(closer: { close(): void }): void {
  try {
    closer.close();
  } catch {
    // It is closed, or TLS has taken it over.
  }
}
