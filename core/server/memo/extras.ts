/**
 * What is kept of a remembered reply beside its octets, where there is any: whom to ask and to tell when it is repeated, and
 * for which names it does not stand.
 *
 * @module
 */

import {
  type Gate,
  type Plugin,
  PluginFault,
  type RepeatedCookies,
  type Repeater,
  type Skips,
} from "../../chain.ts";
import type { NameSet } from "../../dns/name_set.ts";
import type { RepeatedQuery } from "../../query.ts";
import type { Repeatable } from "../exchange.ts";
import type { TellFault } from "../faults.ts";

/** See the module. */
export interface Extra {
  readonly gates: readonly Gate[];
  /** What answers the COOKIE option of each query, and where the data of the reply's begins, from the question's end. */
  readonly cookies: RepeatedCookies | undefined;
  readonly cookieAt: number;
  readonly repeaters: readonly Repeater[];
  /** Plugins that want to hear of each reply with a whole context. */
  readonly observers: readonly Plugin[];
  /** Only where there are such. */
  readonly repeatable: Repeatable | undefined;
  /** Hashes of next closer names for which it does not stand. */
  readonly existing: NameSet | undefined;
  readonly exceptions: Int32Array;
  /** Since when its TTLs are counted down; undefined = they are not. */
  readonly agingSinceMs: number | undefined;
}

/** The extras, numbered from 1 on; one that several replies have has one number. */
export class Extras {
  readonly #all: (Extra | undefined)[] = [undefined];
  /** Of those that do nothing but tell one plugin of some queries: how many of them it leaves out. */
  readonly #skips: (Skips | undefined)[] = [undefined];
  /** How many replies have each. */
  readonly #uses: number[] = [0];
  readonly #numbers = new Map<Extra, number>();
  readonly #free: number[] = [];

  get(number: number): Extra {
    return this.#all[number]!;
  }

  /** What is to be done for a query that gets the reply, told from little: most of what is sampled is left out here. */
  due(number: number): Extra | undefined {
    const skips = this.#skips[number];
    if (skips === undefined || !(skips.left > 0)) return this.#all[number];
    skips.left--;
    return undefined;
  }

  add(extra: Extra): number {
    let number = this.#numbers.get(extra);
    if (number === undefined) {
      number = this.#free.pop() ?? this.#all.length;
      this.#numbers.set(extra, number);
      this.#all[number] = extra;
      this.#skips[number] = skipsOf(extra);
      this.#uses[number] = 0;
    }
    this.#uses[number]!++;
    return number;
  }

  /** For a reply that has had it. */
  remove(number: number): void {
    if (number === 0 || --this.#uses[number]! > 0) return;
    this.#numbers.delete(this.#all[number]!);
    this.#all[number] = this.#skips[number] = undefined;
    this.#free.push(number);
  }
}

function skipsOf({ gates, cookies, repeaters, observers, agingSinceMs }: Extra): Skips | undefined {
  const isMore = gates.length + observers.length > 0 || cookies !== undefined || agingSinceMs !== undefined;
  return isMore || repeaters.length !== 1 ? undefined : repeaters[0]!.skips;
}

const NO_EXCEPTIONS = new Int32Array(0);
const NOBODY: readonly never[] = [];

/**
 * What is to be kept of a reply; undefined = nothing, null = it cannot be repeated. `cookieAt` is where the data of its COOKIE
 * option begins, 0 without one.
 *
 * @throws {PluginFault} When a plugin throws that is asked for it.
 */
export function extraOf(
  repeatable: Repeatable,
  absence: Pick<Extra, "existing" | "exceptions"> | undefined,
  cookieAt: number,
): Extra | undefined | null {
  const { context, answer, sent, block, fault } = repeatable;
  const cookies = cookieAt > 0 && asked(block.cookies!, () => block.cookies!.cookies!(context)) || undefined;
  if (cookieAt > 0 && !cookies) return null;
  if (!cookies && !answer.aging && block.observers.length === 0 && !block.gated?.length) {
    return absence && absenceAlone(absence);
  }
  const gates = (block.gated ?? []).flatMap((plugin) => {
    const gate = asked(plugin, () => plugin.gate!(context));
    return gate ? heldGate(plugin, gate, fault) : [];
  });
  const heard = block.observers.map((plugin) => {
    const repeater = asked(plugin, () => plugin.repeater?.(context, answer, sent));
    return repeater ? heldRepeater(plugin, repeater, fault) : plugin;
  });
  const [first] = heard;
  if (
    typeof first === "function" && heard.length === 1 && !gates.length && !absence && !cookies &&
    !answer.aging
  ) {
    return toldAlone(first);
  }
  const repeaters = heard.filter((one) => typeof one === "function");
  const observers = heard.filter((one) => typeof one !== "function");
  const agingSinceMs = answer.aging && (answer.aging.sinceMs ?? context.nowMs);
  const { existing, exceptions } = absence ?? { existing: undefined, exceptions: NO_EXCEPTIONS };
  if (gates.length + heard.length === 0 && !absence && !cookies && agingSinceMs === undefined) {
    return undefined;
  }
  return {
    gates,
    cookies,
    cookieAt,
    repeaters,
    observers,
    repeatable: observers.length > 0 ? repeatable : undefined,
    existing,
    exceptions,
    agingSinceMs,
  };
}

let latestAbsence: Extra | undefined;

/** What is kept of a reply for names that are not there; one for all replies for which it is the same. */
function absenceAlone({ existing, exceptions }: Pick<Extra, "existing" | "exceptions">): Extra {
  if (latestAbsence?.existing === existing && latestAbsence?.exceptions === exceptions) return latestAbsence;
  return latestAbsence = {
    gates: NOBODY,
    cookies: undefined,
    cookieAt: 0,
    repeaters: NOBODY,
    observers: NOBODY,
    repeatable: undefined,
    existing,
    exceptions,
    agingSinceMs: undefined,
  };
}

const toldOnly = new WeakMap<Repeater, Extra>();

/** What is kept of a reply of which somebody is told, and nothing else: one for all of which the same is told. */
function toldAlone(repeater: Repeater): Extra {
  let extra = toldOnly.get(repeater);
  if (!extra) {
    extra = {
      gates: NOBODY,
      cookies: undefined,
      cookieAt: 0,
      repeaters: [repeater],
      observers: NOBODY,
      repeatable: undefined,
      existing: undefined,
      exceptions: NO_EXCEPTIONS,
      agingSinceMs: undefined,
    };
    toldOnly.set(repeater, extra);
  }
  return extra;
}

function asked<T>(plugin: Plugin, ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    throw new PluginFault(plugin.name, error);
  }
}

/** One that throws lets nobody through: the chain is asked. */
function heldGate({ name }: Plugin, gate: Gate, fault: TellFault): Gate {
  return (source, nowMs, cookie) => {
    try {
      return gate(source, nowMs, cookie);
    } catch (error) {
      fault(name, "its gate threw, the chain is asked", error);
      return false;
    }
  };
}

const heldLately = new WeakMap<Repeater, { readonly fault: TellFault; readonly held: Repeater }>();

/** The reply goes out whatever the plugin makes of it; the same function for the same one. */
function heldRepeater({ name }: Plugin, repeater: Repeater, fault: TellFault): Repeater {
  const known = heldLately.get(repeater);
  if (known?.fault === fault) return known.held;
  const told = (query: RepeatedQuery) => {
    try {
      repeater(query);
    } catch (error) {
      fault(name, "hearing of a repeated reply", error);
    }
  };
  const { skips } = repeater, held: Repeater = skips ? Object.assign(told, { skips }) : told;
  heldLately.set(repeater, { fault, held });
  return held;
}
