/**
 * forward: asks other name servers for what is not ours. Syntax and options: README.md.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import { isWithin, type Name, type PluginModule } from "../../core/plugin.ts";
import { type ForwardRule, options, parseRule } from "./config.ts";
import { Forwarder } from "./forwarder.ts";
import { SYSTEM_SOCKETS } from "./transport.ts";

export default {
  name: "forward",
  usage: "forward FROM TO...",
  options,
  waits: true,
  parse: (directives, scope) =>
    directives.flatMap((directive) => scope.problems.attempt(() => parseRule(directive, scope)) ?? []),
  answersAll: (rules, zone) => rules.some((rule) => coversAll(rule, zone)),
  answerer(rules, scope) {
    const forwarders = rules.map((rule) =>
      scope.own(new Forwarder(rule, { ...scope, sockets: SYSTEM_SOCKETS }))
    );
    return {
      name: "forward",
      answer(context, next) {
        const number = isTransfer(context.question.type) ? -1 : ruleFor(context.name, rules);
        return number < 0 ? next(context) : forwarders[number]!.answer(context);
      },
    };
  },
} satisfies PluginModule<readonly ForwardRule[]>;

/** The number of the first rule that covers a folded name, or −1. */
export function ruleFor(name: Name, rules: readonly ForwardRule[]): number {
  return rules.findIndex(({ from, except }) =>
    from.some((covered) => isWithin(name, covered)) && !except.some((excepted) => isWithin(name, excepted))
  );
}

/** Whether every name of a zone is forwarded. */
function coversAll({ from, except }: ForwardRule, zone: Name): boolean {
  return from.some((covered) => isWithin(zone, covered)) &&
    !except.some((excepted) => isWithin(excepted, zone) || isWithin(zone, excepted));
}

/** A zone transfer is many messages, between servers that know each other. */
function isTransfer(type: number): boolean {
  return type === TYPE.AXFR || type === TYPE.IXFR;
}
