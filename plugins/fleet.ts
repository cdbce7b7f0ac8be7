/**
 * The module that the fleet isolate runs: a server as a member of its fleet, and what plugins do there.
 *
 * @module
 */

import type { FleetHalves } from "../core/membership/fleet_half.ts";
import { runFleetIsolate } from "../core/membership/isolate.ts";

const halves: FleetHalves = {
  api: new URL("./api/fleet.ts", import.meta.url),
  formation: new URL("./formation/fleet.ts", import.meta.url),
};

runFleetIsolate(self as unknown as Parameters<typeof runFleetIsolate>[0], halves);
