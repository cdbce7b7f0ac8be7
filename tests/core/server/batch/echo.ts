/** What tests of batches answer with. @module */

import { formatAddress } from "../../../../core/net/address.ts";
import { type BatchSocket, closeSocket, openBatchSocket } from "../../../../core/server/batch/mod.ts";
import { BATCH_MAX, PacketLoop, type PacketLoopOptions } from "../../../../core/server/batch/mod.ts";
import { type InPlace, type PacketSource, SLOT_OCTETS } from "../../../../core/server/in_place.ts";
import { parseAddress } from "../../../../core/net/address.ts";

/** Set on tests that cannot run here. */
export const ignore = Deno.build.os !== "linux" || !["x86_64", "aarch64"].includes(Deno.build.arch);

/** What came to an {@linkcode InPlace}. */
export interface Came {
  readonly octets: Uint8Array;
  readonly source: string;
  readonly server: string;
}

/** Notes what comes, and answers it as `reply` says: by default with what came. */
export function noting(
  came: Came[],
  reply: (length: number, octets: Uint8Array, source: PacketSource) => number = (length) => length,
): InPlace {
  const octets = new Uint8Array(BATCH_MAX * SLOT_OCTETS);
  return {
    octets,
    answer(at, length, source) {
      const query = octets.slice(at, at + length);
      const server = `${formatAddress(source.server.address)} ${source.server.port}`;
      came.push({ octets: query, source: sourceText(source), server });
      return reply(length, octets.subarray(at, at + SLOT_OCTETS), source);
    },
  };
}

/** The source as an address and a port. */
export function sourceText({ family, words, port }: PacketSource): string {
  const view = new DataView(new ArrayBuffer(family === 4 ? 4 : 16));
  for (let word = 0; word < view.byteLength / 4; word++) view.setUint32(word * 4, words[word]!);
  return `${formatAddress({ family, octets: new Uint8Array(view.buffer) })} ${port}`;
}

/** A socket and a loop over it, closed in the end. */
export interface Echo extends Disposable {
  readonly socket: BatchSocket;
  readonly loop: PacketLoop;
  readonly came: Came[];
}

/** Opens one that answers with what came. */
export function openEcho(
  text: string,
  { isDualStack = false, reply, ...options }:
    & { isDualStack?: boolean; reply?: Parameters<typeof noting>[1] }
    & Partial<PacketLoopOptions> = {},
): Echo {
  const came: Came[] = [];
  const socket = openBatchSocket({ address: parseAddress(text)!, port: 0, isDualStack });
  const inPlace = noting(came, reply);
  const loop = new PacketLoop({ sockets: [socket], inPlace, nowMs: () => 0, ...options });
  return {
    socket,
    loop,
    came,
    [Symbol.dispose]() {
      closeSocket(socket);
    },
  };
}
