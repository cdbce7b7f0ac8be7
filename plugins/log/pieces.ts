/**
 * What stands in the lines for one reply that is repeated, and what changes from one to the next: the client, the ID, the
 * name in what does not exist, where the client is. The rest is worked out once.
 *
 * @module
 */

import type { Selection } from "../../core/plugin.ts";
import { aloneDistance, chosenText, distanceText, FIELDS, NONE, type Part, PREFIX } from "./format.ts";
import { ascii, jsonMembers } from "./json.ts";
import { distanceKm, type Reply } from "./reply.ts";

/**
 * What stands in the query, is counted of it, or follows from where the client is. Addresses are in brackets (`remote`) or
 * without (`address`); a distance is `12`, `, 12 km` or a member of JSON, as a location is one or text.
 */
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
  LOCATION: 12,
  LOCATION_IN_JSON: 13,
  KM: 14,
  KM_ALONE: 15,
  KM_IN_JSON: 16,
  SCOPE: 17,
});

/** Text that stands, or what takes its place line by line. */
export type Piece = string | Hole;

/** See {@linkcode HOLE}; with the selection whose distance is told. */
export interface Hole {
  readonly hole: number;
  readonly selection?: Selection;
}

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
  const { edns } = reply.context, { selections = [] } = reply.answer;
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
    case "scope":
      return [{ hole: HOLE.SCOPE }];
    case "location":
      return [{ hole: HOLE.LOCATION }];
    case "distance":
      return selections.length === 0 ? [NONE] : selections.flatMap((one, i) => [
        i > 0 ? "; " : "",
        distancePiece(one, HOLE.KM, distanceText),
      ]);
    case "selections":
      return selections.length === 0 ? [] : [
        " ",
        ...selections.flatMap((one, i): readonly Piece[] => [
          (i > 0 ? "); " : "") + chosenText(one),
          distancePiece(one, HOLE.KM_ALONE, aloneDistance),
        ]),
        "; ",
        { hole: HOLE.LOCATION },
        "; ",
        ...edns?.clientSubnet ? [{ hole: HOLE.SUBNET }, " → "] : [],
        "/",
        { hole: HOLE.SCOPE },
        ")",
      ];
    default:
      return asIs(field, reply);
  }
}

/** A distance that is another one elsewhere, or as it stands for all who are given the reply. */
function distancePiece(
  selection: Selection,
  hole: number,
  text: (selection: Selection, location: undefined) => string,
): Piece {
  return selection.distanceKmFrom ? { hole, selection } : text(selection, undefined);
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
  const marked: Hole[] = [];
  const mark = (kind: "s" | "n" | "m", hole: number, selection?: Selection) =>
    `${MARK}${kind}${marked.push(selection ? { hole, selection } : { hole }) - 1}`;
  const { edns } = reply.context, { selections } = reply.answer, members = jsonMembers(reply);
  const text = ascii(JSON.stringify({
    ...members,
    time: mark("s", HOLE.TIME),
    remote: mark("s", HOLE.ADDRESS),
    remotePort: mark("n", HOLE.PORT),
    id: mark("n", HOLE.ID),
    name: mark("s", HOLE.NAME_IN_JSON),
    sizeOctets: mark("n", HOLE.SIZE),
    payloadSizeOctets: edns && mark("n", HOLE.PAYLOAD),
    replyOctets: mark("n", HOLE.REPLY_SIZE),
    ecs: edns?.clientSubnet && mark("s", HOLE.SUBNET),
    scopePrefixLength: mark("n", HOLE.SCOPE),
    location: members.location && mark("m", HOLE.LOCATION_IN_JSON),
    selections: selections?.map((one) => ({
      ...one,
      distanceKm: one.distanceKmFrom ? mark("m", HOLE.KM_IN_JSON, one) : distanceKm(one, undefined),
    })),
  }));
  const parts = text.split(MARKED).filter((part) => part !== undefined);
  // A split by marks has text and the numbers of marks by turns.
  return [...parts.map((part, i) => i % 2 === 0 ? part : marked[Number(part)]!), "\n"];
}
