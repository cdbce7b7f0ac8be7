/** What every kind of check has in common. @module */

import type { Check } from "../check.ts";

/** What one kind of check does: returns the reason for a success, throws the reason for a failure. */
export type Attempt<C extends Check = Check> = (
  address: string,
  check: C,
  signal: AbortSignal,
) => Promise<{ readonly reason: string; readonly latencyMs?: number }>;

/** A failure of this machine rather than of the target. */
export class LocalFault extends Error {}
