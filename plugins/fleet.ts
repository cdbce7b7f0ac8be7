/**
 * The module that the fleet isolate runs: a server as a member of its fleet.
 *
 * @module
 */

import { runFleetIsolate } from "../core/membership/isolate.ts";

runFleetIsolate(self as unknown as Parameters<typeof runFleetIsolate>[0]);
