/**
 * forward: asks other name servers for what is not ours. Syntax and options: README.md.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import { isWithin, type Name, type PluginModule, type QueryContext } from "../../core/plugin.ts";
import { options, parseRule, type WrittenRule } from "./config.ts";
import { Forwarder, forwardInTurn } from "./forwarder.ts";
import { metrics } from "./metrics.ts";
import { namesIn, resolveAll, type Resolved, withAddresses } from "./resolve.ts";
import { SYSTEM_SOCKETS } from "./sockets.ts";

export default {
  name: "forward",
  usage: "forward FROM TO...",
  options,
  metrics,
  // What it answers itself is true of one moment; `cache` says for how long it may be repeated.
  repeats: "absence",
  waits: true,
  parse: (directives, scope) =>
    directives.flatMap((directive) => scope.problems.attempt(() => parseRule(directive, scope)) ?? []),
  answersAll: (rules, zone) => rules.some((rule) => coversAll(rule, zone)),
  async start(rules, { clock, probing, log, publish }) {
    if (namesIn(rules).length === 0) return;
    try {
      publish(await resolveAll(rules, { clock, sockets: SYSTEM_SOCKETS }));
    } catch (error) {
      if (probing) throw error;
      log.warn((error as Error).message);
    }
  },
  answerer(rules, scope) {
    const isWhole = namesIn(rules).length === 0;
    const make = (resolved: Resolved) =>
      rules.map((rule) =>
        scope.own(new Forwarder(withAddresses(rule, resolved), { ...scope, sockets: SYSTEM_SOCKETS }))
      );
    let forwarders: readonly Forwarder[] | undefined;
    const forwardersFor = ({ snapshot }: QueryContext) => {
      const resolved = scope.published(snapshot) as Resolved | undefined;
      // Before the names are resolved, a query that only asks ourselves may come.
      return resolved || isWhole ? forwarders ??= make(resolved ?? {}) : make({});
    };
    return {
      name: "forward",
      answer(context, next) {
        const numbers = isTransfer(context.question.type) ? [] : rulesFor(context.name, rules);
        if (numbers.length === 0) return next(context);
        const all = forwardersFor(context);
        return forwardInTurn(numbers.map((number) => all[number]!), context);
      },
    };
  },
} satisfies PluginModule<readonly WrittenRule[]>;

/** The numbers of the rules that cover a folded name, in the order of the file. */
export function rulesFor(name: Name, rules: readonly WrittenRule[]): number[] {
  return rules.flatMap(({ from, except }, number) =>
    from.some((covered) => isWithin(name, covered)) && !except.some((excepted) => isWithin(name, excepted))
      ? number
      : []
  );
}

/** Whether every name of a zone is forwarded. */
function coversAll({ from, except }: WrittenRule, zone: Name): boolean {
  return from.some((covered) => isWithin(zone, covered)) &&
    !except.some((excepted) => isWithin(excepted, zone) || isWithin(zone, excepted));
}

/** A zone transfer is many messages, between servers that know each other. */
function isTransfer(type: number): boolean {
  return type === TYPE.AXFR || type === TYPE.IXFR;
}
