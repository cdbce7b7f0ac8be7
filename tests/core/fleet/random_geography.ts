/**
 * Geographies by chance: many leaves at few places, so that each thing that leaves have in common is met again elsewhere.
 *
 * @module
 */

import fc from "fast-check";
import { geography, type PlaceText } from "./make.ts";
import { randomPlace } from "./random_fleet.ts";

const LEAVES_OF_A_FAMILY = 64;

/** For each leaf the number of a place; 0 none, and beyond the places a special-purpose block. */
const placeIds = (places: number) =>
  fc.array(fc.nat(places + 1), { minLength: LEAVES_OF_A_FAMILY, maxLength: LEAVES_OF_A_FAMILY });

/** 64 leaves of each family, and, where wanted, IPv6 leaves longer than /64. */
export const randomGeography = ({ deep = false } = {}) =>
  fc.array(randomPlace, { minLength: 1, maxLength: 6 })
    .map((places) => places.filter((place): place is PlaceText => place !== undefined))
    .chain((places) => fc.tuple(fc.constant(places), placeIds(places.length), placeIds(places.length)))
    .map(([places, ids4, ids6]) => {
      const valueOf = (id: number) => id > places.length ? "special" : id;
      return geography(
        places,
        Object.fromEntries([
          ...ids4.map((id, i) => [`${i * 4}.0.0.0/6`, valueOf(id)]),
          ...ids6.map((id, i) => [`${(i * 4).toString(16)}00::/6`, valueOf(id)]),
          ...deep ? [["2400::1:0:0:0/80", valueOf(ids6[9]!)], ["2400:0:0:1::/128", valueOf(ids6[3]!)]] : [],
        ]),
      );
    });
