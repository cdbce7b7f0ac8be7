/**
 * What others have written, for a terminal: a reason, a label, a name, a configuration. Whoever wrote it is not to say what is
 * shown: nothing in it moves the cursor, hides a line, or has text run the other way.
 *
 * @module
 */

/**
 * Control characters but tabs and ends of lines, what changes the direction of text, and what ends lines for some alone; a
 * carriage return may stand before the end of a line.
 */
const OBEYED =
  // deno-lint-ignore no-control-regex
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)/g;

/** Text of several lines as it is to be shown. */
export function visible(text: string): string {
  return text.replace(OBEYED, escaped);
}

/** The same as one line: a cell of a table, or what stands behind a word. */
export function visibleLine(text: string): string {
  return visible(text).replace(/[\r\n\t]/g, escaped);
}

/** JSON that means the same. */
export function visibleJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(OBEYED, (one) => `\\u${digitsOf(one, 4)}`);
}

function escaped(one: string): string {
  return one.charCodeAt(0) < 0x100 ? `\\x${digitsOf(one, 2)}` : `\\u${digitsOf(one, 4)}`;
}

function digitsOf(one: string, count: number): string {
  return one.charCodeAt(0).toString(16).padStart(count, "0");
}
