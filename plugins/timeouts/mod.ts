/** timeouts: how long TCP clients may take, and how much. Syntax: README.md. @module */

import {
  Arguments,
  CorefileError,
  type Directive,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  readOptions,
  type SocketLimits,
} from "../../core/plugin.ts";

/** A second and a day, as CoreDNS has it. */
const DURATION = { min: 1000, max: 86_400_000 };

const duration = (args: Arguments) => args.durationMs("DURATION", DURATION);

/** A number from 1 on, or -1 for as many as one likes. */
function maximum(args: Arguments): number {
  const token = args.token("MAXIMUM");
  if (token.text === "-1") return Infinity;
  if (/^\d{1,9}$/.test(token.text) && Number(token.text) >= 1) return Number(token.text);
  throw new CorefileError(
    token,
    `${args.directive.name.text}: MAXIMUM must be a whole number from 1 on, or -1 for no limit: got '${token.text}'`,
  );
}

/** File descriptors have a limit, and so must whatever takes one. */
function limit(args: Arguments): number {
  const token = args.peek() ?? args.directive.name, value = maximum(args);
  if (value < Infinity) return value;
  throw new CorefileError(
    token,
    `${args.directive.name.text}: MAXIMUM must have a limit: got '${token.text}'`,
  );
}

const options = {
  read: { usage: "read DURATION", read: duration },
  write: { usage: "write DURATION", read: duration },
  idle: { usage: "idle DURATION", read: duration },
  maxtcpqueries: { usage: "maxtcpqueries MAXIMUM", read: maximum },
  maxtcpconnections: { usage: "maxtcpconnections MAXIMUM", read: limit },
  maxtcpperaddress: { usage: "maxtcpperaddress MAXIMUM", read: maximum },
  maxtcppernetwork: { usage: "maxtcppernetwork MAXIMUM", read: maximum },
} satisfies Options;

/** What each option sets. */
const LIMITS = {
  read: "readMs",
  write: "writeMs",
  idle: "idleMs",
  maxtcpqueries: "queriesMax",
  maxtcpconnections: "connectionsMax",
  maxtcpperaddress: "connectionsPerAddressMax",
  maxtcppernetwork: "connectionsPerNetworkMax",
} as const satisfies Record<keyof typeof options, keyof SocketLimits>;

export default {
  name: "timeouts",
  usage: "timeouts",
  options,
  parse,
  limits: (config) => config,
} satisfies PluginModule<SocketLimits>;

/** Reads `timeouts { ... }`. */
function parse(directives: readonly Directive[], { problems }: ParseScope): SocketLimits {
  const directive = onlyOne(directives, problems);
  new Arguments(directive).end();
  const read = readOptions(directive, options, problems);
  if (!directive.block?.length) {
    problems.error(
      directive.name,
      `timeouts: wants a block that sets one of ${Object.keys(options).join(", ")}`,
    );
  }
  return Object.fromEntries(
    Object.entries(read).map(([option, limit]) => [LIMITS[option as keyof typeof LIMITS], limit]),
  );
}
