/**
 * Which programs and plugins a configuration that came over the network may run: those that the disk of the server itself
 * lists. Whoever may change a configuration must not thereby run code of theirs.
 *
 * @module
 */

import type { Corefile, Directive, Token } from "../corefile/directive.ts";
import { CorefileError } from "../corefile/directive.ts";

/** Global options that are for the server's own disk to say, so that no configuration allows itself something. */
export const OWN_OPTIONS: readonly string[] = [
  "allow-exec",
  "configuration",
  "control",
  "server",
  "state",
];

/**
 * What a distributed configuration asks for that the server's own disk does not allow: `check … exec PATH`, the global option
 * `plugin PATH`, and options of {@linkcode OWN_OPTIONS}.
 *
 * @param allowed Whole paths, as `allow-exec` in the Corefile on the disk has them.
 */
export function refusedPrograms(corefile: Corefile, allowed: readonly string[]): CorefileError[] {
  return [
    ...corefile.globals.flatMap((option) => refusedOption(option, allowed)),
    ...corefile.blocks.flatMap(({ directives }) => directives.flatMap((one) => refusedChecks(one, allowed))),
  ];
}

function refusedOption({ name, args }: Directive, allowed: readonly string[]): CorefileError[] {
  if (OWN_OPTIONS.includes(name.text)) {
    return [new CorefileError(name, `${name.text}: is for the Corefile on a server's own disk to say`)];
  }
  return name.text === "plugin" ? refused("plugin", name, args[0], allowed) : [];
}

/** Whatever looks like a check that runs something, wherever it stands. */
function refusedChecks({ name, args, block = [] }: Directive, allowed: readonly string[]): CorefileError[] {
  const inside = block.flatMap((line) => refusedChecks(line, allowed));
  if (name.text !== "check") return inside;
  // The kind comes first, or behind a name.
  const at = args.slice(0, 2).findIndex(({ text }) => text === "exec");
  return at < 0 ? inside : [...inside, ...refused("exec", args[at]!, args[at + 1], allowed)];
}

function refused(
  what: string,
  at: Token,
  path: Token | undefined,
  allowed: readonly string[],
): CorefileError[] {
  if (!path) return [];
  // A relative one is another file in another folder.
  const isWhole = path.text.startsWith("/");
  if (isWhole && allowed.includes(path.text)) return [];
  const why = isWhole ? `allow-exec does not list '${path.text}'` : `wanted a whole path, got '${path.text}'`;
  return [
    new CorefileError(
      path.at ?? at,
      `${what}: ${why}: in a distributed configuration only what it lists is run`,
    ),
  ];
}
