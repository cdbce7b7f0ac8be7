/**
 * One query, answered in each of the ways in which a server answers: by the chain, by what stands before it, by a data worker
 * over UDP, by the control isolate over TCP; the sockets twice, as the second time a reply may be a repeated one.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../../core/net/address.ts";
import type { Address } from "../../../core/net/address.ts";
import type { Transport } from "../../../core/query.ts";
import type { Endpoint } from "../../../core/server/arrival.ts";
import type { Server } from "../../../core/server/server.ts";
import { MemoRig } from "./rig.ts";

/** The replies in hexadecimal, without the ID; `nothing` = none. */
export type Ways = Readonly<Record<string, string>>;

/** Who asks. Only addresses of this machine can be asked from over sockets. */
export interface Asker {
  readonly source: Address;
  readonly server: Endpoint;
}

/** How long a reply is waited for where there is to be one, and where there is to be none. */
const PATIENCE_MS = 20_000, SILENCE_MS = 250;

/** What the control isolate tells a client of a connection that asks: `timeouts` has other than this in no example. */
const KEEPALIVE_MS = 10_000;

const NOTHING = "nothing";

/** See the module. */
export class FourWays {
  readonly #server: Server;
  readonly #rig: MemoRig;

  constructor(server: Server) {
    this.#server = server;
    this.#rig = new MemoRig(server, () => Date.now());
  }

  /** How many replies the memo of this isolate repeated. */
  get repeated(): number {
    return this.#rig.memo.hits;
  }

  /** Asks in all ways that there are for who asks, over UDP and over TCP. */
  async ask(query: Uint8Array, asker: Asker): Promise<{ readonly udp: Ways; readonly tcp: Ways }> {
    // What is fetched from elsewhere is there by now, in all ways.
    for (const transport of ["udp", "tcp"] as const) await this.#chain(query, asker, 40212, transport);
    return { udp: await this.#overUdp(query, asker), tcp: await this.#overTcp(query, asker) };
  }

  async #overUdp(query: Uint8Array, asker: Asker): Promise<Ways> {
    const { source, server } = asker;
    const socket = isOwn(source) ? openSocket(source) : undefined;
    try {
      const from = { address: source, port: (socket?.addr as Deno.NetAddr | undefined)?.port ?? 40212 };
      const chain = await this.#chain(query, asker, from.port, "udp");
      const before = this.#memo(query, from, server), again = this.#memo(query, from, server);
      const memo = { ...before && { "memo": before }, ...again && { "memo, again": again } };
      if (!socket) return { chain, ...memo };
      const ask = () => askUdp(socket, server, query, chain === NOTHING ? SILENCE_MS : PATIENCE_MS);
      return { chain, ...memo, "socket": await ask(), "socket, again": await ask() };
    } finally {
      socket?.close();
    }
  }

  async #overTcp(query: Uint8Array, asker: Asker): Promise<Ways> {
    const { source, server } = asker;
    if (source.octets[0] !== 127 || formatAddress(source) !== "127.0.0.1") return {};
    using connection = await Deno.connect({ hostname: formatAddress(server.address), port: server.port });
    const { port } = connection.localAddr;
    const chain = await this.#chain(query, asker, port, "tcp");
    const ask = () => askTcp(connection, query, chain === NOTHING ? SILENCE_MS : PATIENCE_MS);
    const first = await ask();
    // Whoever is not answered is not to wait on the same connection.
    return { chain, "connection": first, ...chain === NOTHING ? {} : { "connection, again": await ask() } };
  }

  async #chain(
    query: Uint8Array,
    { source, server }: Asker,
    port: number,
    transport: Transport,
  ): Promise<string> {
    const { octets } = await this.#server.answering.examine(query.slice(), {
      ...{ source: { address: source, port }, server, transport },
      ...transport === "tcp" && { keepaliveMs: KEEPALIVE_MS },
    });
    return textOf(octets);
  }

  /** Undefined where it must wait. */
  #memo(query: Uint8Array, source: Endpoint, server: Endpoint): string | undefined {
    const { isLate, octets } = this.#rig.askAtOnce(query, source, server);
    return isLate ? undefined : textOf(octets);
  }
}

function isOwn(address: Address): boolean {
  return address.family === 4 ? address.octets[0] === 127 : formatAddress(address) === "::1";
}

function openSocket(source: Address): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: formatAddress(source), port: 0 });
}

async function askUdp(
  socket: Deno.DatagramConn,
  { address, port }: Endpoint,
  query: Uint8Array,
  patienceMs: number,
): Promise<string> {
  await socket.send(query, { transport: "udp", hostname: formatAddress(address), port });
  return await within(patienceMs, socket.receive(new Uint8Array(65_536)).then(([octets]) => octets));
}

async function askTcp(connection: Deno.TcpConn, query: Uint8Array, patienceMs: number): Promise<string> {
  await connection.write(Uint8Array.of(query.length >> 8, query.length & 255, ...query));
  return await within(patienceMs, readMessage(connection));
}

async function readMessage(connection: Deno.TcpConn): Promise<Uint8Array | undefined> {
  const buffer = new Uint8Array(65_537);
  for (let count = 0, wanted = 2; count < wanted;) {
    const read = await connection.read(buffer.subarray(count));
    if (read === null) return undefined;
    count += read;
    if (count >= 2) wanted = 2 + (buffer[0]! << 8 | buffer[1]!);
    if (count >= wanted && count > 2) return buffer.slice(2, count);
  }
}

/** The text of what comes in time; a promise that does not is left to end with its socket. */
async function within(patienceMs: number, reply: Promise<Uint8Array | undefined>): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => timer = setTimeout(() => resolve(undefined), patienceMs));
  reply.catch(() => {});
  try {
    return textOf(await Promise.race([reply, late]));
  } finally {
    clearTimeout(timer);
  }
}

function textOf(octets: Uint8Array | undefined): string {
  return octets ? octets.slice(2).toHex() : NOTHING;
}

/** Whoever asks from an address, at one of the server's. */
export function askerAt(source: string, server: string, port: number): Asker {
  return { source: parseAddress(source)!, server: { address: parseAddress(server)!, port } };
}
