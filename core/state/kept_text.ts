/**
 * What is kept of a replica, as text.
 *
 * @module
 */

import type { Kept } from "./replica.ts";

/** How much of what is kept is made text at a time, characters: less than half a millisecond's worth. */
const PIECE = 65_536;

/** What is kept as JSON, a piece at a time: of thousands of nodes it has megabytes. */
export function* keptPieces({ confirmedMs, revision, entries }: Kept): Generator<string> {
  let piece = `{"confirmedMs":${JSON.stringify(confirmedMs)},"revision":${
    JSON.stringify(revision)
  },"entries":[`;
  let separator = "";
  for (const entry of entries) {
    piece += separator + JSON.stringify(entry);
    separator = ",";
    if (piece.length < PIECE) continue;
    yield piece;
    piece = "";
  }
  yield `${piece}]}`;
}
