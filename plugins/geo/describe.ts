/**
 * A location in words.
 *
 * @module
 */

import type { Location } from "../../core/fleet/place.ts";
import { formatPrefix } from "../../core/plugin.ts";

/** A location as a person reads it: `192.0.2.0/24, FR 48.86 2.35, city precision, from …`. */
export function describeLocation({ network, place, precision, source, special }: Location): string {
  const where = formatPrefix(network);
  if (!place) {
    return special ? `${where}, special-purpose (${source}), without a place` : `${where}, no place known`;
  }
  const { country, subdivision, latitude, longitude } = place;
  const area = [country, subdivision].filter((text) => text !== "").join(" ");
  const point = `${latitude.toFixed(2)} ${longitude.toFixed(2)}`;
  return `${where}, ${area === "" ? point : `${area}, ${point}`}, ${precision} precision, from ${source}`;
}
