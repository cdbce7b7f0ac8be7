/**
 * Whether what this machine's kernel and C library do is what is meant by the numbers and layouts here: datagrams of known
 * lengths go once around over loopback, by the code that will carry queries.
 *
 * @module
 */

import { type Address, parseAddress } from "../../net/address.ts";
import type { Endpoint } from "../arrival.ts";
import { type InPlace, type PacketSource, SLOT_OCTETS } from "../in_place.ts";
import { type BatchSocket, closeSocket, openBatchSocket, sendTo } from "./batch_socket.ts";
import { BATCH_MAX, PacketLoop } from "./packet_loop.ts";

/** Lengths of what is sent: one is longer than a slot. */
const LENGTHS = [12, 513, SLOT_OCTETS, SLOT_OCTETS + 904];

/** Undefined when batches work here; otherwise why not. Takes a few milliseconds, once a process. */
export function selfTest(): string | undefined {
  try {
    goAround(address("127.0.0.1"), address("127.0.0.1"), false);
    goAround(address("0.0.0.0"), address("127.0.0.1"), false);
    if (hasIPv6()) {
      goAround(address("::1"), address("::1"), false);
      goAround(address("::"), address("::1"), false);
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function address(text: string): Address {
  return parseAddress(text)!;
}

function hasIPv6(): boolean {
  try {
    closeSocket(openBatchSocket({ address: address("::1"), port: 0 }));
    return true;
  } catch {
    return false;
  }
}

/** Sends datagrams to a server bound to `bound`, at its address `asked`, and looks at all that is said of both ways. */
function goAround(bound: Address, asked: Address, isDualStack: boolean): void {
  const sockets: BatchSocket[] = [];
  const open = (address: Address, heard: Heard[]) => {
    const socket = openBatchSocket({ address, port: 0, isDualStack });
    sockets.push(socket);
    const fault = (kind: string, error: unknown) => {
      throw new Error(`${kind} fails`, { cause: error });
    };
    const loop = new PacketLoop({ sockets: [socket], inPlace: recorder(heard), nowMs: () => 0, fault });
    return { socket, loop, to: { address: asked, port: socket.endpoint.port } satisfies Endpoint };
  };
  const byServer: Heard[] = [], byClient: Heard[] = [];
  try {
    const server = open(bound, byServer), client = open(asked, byClient);
    for (const length of LENGTHS) {
      const isSent = sendTo(client.socket, new Uint8Array(length).fill(length), server.to, client.to);
      if (!isSent) throw new Error("a datagram to ourselves could not be sent");
    }
    while (byServer.length < LENGTHS.length && server.loop.step());
    while (byClient.length < LENGTHS.length && client.loop.step());
    compare("what came", byServer, client.to, server.to);
    compare("what came back", byClient, server.to, client.to);
  } finally {
    for (const socket of sockets) closeSocket(socket);
  }
}

/** What was seen of a datagram. */
interface Heard {
  readonly length: number;
  readonly last: number;
  readonly from: string;
  readonly to: string;
}

/** Sends back what comes, but what came back already. */
function recorder(heard: Heard[]): InPlace {
  const octets = new Uint8Array(new ArrayBuffer(BATCH_MAX * SLOT_OCTETS));
  return {
    octets,
    answer(at, length, source) {
      const last = octets[at + length - 1]!;
      heard.push({ length, last, from: textOf(source), to: endpointText(source.server) });
      octets[at] = 0x80;
      return length;
    },
  };
}

function textOf({ family, words, port }: PacketSource): string {
  return `${[...words.subarray(0, family === 4 ? 1 : 4)]} ${port}`;
}

function endpointText({ address: { octets }, port }: Endpoint): string {
  const view = new DataView(octets.slice().buffer);
  return `${Array.from({ length: octets.length / 4 }, (_, word) => view.getUint32(word * 4))} ${port}`;
}

function compare(what: string, heard: readonly Heard[], from: Endpoint, to: Endpoint): void {
  if (heard.length !== LENGTHS.length) {
    throw new Error(`${what} was ${heard.length} datagrams instead of ${LENGTHS.length}`);
  }
  for (const [i, { length, last, ...ends }] of heard.entries()) {
    const wanted = Math.min(LENGTHS[i]!, SLOT_OCTETS);
    if (length !== wanted) throw new Error(`${what} had ${length} octets instead of ${wanted}`);
    if (last !== (LENGTHS[i]! & 0xff)) throw new Error(`${what} had other octets than were sent`);
    if (ends.from !== endpointText(from)) throw new Error(`${what} came from elsewhere, by its name`);
    if (ends.to !== endpointText(to)) throw new Error(`${what} was sent elsewhere, by its control message`);
  }
}
