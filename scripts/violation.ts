/** What the checks of this repository find, and how they tell it. @module */

/** Something that breaks a rule of the repository. */
export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** `FILE:LINE: error: MESSAGE`, as compilers write it. */
export function formatViolation({ file, line, message }: Violation): string {
  return `${file}:${line}: error: ${message}`;
}

/** Prints what was found and ends the process: with 1 if that is anything. */
export function endWith(violations: readonly Violation[]): never {
  for (const violation of violations) console.error(formatViolation(violation));
  Deno.exit(violations.length > 0 ? 1 : 0);
}
