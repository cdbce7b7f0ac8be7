/** The same as http.ts over TLS. A module of its own, for node's TLS takes megabytes. @module */

import { isIP } from "node:net";
import { connect } from "node:tls";
import type { HttpCheck } from "../check.ts";
import type { Attempt } from "./attempt.ts";
import type { Connection } from "./connection.ts";
import { requestOver } from "./http.ts";

/** {@linkcode requestOver} a connection that is encrypted. */
export const probeHttps: Attempt<HttpCheck> = async (address, check, signal) =>
  await requestOver(await openTls(address, check, signal), address, check);

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
