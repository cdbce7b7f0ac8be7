/**
 * Long lists in pages. A page begins behind the key that the one before ended with, so that nothing is left out or comes
 * twice because something else was added or taken away meanwhile.
 *
 * @module
 */

import { nearest } from "../corefile/nearest.ts";
import { nextTurn } from "../server/turns.ts";
import { ProblemError } from "./problem.ts";

/** The part of a list that is asked for. */
export interface PageRequest {
  /** At most so many; 100 if not said, 1000 at most. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

/** A part of a list. */
export interface Page<T> {
  readonly items: readonly T[];
  /** Asks for the next; absent = that is all. */
  readonly next?: string;
}

/** How many items a page has unless it is said, and at most. */
export const PAGE_ITEMS = 100, PAGE_ITEMS_MAX = 1000;

/** A page of `items`, which are ascending by `keyOf`. @throws {ProblemError} `malformed` */
export function pageOf<T>(
  items: readonly T[],
  keyOf: (item: T) => string,
  { limit = PAGE_ITEMS, cursor }: PageRequest,
): Page<T> {
  checkLimit(limit);
  const after = cursor === undefined ? undefined : keyIn(cursor);
  const rest = after === undefined ? items : items.filter((item) => keyOf(item) > after);
  const page = rest.slice(0, limit);
  return rest.length > limit ? { items: page, next: cursorAfter(keyOf(page.at(-1)!)) } : { items: page };
}

/** How many items are read in a turn of the event loop. */
const READ_AT_ONCE = 64;

/**
 * The same of items that are read one by one, no more of them than the page takes, and a few at a time: others who ask wait
 * for no more than these. `read` gives undefined for what is not to be in a page.
 *
 * @throws {ProblemError} `malformed`
 */
export async function pageOfRead<I extends { readonly key: string }, T>(
  items: readonly I[],
  read: (item: I) => T | undefined,
  { limit = PAGE_ITEMS, cursor }: PageRequest,
): Promise<Page<T>> {
  checkLimit(limit);
  const after = cursor === undefined ? "" : keyIn(cursor), page: T[] = [];
  let lastKey = "", count = 0;
  for (const item of items) {
    if (item.key <= after) continue;
    if (++count % READ_AT_ONCE === 0) await nextTurn();
    const value = read(item);
    if (value === undefined) continue;
    if (page.length === limit) return { items: page, next: cursorAfter(lastKey) };
    page.push(value);
    lastKey = item.key;
  }
  return { items: page };
}

/** The same of items in no order, each with a key of its own: no more of what is read is kept than the page takes. @throws {ProblemError} `malformed` */
export async function pageOfUnordered<I, T>(
  items: readonly I[],
  read: (item: I) => T | undefined,
  keyOf: (value: T) => string,
  { limit = PAGE_ITEMS, cursor }: PageRequest,
): Promise<Page<T>> {
  checkLimit(limit);
  const after = cursor === undefined ? "" : keyIn(cursor), least = new Least(limit + 1, keyOf);
  for (const [i, item] of items.entries()) {
    if (i % READ_AT_ONCE === READ_AT_ONCE - 1) await nextTurn();
    const value = read(item);
    if (value !== undefined && keyOf(value) > after) least.add(value);
  }
  const { values } = least, page = values.slice(0, limit);
  return values.length > limit ? { items: page, next: cursorAfter(keyOf(page.at(-1)!)) } : { items: page };
}

/** So many of what is added, those whose keys are least, ascending. */
class Least<T> {
  readonly values: T[] = [];
  readonly #most: number;
  readonly #keyOf: (value: T) => string;

  constructor(most: number, keyOf: (value: T) => string) {
    [this.#most, this.#keyOf] = [most, keyOf];
  }

  add(value: T): void {
    const { values } = this, key = this.#keyOf(value);
    if (values.length === this.#most && key >= this.#keyOf(values.at(-1)!)) return;
    values.splice(this.#placeOf(key), 0, value);
    if (values.length > this.#most) values.pop();
  }

  #placeOf(key: string): number {
    let [from, to] = [0, this.values.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.#keyOf(this.values[middle]!) < key) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}

function checkLimit(limit: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= PAGE_ITEMS_MAX) return;
  throw new ProblemError("malformed", `limit: wanted a number from 1 to ${PAGE_ITEMS_MAX}, got ${limit}`);
}

/** Whether an item is one of those that are asked for, by what filters there are. @throws {ProblemError} `malformed` */
export function chosenBy<T>(
  filters: Readonly<Record<string, (item: T, value: string) => boolean>>,
  asked: Readonly<Record<string, string>>,
): (item: T) => boolean {
  const chosen = Object.entries(asked).map(([name, value]) => {
    if (Object.hasOwn(filters, name)) return (item: T) => filters[name]!(item, value);
    const words = Object.keys(filters), meant = nearest(name, words);
    const hint = meant ? `did you mean '${meant}'?` : `there are ${words.join(", ") || "none"}`;
    throw new ProblemError("malformed", `unknown filter '${name}'; ${hint}`);
  });
  return (item) => chosen.every((isRight) => isRight(item));
}

function cursorAfter(key: string): string {
  return new TextEncoder().encode(key).toBase64({ alphabet: "base64url", omitPadding: true });
}

function keyIn(cursor: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.fromBase64(cursor, { alphabet: "base64url" }),
    );
  } catch {
    throw new ProblemError("malformed", "cursor: wanted `next` of the page before");
  }
}
