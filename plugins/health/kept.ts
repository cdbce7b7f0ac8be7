/**
 * What is kept of every target across restarts: one JSON file, written whole or not at all.
 *
 * @module
 */

import type { TargetKey } from "../../core/fleet/verdict.ts";
import type { Log } from "../../core/plugin.ts";
import { type TargetState, unknownState } from "./state.ts";

const VERSION = 1;

/** The states by target that `path` holds; none when there is no such file, or, loudly, when it makes no sense. */
export function readKept(path: string, log: Log): Map<TargetKey, TargetState> {
  try {
    return parseKept(Deno.readTextFileSync(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      log.error(`health: cannot use ${path}, all targets start as unknown: ${(error as Error).message}`);
    }
    return new Map();
  }
}

/** Replaces the file. @throws When the folder cannot be written. */
export async function writeKept(path: string, states: ReadonlyMap<TargetKey, TargetState>): Promise<void> {
  const beside = `${path}.${Deno.pid}.new`;
  await Deno.writeTextFile(beside, JSON.stringify({ version: VERSION, targets: Object.fromEntries(states) }));
  await Deno.rename(beside, path);
}

/** Reads the text of such a file. @throws {SyntaxError} When it is anything else. */
export function parseKept(text: string): Map<TargetKey, TargetState> {
  const kept = JSON.parse(text);
  if (kept?.version !== VERSION) throw new SyntaxError(`version must be ${VERSION}: got ${kept?.version}`);
  const entries = Object.entries(kept.targets ?? {});
  for (const [key, state] of entries) {
    if (!isTargetState(state)) throw new SyntaxError(`what is kept of "${key}" is no state of a target`);
  }
  return new Map(entries as [TargetKey, TargetState][]);
}

/** What one process tells the other of a target: its state, and when its next probe starts or the one under way did. */
export interface Handed {
  readonly state: TargetState;
  readonly probeMs: number;
}

/** The targets in what another process handed over; none where it is something else. */
export function readHanded(given: unknown): [TargetKey, Handed][] {
  const targets = (given as { targets?: unknown } | null | undefined)?.targets;
  if (typeof targets !== "object" || targets === null) return [];
  return Object.entries(targets as Record<string, Partial<Handed> | null>).filter((entry) => {
    const [, handed] = entry;
    return typeof handed?.probeMs === "number" && isTargetState(handed.state);
  }) as [TargetKey, Handed][];
}

/** By example: an unknown state has every field that any state has, with the right type. */
function isTargetState(value: unknown): value is TargetState {
  if (typeof value !== "object" || value === null) return false;
  const fields = value as Record<string, unknown>;
  const states: readonly unknown[] = ["up", "degraded", "down", "unknown"];
  return states.includes(fields.state) &&
    Object.entries(unknownState(0)).every(([name, example]) => typeof fields[name] === typeof example);
}
