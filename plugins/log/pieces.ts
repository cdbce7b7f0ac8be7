/**
 * What stands in the lines for one reply that is repeated, and what changes from one to the next: the client, the ID, the
 * name in what does not exist, where the client is. The rest is worked out once.
 *
 * @module
 */

import type { Location } from "../../core/fleet/place.ts";
import {
  aloneDistance,
  chosenText,
  distanceText,
  FIELDS,
  locationText,
  NONE,
  type Part,
  PREFIX,
} from "./format.ts";
import { ascii, jsonMembers, locationValue } from "./json.ts";
import { distanceKm, type Reply } from "./reply.ts";

/** What stands in the query, or is counted of it. Addresses are in brackets (`remote`) or without (`address`). */
export const HOLE = Object.freeze({
  ADDRESS: 0,
  REMOTE: 1,
  PORT: 2,
  ID: 3,
  NAME: 4,
  NAME_IN_JSON: 5,
  SIZE: 6,
  PAYLOAD: 7,
  PAYLOAD_MIN_512: 8,
  REPLY_SIZE: 9,
  SUBNET: 10,
  TIME: 11,
  PLACE: 12,
});

/** Text that stands, what stands in the query, or what follows from where the client is. */
export type Piece = string | { readonly hole: number } | {
  readonly place: (location: Location | undefined) => string;
};

/** The pieces of a line of text; undefined where a part follows from what is known of one client alone. */
export function textPieces(format: readonly Part[], reply: Reply): readonly Piece[] | undefined {
  const pieces: Piece[] = [PREFIX];
  for (const part of format) {
    if ("label" in part) return undefined;
    if ("text" in part) pieces.push(part.text);
    else pieces.push(...fieldPieces(part.field, reply));
  }
  return [...pieces, "\n"];
}

function fieldPieces(field: string, reply: Reply): readonly Piece[] {
  const { edns } = reply.context, { selections = [], dependence } = reply.answer;
  switch (field) {
    case "name":
      return [{ hole: HOLE.NAME }];
    case "remote":
      return [{ hole: HOLE.REMOTE }];
    case "port":
      return [{ hole: HOLE.PORT }];
    case "size":
      return [{ hole: HOLE.SIZE }];
    case "rsize":
      return [{ hole: HOLE.REPLY_SIZE }];
    case ">id":
      return [{ hole: HOLE.ID }];
    case ">bufsize":
      return edns && reply.context.transport === "udp"
        ? [{ hole: HOLE.PAYLOAD_MIN_512 }]
        : asIs(field, reply);
    case "ecs":
      return edns?.clientSubnet ? [{ hole: HOLE.SUBNET }] : [NONE];
    case "location":
      return [{ place: locationText }];
    case "distance":
      return selections.length === 0 ? [NONE] : selections.flatMap((one, i) => [
        i > 0 ? "; " : "",
        { place: (location) => distanceText(one, location) },
      ]);
    case "selections":
      return selections.length === 0 ? [] : [
        " ",
        ...selections.flatMap((one, i): readonly Piece[] => [
          (i > 0 ? "); " : "") + chosenText(one),
          { place: (location) => aloneDistance(one, location) },
        ]),
        "; ",
        { place: locationText },
        "; ",
        ...edns?.clientSubnet ? [{ hole: HOLE.SUBNET }, " → "] : [],
        `/${dependence.scopePrefixLength})`,
      ];
    default:
      return asIs(field, reply);
  }
}

function asIs(field: string, reply: Reply): readonly Piece[] {
  return [FIELDS[field]!(reply)];
}

/** Stands in an object for what is put there line by line; no stranger can know it. */
const MARK = crypto.randomUUID();

/** What is within quotes, what is a number, and what is a member or nothing at all. */
const MARKED = new RegExp(`${MARK}s(\\d+)|"${MARK}n(\\d+)"|,"\\w+":"${MARK}m(\\d+)"`);

/** The pieces of a JSON line: the object with marks in it, and what the marks stand for. */
export function jsonPieces(reply: Reply): readonly Piece[] {
  const marked: Exclude<Piece, string>[] = [];
  const mark = (kind: "s" | "n" | "m", piece: Exclude<Piece, string>) =>
    `${MARK}${kind}${marked.push(piece) - 1}`;
  const member = (name: string, value: (location: Location | undefined) => unknown) =>
    mark("m", { place: (location) => memberText(name, value(location)) });
  const { edns } = reply.context, { selections } = reply.answer, members = jsonMembers(reply);
  const text = ascii(JSON.stringify({
    ...members,
    time: mark("s", { hole: HOLE.TIME }),
    remote: mark("s", { hole: HOLE.ADDRESS }),
    remotePort: mark("n", { hole: HOLE.PORT }),
    id: mark("n", { hole: HOLE.ID }),
    name: mark("s", { hole: HOLE.NAME_IN_JSON }),
    sizeOctets: mark("n", { hole: HOLE.SIZE }),
    payloadSizeOctets: edns && mark("n", { hole: HOLE.PAYLOAD }),
    replyOctets: mark("n", { hole: HOLE.REPLY_SIZE }),
    ecs: edns?.clientSubnet && mark("s", { hole: HOLE.SUBNET }),
    location: members.location && member("location", locationValue),
    selections: selections?.map((one) => ({
      ...one,
      distanceKm: member("distanceKm", (location) => distanceKm(one, location)),
    })),
  }));
  const parts = text.split(MARKED).filter((part) => part !== undefined);
  // A split by marks has text and the numbers of marks by turns.
  return [...parts.map((part, i) => i % 2 === 0 ? part : marked[Number(part)]!), "\n"];
}

/** As it stands in an object after other members; nothing where there is no value. */
function memberText(name: string, value: unknown): string {
  return value === undefined ? "" : `,"${name}":${ascii(JSON.stringify(value))}`;
}
