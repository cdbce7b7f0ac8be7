/**
 * A zone that the servers of a fleet share, as each of them knows it.
 *
 * @module
 */

import type { Name } from "../dns/name.ts";
import type { PackedZone } from "./packed_zone.ts";

/** Plain data. */
export interface SharedZone {
  /** Folded. */
  readonly origin: Name;
  /** The last that was sound; absent where none was since this process began. */
  readonly zone?: PackedZone;
  /** Of that; 0 where there is none. */
  readonly serial: number;
  /**
   * Of that as well: another one for a zone that was made anew, whose serials begin anew too. With the serial it tells what
   * is in the zone.
   */
  readonly generation?: string;
  /** What is wrong with what the fleet has now; absent = that is what stands above. */
  readonly refused?: string;
}
