/**
 * All that finding entry points needs of the machine: time, chance, sockets and files. Handed in, so that tests can play the
 * network and turn the clock.
 *
 * @module
 */

import { dirname } from "node:path/posix";
import { type Clock, SYSTEM_CLOCK } from "../clock.ts";
import type { Family } from "../net/address.ts";

/** A socket for datagrams. */
export interface DatagramSocket {
  send(octets: Uint8Array, address: string, port: number): Promise<unknown>;
  /** The next datagram, and where it came from. @throws When the socket is closed. */
  receive(): Promise<{ readonly octets: Uint8Array; readonly address: string; readonly port: number }>;
  close(): void;
}

/** A connection. */
export interface Stream {
  /** How many octets were read; null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  write(octets: Uint8Array): Promise<number>;
  close(): void;
}

/** What a probe by HTTPS asks for. */
export interface HttpsRequest {
  readonly address: string;
  readonly port: number;
  /** What the certificate must be for, and the Host header: a name, or an address. */
  readonly host: string;
  readonly path: string;
  /** Certificates of authorities, PEM, beside the system's. */
  readonly authority?: string;
}

/** What opens sockets. */
export interface Sockets {
  /** At a port that the system picks at random. */
  datagram(family: Family): DatagramSocket;
  /** @throws When it is refused, or `signal` aborts. */
  connect(address: string, port: number, signal: AbortSignal): Promise<Stream>;
  /** The status of the reply. @throws When there is none, or the certificate is not the host's. */
  https(request: HttpsRequest, signal: AbortSignal): Promise<number>;
}

/** Text files. */
export interface Files {
  /** Undefined when there is none. @throws When it cannot be read. */
  read(path: string): Promise<string | undefined>;
  /** Writes it whole or not at all, for the owner alone. */
  write(path: string, text: string): Promise<void>;
}

/** See the module. */
export interface BootstrapIo {
  readonly clock: Clock;
  /** Milliseconds of a clock that nobody sets, for round trips. */
  elapsedMs(): number;
  /** 32 bits that nobody can foretell (RFC 5452 section 4.3). */
  random32(): number;
  readonly sockets: Sockets;
  readonly files: Files;
}

/** The most octets of a file that is read. */
const FILE_OCTETS_MAX = 1 << 20;

/** The machine's own. */
export const SYSTEM_IO: BootstrapIo = {
  clock: SYSTEM_CLOCK,
  elapsedMs: () => performance.now(),
  random32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
  sockets: { datagram, connect, https },
  files: { read, write },
};

function datagram(family: Family): DatagramSocket {
  const hostname = family === 4 ? "0.0.0.0" : "::";
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  return {
    send: (octets, address, port) => socket.send(octets, { transport: "udp", hostname: address, port }),
    async receive() {
      const [octets, from] = await socket.receive();
      const { hostname, port } = from as Deno.NetAddr;
      return { octets, address: hostname, port };
    },
    close: () => socket.close(),
  };
}

function connect(address: string, port: number, signal: AbortSignal): Promise<Stream> {
  return Deno.connect({ hostname: address, port, signal });
}

/** To an address, for a name there: no client of HTTP's takes the two apart in every version of the runtime. */
async function https(request: HttpsRequest, signal: AbortSignal): Promise<number> {
  const { address, port, host, path, authority } = request;
  const connection = await Deno.connect({ hostname: address, port, signal });
  const tls = await Deno.startTls(connection, {
    hostname: host,
    ...authority !== undefined && { caCerts: [authority] },
  });
  const close = () => tls.close();
  signal.addEventListener("abort", close);
  try {
    const name = host.includes(":") ? `[${host}]` : host;
    const asked = `GET ${path} HTTP/1.1\r\nHost: ${name}:${port}\r\nConnection: close\r\n\r\n`;
    for (let octets = new TextEncoder().encode(asked); octets.length > 0;) {
      octets = octets.subarray(await tls.write(octets));
    }
    return await statusFrom(tls);
  } finally {
    signal.removeEventListener("abort", close);
    if (!signal.aborted) close();
  }
}

/** The longest first line of a reply. */
const STATUS_OCTETS_MAX = 1024;

/** The status of a reply of HTTP/1 (RFC 9112 section 4). @throws {Error} When it is none. */
async function statusFrom(stream: { read(into: Uint8Array): Promise<number | null> }): Promise<number> {
  const octets = new Uint8Array(STATUS_OCTETS_MAX);
  let text = "", length = 0;
  while (!text.includes("\n") && length < octets.length) {
    const count = await stream.read(octets.subarray(length));
    if (count === null) break;
    length += count;
    text = new TextDecoder().decode(octets.subarray(0, length));
  }
  const [, status] = /^HTTP\/1\.\d (\d{3})[ \r]/.exec(text) ?? [];
  if (status === undefined) throw new Error("what came back is no reply of HTTP");
  return Number(status);
}

async function read(path: string): Promise<string | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw new Error("it is no regular file");
    if (size > FILE_OCTETS_MAX) throw new Error(`it has ${size} octets: wanted at most ${FILE_OCTETS_MAX}`);
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Written beside, under a name that no other writer has, then renamed. */
async function write(path: string, text: string): Promise<void> {
  const beside = `${path}.${crypto.randomUUID()}.new`;
  try {
    await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await Deno.writeTextFile(beside, text, { mode: 0o600, createNew: true });
    await Deno.rename(beside, path);
  } catch (error) {
    await Deno.remove(beside).catch(() => {});
    throw error;
  }
}
