/**
 * What opens sockets to upstreams: Deno's own where they can do what is asked, Node's where Deno's cannot choose a
 * source address or show a certificate.
 *
 * @module
 */

import net from "node:net";
import tls from "node:tls";

/** A stream of octets, plain or encrypted. */
export interface StreamSocket {
  /** How many octets were read; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
  close(): void;
}

/** What TLS is to be like (RFC 8310 section 5, the strict profile: the server must prove its name). */
export interface TlsMaterial {
  /** Certificates of authorities, PEM, trusted beside the system's. */
  readonly authority?: string;
  /** Our own certificate and its key, PEM. */
  readonly certificate?: string;
  readonly key?: string;
}

/** What to connect to, and how. */
export interface ConnectOptions {
  readonly hostname: string;
  readonly port: number;
  readonly signal: AbortSignal;
  readonly sourceAddress?: string;
  /** Encrypts; `serverName` is what the certificate must be for. */
  readonly tls?: TlsMaterial & { readonly serverName: string };
}

/** What opens sockets. */
export interface Sockets {
  listenDatagram(options: { transport: "udp"; hostname: string; port: number }): Deno.DatagramConn;
  connect(options: ConnectOptions): Promise<StreamSocket>;
}

/** The machine's own. */
export const SYSTEM_SOCKETS: Sockets = {
  listenDatagram: (options) => Deno.listenDatagram(options),
  connect: (options) =>
    options.sourceAddress || options.tls?.certificate ? connectByNode(options) : connectByDeno(options),
};

async function connectByDeno({ hostname, port, signal, tls }: ConnectOptions): Promise<StreamSocket> {
  const plain = await Deno.connect({ hostname, port, signal });
  if (!tls) return plain;
  const secure = await Deno.startTls(plain, {
    hostname: tls.serverName,
    ...(tls.authority !== undefined && { caCerts: [tls.authority] }),
  });
  const abort = () => secure.close();
  signal.addEventListener("abort", abort);
  try {
    await secure.handshake();
    return secure;
  } catch (error) {
    if (!signal.aborted) secure.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function connectByNode(options: ConnectOptions): Promise<StreamSocket> {
  const { hostname: host, port, signal, sourceAddress } = options;
  const plain = net.connect({ host, port, ...(sourceAddress && { localAddress: sourceAddress }) });
  const abort = () => plain.destroy(new Error("aborted"));
  signal.addEventListener("abort", abort);
  try {
    await once(plain, "connect");
    if (!options.tls) return new NodeStream(plain);
    const secure = tls.connect({ socket: plain, ...nodeTls(options.tls) });
    await once(secure, "secureConnect");
    return new NodeStream(secure);
  } catch (error) {
    plain.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The same for Node. */
export function nodeTls({ serverName, authority, certificate, key }: TlsMaterial & { serverName: string }) {
  return {
    // RFC 6066 section 3: an address is no server name; Node then holds the certificate against `host`.
    ...(net.isIP(serverName) ? { host: serverName } : { servername: serverName }),
    ...(authority !== undefined && { ca: authority }),
    ...(certificate !== undefined && { cert: certificate, key }),
  };
}

function once(emitter: net.Socket, event: "connect" | "secureConnect"): Promise<void> {
  return new Promise((resolve, reject) => {
    emitter.once(event, () => resolve());
    emitter.once("error", reject);
    emitter.once("close", () => reject(new Error("closed the connection")));
  });
}

/** A socket of Node's, read and written as one of Deno's. */
class NodeStream implements StreamSocket {
  readonly #socket: net.Socket;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest = new Uint8Array();

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]();
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return null;
      this.#rest = new Uint8Array(value);
    }
    const count = Math.min(into.length, this.#rest.length);
    into.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  write(octets: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(octets, (error) => error ? reject(error) : resolve(octets.length));
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}
