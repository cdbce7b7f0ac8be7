/**
 * Files of weights: CoreDNS's format. A name stands alone on its line, below it an address with its weight on each.
 *
 * @module
 */

import type { Position } from "../../core/corefile/directive.ts";
import { atMost, lookAgain, readRegularTextFile, reasonOf, stampOf } from "../../core/files.ts";
import {
  type ControlScope,
  fold,
  formatAddress,
  type Name,
  parseAddress,
  parseName,
  Problems,
  type Token,
} from "../../core/plugin.ts";
import { formatPosition } from "../../core/corefile/directive.ts";

/** By owner name, folded, and by address in canonical text. Plain data. */
export type Weights = ReadonlyMap<Name, ReadonlyMap<string, number>>;

/** Where weights stand, and how often to look; 0 = once. */
export interface WeightsFile {
  readonly path: string;
  readonly reloadMs: number;
}

/** The weight of an address that the file does not have. */
export const DEFAULT_WEIGHT = 1;

const WEIGHT_MAX = 255;

const FILE_OCTETS_MAX = 16 * 2 ** 20;

/** Reads a file of weights; what is wrong goes to `problems`, with the position in the file. */
export function parseWeights(text: string, file: string, problems: Problems): Weights {
  const weights = new Map<Name, Map<string, number>>();
  let current: Map<string, number> | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const words = [...line.matchAll(/\S+/g)];
    const [first, second, third] = words;
    if (!first || first[0].startsWith("#")) continue;
    const at = (word: RegExpMatchArray): Position => ({ file, line: i + 1, column: word.index! + 1 });
    if (third) {
      problems.error(at(third), `found '${third[0]}': wanted a name alone, or an address and its weight`);
    } else if (!second) current = startName(first[0], at(first), weights, problems);
    else if (!current) {
      problems.error(at(first), `found '${first[0]}': wanted a name before the first address`);
    } else {addWeight(
        current,
        { text: first[0], at: at(first) },
        { text: second[0], at: at(second) },
        problems,
      );}
  }
  return weights;
}

interface Word {
  readonly text: string;
  readonly at: Position;
}

function startName(
  text: string,
  at: Position,
  weights: Map<Name, Map<string, number>>,
  problems: Problems,
): Map<string, number> {
  const own = new Map<string, number>();
  if (parseAddress(text)) {
    problems.error(at, `found the address '${text}' alone: wanted its weight behind it`);
    return own;
  }
  try {
    const name = fold(parseName(text));
    const known = weights.get(name) ?? own;
    weights.set(name, known);
    return known;
  } catch (error) {
    problems.error(at, (error as Error).message);
    return own;
  }
}

function addWeight(weights: Map<string, number>, address: Word, weight: Word, problems: Problems): void {
  const parsed = parseAddress(address.text), value = /^\d{1,3}$/.test(weight.text) ? Number(weight.text) : 0;
  if (!parsed) return problems.error(address.at, `found '${address.text}': wanted an IP address`);
  if (value < 1 || value > WEIGHT_MAX) {
    return problems.error(weight.at, `found '${weight.text}': wanted a weight from 1 to ${WEIGHT_MAX}`);
  }
  weights.set(formatAddress(parsed), value);
}

/** Reports what is wrong in the file now. One that is not there yet may come as long as it is looked for. */
export function reportWeights(token: Token, { path, reloadMs }: WeightsFile, problems: Problems): void {
  try {
    parseWeights(readText(path), path, problems);
  } catch (error) {
    const message = `loadbalance: cannot read the weights in '${token.text}': ${reasonOf(error)}`;
    if (error instanceof Deno.errors.NotFound && reloadMs > 0) {
      problems.warn(token, `${message}; every weight is 1`);
    } else problems.error(token, message);
  }
}

/** Publishes the weights, and again whenever the file has changed; a file that cannot be used leaves them as they are. */
export function keepWeights({ path, reloadMs }: WeightsFile, scope: ControlScope): void {
  let stamp = "";
  const look = () => {
    const now = stampOf(path);
    if (now === stamp) return;
    stamp = now;
    const weights = tryRead(path, scope);
    if (weights) scope.publish(weights);
  };
  look();
  if (reloadMs > 0) scope.own(lookAgain(scope.clock, reloadMs, look));
}

function tryRead(path: string, { log }: ControlScope): Weights | undefined {
  try {
    const problems = new Problems();
    const weights = parseWeights(readText(path), path, problems);
    const [error] = problems.errors;
    if (!error) return weights;
    log.error(`loadbalance: ${formatPosition(error.at)}: ${error.message}: the weights before stay`);
  } catch (error) {
    log.warn(`loadbalance: cannot read the weights in ${path}: ${reasonOf(error)}: those before stay`);
  }
  return undefined;
}

function readText(path: string): string {
  return readRegularTextFile(path, atMost(FILE_OCTETS_MAX));
}
