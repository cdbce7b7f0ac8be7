/**
 * bind: the addresses that a server block listens on. Syntax: README.md.
 *
 * @module
 */

import {
  Arguments,
  CorefileError,
  type Directive,
  type Options,
  parseAddress,
  type ParseScope,
  type PluginModule,
  readOptions,
  type Token,
} from "../../core/plugin.ts";

/** Each an address or the name of an interface, behind it what to leave out of that, after a `!` each. */
export interface BindConfig {
  readonly hosts: readonly string[];
}

const options = {
  except: {
    usage: "except ADDRESS|IFACE...",
    repeats: true,
    read: (args) => [args.token("ADDRESS or IFACE"), ...args.rest()].map(readHost),
  },
} satisfies Options;

export default {
  name: "bind",
  usage: "bind ADDRESS|IFACE...",
  options,
  parse: (directives, scope) => ({
    hosts: directives.flatMap((directive) => scope.problems.attempt(() => parse(directive, scope)) ?? []),
  }),
  listenOn: ({ hosts }) => hosts,
} satisfies PluginModule<BindConfig>;

/** Reads one `bind`. Whether an interface exists is found out when listening: it may come later. */
function parse(directive: Directive, { problems }: ParseScope): string[] {
  const args = new Arguments(directive);
  const hosts = [args.token("ADDRESS or IFACE"), ...args.rest()]
    .flatMap((token) => problems.attempt(() => readHost(token)) ?? []);
  const { except = [] } = readOptions(directive, options, problems);
  const left = except.flat().filter((host) => host !== undefined);
  return hosts.map((host) => [host, ...left].join("!"));
}

/** RFC 4007 section 11: what follows the `%` of a link-local address is the name of an interface. */
function readHost(token: Token): string {
  const [address, zone] = token.text.split("%");
  if (parseAddress(address!) || (zone === undefined && isInterfaceName(token.text))) return token.text;
  throw new CorefileError(
    token,
    `bind: ADDRESS or IFACE must be an IP address or the name of an interface: got '${token.text}'`,
  );
}

/** Linux takes up to 15 octets with neither `/` nor blanks; one of digits, dots and colons is a mistyped address. */
function isInterfaceName(text: string): boolean {
  return /^[^\s/!:%]{1,15}$/.test(text) && !/^[\d.]+$/.test(text);
}
