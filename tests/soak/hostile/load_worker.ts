/**
 * Clients of every kind, from many loopback addresses at once, until told to stop: who asks as resolvers do, and who would
 * have the server spend what it has. Counts what was asked and answered.
 *
 * @module
 */

import { encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { encodeQuery } from "../../support/server.ts";

interface WorkerSelf {
  postMessage(message: Tally): void;
  onmessage: (event: MessageEvent<{ port: number } | "stop">) => void;
}

/** What one kind of client saw so far. */
export interface Tally {
  readonly asked: number;
  readonly answered: number;
  readonly connections: number;
}

const self = globalThis as unknown as WorkerSelf;
const tally = { asked: 0, answered: 0, connections: 0 };
let stopped = false;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;
const octet = () => Math.floor(Math.random() * 256);
const network = () => `${1 + (octet() % 223)}.${octet()}.${octet()}.0/24`;

/** Names that exist, that do not, that are forwarded, that are never the same. */
const NAMES: readonly (() => string)[] = [
  () => "entry.anycast.example",
  () => "www.anycast.example",
  () => "api.anycast.example",
  () => `x${Math.random()}.anycast.example`,
  () => `${octet()}.static.anycast.example`,
  () => `${octet()}.upstream.example`,
  () => `x${Math.random()}.upstream.example`,
  () => "version.bind",
];

function query(): Uint8Array {
  const type = pick(["A", "AAAA", "TXT", "ANY", "HTTPS", "SOA"] as const);
  if (Math.random() < 0.5) return encodeQuery(pick(NAMES)(), type, network());
  const cookie = Uint8Array.from({ length: pick([8, 24, 24, 7, 41]) }, octet);
  return encodeMessage(
    makeQuery(octet() << 8 | octet(), parseName(pick(NAMES)()), TYPE[type], {
      edns: {
        payloadSize: pick([0, 512, 1232, 65535]),
        dnssecOk: Math.random() < 0.5,
        options: [{ code: 10, data: cookie }],
      },
    }),
  );
}

/** A query with octets changed, cut, added. */
function mangled(): Uint8Array {
  const octets = query();
  for (let i = 0; i < 1 + octet() % 4; i++) octets[octet() % octets.length] = octet();
  const cut = octets.slice(0, pick([octets.length, octets.length, octet() % octets.length]));
  return Math.random() < 0.2 ? Uint8Array.from([...cut, ...Array.from({ length: octet() }, octet)]) : cut;
}

/** Sends over UDP from an address of its own, and reads what comes. */
async function datagrams(
  address: string,
  port: number,
  make: () => Uint8Array,
  everyMs: number,
  burst: number,
) {
  while (!stopped) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: address, port: 0 });
    const reading = (async () => {
      for await (const _ of socket) tally.answered++;
    })().catch(() => {});
    for (let i = 0; i < 200 && !stopped; i++) {
      for (let b = 0; b < burst; b++) {
        tally.asked++;
        await socket.send(make(), { transport: "udp", hostname: "127.0.0.1", port }).catch(() => {});
      }
      await pause(everyMs);
    }
    socket.close();
    await reading;
  }
}

/** A connection, used in some way, over and over. */
async function connections(port: number, use: (connection: Deno.TcpConn) => Promise<void>, everyMs: number) {
  while (!stopped) {
    let connection: Deno.TcpConn | undefined;
    try {
      connection = await Deno.connect({ hostname: "127.0.0.1", port });
      tally.connections++;
      await use(connection);
    } catch {
      // The server ended it: that is its right.
    }
    try {
      connection?.close();
    } catch { /* closed already */ }
    await pause(everyMs);
  }
}

const framed = (message: Uint8Array) =>
  Uint8Array.from([message.length >> 8, message.length & 255, ...message]);

/** Asks, reads, asks again. */
async function polite(connection: Deno.TcpConn): Promise<void> {
  const buffer = new Uint8Array(65_537);
  for (let i = 0; i < 20; i++) {
    tally.asked++;
    await connection.write(framed(query()));
    if (await connection.read(buffer) !== null) tally.answered++;
  }
}

/** Asks much at once and reads nothing. */
async function greedy(connection: Deno.TcpConn): Promise<void> {
  for (let i = 0; i < 200; i++) {
    tally.asked++;
    await connection.write(framed(query()));
  }
  await pause(3000);
}

/** Sends an octet now and then. */
async function dripping(connection: Deno.TcpConn): Promise<void> {
  for (const one of framed(query())) {
    await connection.write(Uint8Array.of(one));
    await pause(700);
  }
}

/** Sends what is no DNS. */
async function noise(connection: Deno.TcpConn): Promise<void> {
  await connection.write(Uint8Array.from({ length: 2000 }, octet));
  await pause(500);
}

/** Says that a long message follows, and goes. */
async function broken(connection: Deno.TcpConn): Promise<void> {
  await connection.write(Uint8Array.of(0xff, 0xff, 1, 2, 3));
}

self.onmessage = ({ data }) => {
  if (data === "stop") {
    stopped = true;
    return;
  }
  const { port } = data;
  for (let i = 0; i < 8; i++) datagrams(`127.1.${i}.1`, port, query, 20, 4);
  for (let i = 0; i < 4; i++) datagrams(`127.2.0.${1 + i}`, port, mangled, 20, 8);
  datagrams("127.3.0.1", port, query, 5, 20);
  for (let i = 0; i < 4; i++) connections(port, polite, 50);
  for (const use of [greedy, greedy, dripping, dripping, noise, broken]) connections(port, use, 100);
  setInterval(() => self.postMessage({ ...tally }), 1000);
};
