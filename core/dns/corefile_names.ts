/**
 * Names in a Corefile.
 *
 * @module
 */

import type { Arguments } from "../corefile/arguments.ts";
import { CorefileError, Problems, type Token } from "../corefile/directive.ts";
import { parseKey } from "../corefile/keys.ts";
import { fold, type Name, parseName } from "./name.ts";

/**
 * The names that a word stands for, folded: one, or the reverse zones of a network such as `10.0.0.0/8`. As in the key
 * of a server block, `dns://` and a port are taken, and mean nothing.
 *
 * @throws {CorefileError} When it is neither a name nor a network.
 */
export function readNames(token: Token, problems: Problems): Name[] {
  return parseKey(token, { port: 53 }, problems).map(({ zone }) => nameOf(zone, token));
}

/** The one name that a word is, folded. @throws {CorefileError} At the word, when it is none. */
export function readName(token: Token): Name {
  return nameOf(token.text, token);
}

function nameOf(text: string, token: Token): Name {
  try {
    return fold(parseName(text));
  } catch (error) {
    throw new CorefileError(token, (error as Error).message);
  }
}

/** `[ZONES...]`: the names that all words left stand for. @throws {CorefileError} As {@linkcode readNames}. */
export function readZones(args: Arguments): Name[] {
  return args.rest().flatMap((token) => readNames(token, new Problems()));
}
