/** A TCP or TLS connection to an address, whatever name the other side is to be asked under. @module */

import { isIP } from "node:net";
import { connect } from "node:tls";
import type { HttpCheck } from "../check.ts";

/** Octets both ways. */
export interface Connection {
  write(octets: Uint8Array): Promise<void>;
  /** The next octets; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  close(): void;
}

/** Connects to `address`. Closed when `signal` aborts. */
export function openConnection(address: string, check: HttpCheck, signal: AbortSignal): Promise<Connection> {
  return check.kind === "http" ? openTcp(address, check.port, signal) : openTls(address, check, signal);
}

async function openTcp(address: string, port: number, signal: AbortSignal): Promise<Connection> {
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

/**
 * The server name that is sent, and verified, is the host; without one the certificate must be for the address.
 * This is node's TLS because Deno's own, closed in mid-handshake, keeps its descriptor until the other side hangs up.
 */
async function openTls(
  address: string,
  { port, host, ca, insecure }: HttpCheck,
  signal: AbortSignal,
): Promise<Connection> {
  const socket = connect({
    host: address,
    port,
    rejectUnauthorized: !insecure,
    ...(host && !isIP(host) && { servername: host }),
    ...(ca && { ca: ca.pem }),
  });
  const close = () => void socket.destroy();
  signal.addEventListener("abort", close, { once: true });
  // One that comes after the promise is settled must not end the process.
  socket.on("error", close);
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("closed in the TLS handshake")));
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
