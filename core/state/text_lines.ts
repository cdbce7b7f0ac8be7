/**
 * Text that comes in parts, line by line.
 *
 * @module
 */

/** Lines with their ends; the last one without, where it has none. */
export async function* textLines(parts: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const part of parts) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield `${line}\n`;
  }
  if (rest !== "") yield rest;
}
