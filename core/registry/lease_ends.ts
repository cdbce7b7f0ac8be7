/**
 * When leases end, in memory that every isolate sees: a heartbeat moves an end away, and whoever works out a deadline reads
 * there what it is by then. So nobody is told of a lease that goes on, however many there are.
 *
 *     LivenessView ─deadlines─> LeaseEnds ─cells─> addressDeadline(), in each isolate
 *                                   └─ what cells cannot say ─> news ─> snapshot
 *
 * Cells hold milliseconds since 1970. Each is written by one isolate, whole: a double that lies on a multiple of eight octets
 * is, on the processors that this runs on.
 *
 * @module
 */

import type { SharedEnd, TargetKey, ToldDeadline, VerdictDeadline } from "../fleet/verdict.ts";

/** How many ends lie in one piece of memory: pieces are added, and none is ever moved. */
const PIECE_CELLS = 1024;

/**
 * How much earlier an end is given than it is, at most. How clocks of servers differ becomes known better with each pulse
 * that comes faster, by milliseconds, and all that a server heard is then that much older: this much is no news.
 */
const EARLY_MS = 250;

/** The cell of one lease. */
interface Kept {
  readonly number: number;
  readonly end: SharedEnd;
  /** Whether what was told last leads to the cell. */
  isTold: boolean;
}

/** See the module. */
export class LeaseEnds {
  readonly #pieces: Float64Array[] = [];
  readonly #kept = new Map<TargetKey, Kept>();
  /** Numbers of cells that are free again; who was told of them last may look there for a moment. */
  readonly #spare: number[] = [];
  #count = 0;

  /** Takes a lease's deadline. @returns What is to be told of it; undefined = who knows the one before sees it. */
  take(target: TargetKey, deadline: VerdictDeadline): ToldDeadline | undefined {
    const kept = this.#kept.get(target) ?? this.#keep(target), { end: { cells, at } } = kept;
    const wasTold = kept.isTold, endMs = deadline.downMs, givenMs = endMs - EARLY_MS;
    kept.isTold = isHeld(deadline);
    if (!kept.isTold) return deadline;
    const isSound = wasTold && cells[at]! <= endMs;
    if (!isSound || givenMs > cells[at]!) cells[at] = givenMs;
    // What is given out by an end that comes sooner after all is to be taken back.
    return isSound ? undefined : { ...deadline, downMs: givenMs, changeMs: givenMs, end: kept.end };
  }

  /** A lease is no more. */
  drop(target: TargetKey): void {
    const kept = this.#kept.get(target);
    if (kept) this.#spare.push(kept.number);
    this.#kept.delete(target);
  }

  #keep(target: TargetKey): Kept {
    const number = this.#spare.shift() ?? this.#count++;
    const piece = Math.floor(number / PIECE_CELLS);
    const cells = this.#pieces[piece] ??= new Float64Array(new SharedArrayBuffer(8 * PIECE_CELLS));
    const kept = { number, end: { cells, at: number % PIECE_CELLS }, isTold: false };
    this.#kept.set(target, kept);
    return kept;
  }
}

/** Whether nothing is known of a lease but when it ends. */
function isHeld({ downMs, changeMs, steady }: VerdictDeadline): boolean {
  return steady && downMs === changeMs && Number.isFinite(downMs);
}
