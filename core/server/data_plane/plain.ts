/** Answers packets by asking the chain for each. @module */

import type { Address } from "../../net/address.ts";
import type { Arrival } from "../arrival.ts";
import { BATCH_MAX } from "../batch/packet_loop.ts";
import type { Examine, Outcome } from "../exchange.ts";
import { type InPlace, LATER, type PacketSource, SILENT, SLOT_OCTETS } from "../in_place.ts";

/** `later` gets what must wait, and what has no room in a slot. */
export function plainInPlace(
  examine: Examine,
  later: (octets: Uint8Array, arrival: Arrival, outcome: Outcome | Promise<Outcome>) => void,
): InPlace {
  const octets = new Uint8Array(new ArrayBuffer(BATCH_MAX * SLOT_OCTETS));
  return {
    octets,
    answer(at, length, source) {
      const query = octets.slice(at, at + length);
      const arrival = arrivalOf(source);
      const outcome = examine(query, arrival);
      if (outcome instanceof Promise || outcome.deferred || (outcome.octets?.length ?? 0) > SLOT_OCTETS) {
        later(query, arrival, outcome);
        return LATER;
      }
      if (!outcome.octets) return SILENT;
      octets.set(outcome.octets, at);
      return outcome.octets.length;
    },
  };
}

function arrivalOf({ family, words, port, server }: PacketSource): Arrival {
  return { source: { address: addressOf(family, words), port }, server, transport: "udp" };
}

function addressOf(family: 4 | 6, words: Uint32Array): Address {
  const octets = new Uint8Array(family === 4 ? 4 : 16);
  const view = new DataView(octets.buffer);
  for (let i = 0; i * 4 < octets.length; i++) view.setUint32(i * 4, words[i]!);
  return { family, octets };
}
