/**
 * What looks at changes that people make by other ways than the interface in which critical ones wait for a second person:
 * there nobody can be told to wait, and they are refused.
 *
 * @module
 */

import type { Ledger } from "../state/ledger.ts";
import type { Condition, Write } from "../state/store.ts";

/** What goes into the same transaction, so that of two changes at once one is looked at again. */
export interface Guarded {
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
}

/** Looks at a change. @param actor As the audit log has it. @throws {AccessError} It would have to wait. */
export type ChangeGuard = (actor: string, writes: readonly Write[]) => Promise<Guarded>;

/** A ledger that asks the guard of now, where there is one, before each change. */
export function guardedLedger(
  member: { readonly ledger: Pick<Ledger, "write">; readonly guard: ChangeGuard | undefined },
): Pick<Ledger, "write"> {
  return {
    async write(events, writes, conditions = []) {
      const more = await member.guard?.(events[0]!.actor, writes);
      return await member.ledger.write(
        events,
        [...writes, ...more?.writes ?? []],
        [...conditions, ...more?.conditions ?? []],
      );
    },
  };
}
