/** Replies to write lines for. @module */

import type { Location } from "../../../core/fleet/place.ts";
import {
  type Answer,
  emptyAnswer,
  parseAddress,
  parseName,
  prefixOf,
  type QueryContext,
  type RRset,
  type Selection,
  type Sent,
} from "../../../core/plugin.ts";
import { contextOf } from "../../support/context.ts";
import type { Reply } from "../../../plugins/log/reply.ts";

/** An RRset without RDATA. */
export function rrsetOf(type: number, ttl = 60): RRset {
  return { name: parseName("www.example.org"), type, ttl, rdata: [new Uint8Array(4)] };
}

/** `entry.example.org.` chose fra1 and ams1. */
export const SELECTION: Selection = {
  pool: "entry.example.org.",
  nodes: ["fra1", "ams1"],
  why: "nearest",
  distanceKm: 11.7,
};

/** A city in Hesse. */
export const LOCATION: Location = {
  network: prefixOf(parseAddress("192.0.2.0")!, 24),
  place: { latitude: 50.11, longitude: 8.68, country: "DE", subdivision: "HE" },
  placeId: 1,
  precision: "city",
  source: "test.mmdb",
  special: false,
};

/** A good reply of 68 octets in 37.990251 ms, less what the parts say otherwise. */
export function replyOf(parts: {
  context?: QueryContext;
  answer?: Partial<Answer>;
  sent?: Partial<Sent>;
  location?: Location | undefined;
} = {}): Reply {
  return {
    context: parts.context ?? contextOf(),
    answer: emptyAnswer(0, { authoritative: true, answer: [rrsetOf(1)], ...parts.answer }),
    sent: { octets: 68, flags: 0x8580, plugin: "file", durationMs: 37.990251, ...parts.sent },
    locate: () => "location" in parts ? parts.location : LOCATION,
  };
}
