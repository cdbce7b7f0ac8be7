/**
 * How everything is changed: planned on what is there, written with its record and its answer in one transaction, and
 * planned anew when somebody else was faster.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { AuditEvent } from "../state/audit.ts";
import type { Rest } from "../state/audit_log.ts";
import type { Json } from "../state/canonical.ts";
import type { Ledger, Recorded } from "../state/ledger.ts";
import type { Condition, Store, Write } from "../state/store.ts";
import { names } from "./etag.ts";
import { answeredBefore, keeping, type Repeatable } from "./idempotency.ts";
import { changeAt } from "./last_change.ts";
import { ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";

/** What operations work with. */
export interface Management {
  readonly store: Store;
  readonly ledger: Pick<Ledger, "write">;
  readonly clock: Clock;
  /** An id that nobody else has: letters and digits, the same number of them each time. */
  readonly newId: () => string;
  /** Where lists and single things are read; the store itself, unless it is said. Changes are planned on the store. */
  readonly reader?: Reader;
  /** Lets others have a turn, where something takes long; absent = nobody else is there. */
  readonly rest?: Rest;
}

/** Who asks for a change, why, and under which conditions. */
export interface Asking {
  /** As the audit log has it. */
  readonly actor: string;
  readonly reason?: string;
  /** The request's id. */
  readonly cause?: string;
  /** Fields of HTTP: what is there has to be this, or must not. */
  readonly ifMatch?: string;
  readonly ifNoneMatch?: string;
  readonly idempotencyKey?: string;
}

/** What is to be done. */
export interface Plan {
  readonly events: readonly AuditEvent[];
  /** None = nothing is different, and nothing is recorded. */
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
  readonly status: 200 | 201 | 204;
  readonly value?: Json;
  /** Where there are no writes: at which it was written that is there. */
  readonly revision?: number;
}

/** What was done. */
export interface Changed {
  /** Of HTTP. */
  readonly status: number;
  readonly value?: Json;
  /** At which it was written. */
  readonly revision: number;
}

/** So often a change is planned anew. */
const ATTEMPTS = 16;

/**
 * Changes something.
 *
 * @param operation What is asked for, and all that it depends on.
 * @param plan Looks at what is there, and says what is to be written; throws ProblemError where that cannot be.
 * @throws {ProblemError}
 * @throws {StoreUnavailableError} Whether it was done is not known.
 */
export async function change(
  management: Management,
  asking: Asking,
  operation: Json,
  plan: () => Promise<Plan>,
): Promise<Changed> {
  const { store, ledger, clock } = management, { actor, idempotencyKey } = asking;
  const repeatable: Repeatable | undefined = idempotencyKey === undefined
    ? undefined
    : { actor, key: idempotencyKey, asked: operation };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = repeatable && await answeredBefore(store, repeatable, clock.nowMs());
    if (before) return before;
    const { events, writes, conditions, status, value, revision = 0 } = await plan();
    const answer = { status, ...value !== undefined && { value } };
    if (writes.length === 0) return { ...answer, revision };
    const kept = repeatable && await keeping(store, repeatable, answer, clock.nowMs());
    const done = await writeOrRefuse(
      ledger,
      events,
      kept ? [...writes, kept.write] : writes,
      kept ? [...conditions, kept.condition] : conditions,
    );
    if (done.succeeded) return { ...answer, revision: done.revision };
  }
  throw new ProblemError("conflict", `others changed it ${ATTEMPTS} times meanwhile: ask again`);
}

/** What no transaction can hold is too much that was asked for. */
async function writeOrRefuse(
  ledger: Management["ledger"],
  ...change: Parameters<Ledger["write"]>
): Promise<Recorded> {
  try {
    return await ledger.write(...change);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ProblemError("too-large", error.message);
  }
}

/** The event of a change, as whoever asks for it wants it told. */
export function eventOf(
  { actor, reason, cause }: Asking,
  action: string,
  subject: string,
  before?: Json,
  after?: Json,
): AuditEvent {
  return {
    ...{ actor, action, subject },
    ...reason !== undefined && { reason },
    ...before !== undefined && { before },
    ...after !== undefined && { after },
    ...cause !== undefined && { cause },
  };
}

/**
 * Holds a request's conditions against what is there: `revision` of its last write, 0 = it is not there.
 *
 * @throws {ProblemError} `changed`, with who changed it.
 */
export async function checkConditions(
  reader: Reader,
  { ifMatch, ifNoneMatch }: Asking,
  revision: number,
  subject: string,
): Promise<void> {
  const isOther = ifMatch !== undefined && !names(ifMatch, revision);
  const isThere = ifNoneMatch !== undefined && names(ifNoneMatch, revision);
  if (!isOther && !isThere) return;
  const changed = revision > 0 ? await changeAt(reader, revision, subject) : undefined;
  const who = changed ? `: ${changed.actor} changed it at ${changed.at}` : "";
  const what = revision > 0 ? `${subject} is "${revision}" now` : `${subject} is not there`;
  throw new ProblemError("changed", what + who, changed && { changed });
}
