/** What was thrown, in words, with the place in a custom plugin's own file where that can be told. @module */

/** `TypeError: x is not a function (retired.ts:12:5)`. */
export function describeThrown(thrown: unknown, url: string): string {
  const at = positionIn(url, thrown);
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  // Syntax errors bring a picture of the line along, and name the file by its address.
  const [first] = text.split("\n");
  const message = first!.replace(/ at file:\S+$/, "");
  return at && !message.includes(at) ? `${message} (${at})` : message;
}

/** `FILE:LINE:COLUMN` of the first place in the file at `url` that an error names. */
export function positionIn(url: string, thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const file = fileOf(url);
  for (const text of [thrown.message, thrown.stack ?? ""]) {
    const [, line, column] = new RegExp(`${RegExp.escape(file)}(?:\\?[^:\\s]*)?:(\\d+):(\\d+)`).exec(text) ??
      [];
    if (line) return `${decodeURIComponent(file.slice(file.lastIndexOf("/") + 1))}:${line}:${column}`;
  }
  return thrown.cause === undefined ? undefined : positionIn(url, thrown.cause);
}

/** An address without the part that tells versions of the file apart. */
export function fileOf(url: string): string {
  return url.replace(/\?.*$/s, "");
}
