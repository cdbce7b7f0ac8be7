/**
 * The `$GENERATE` directive of BIND: one line for many records that differ by a number.
 *
 * @module
 */

/** The numbers that a `$GENERATE` runs through, `stop` included. */
export interface GenerateRange {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
}

/** The most records that one directive may make: a mistyped digit must not fill the memory. */
export const GENERATE_MAX = 1_000_000;

/** Reads `START-STOP` or `START-STOP/STEP`. @throws {SyntaxError} When it is neither, runs backwards or too far. */
export function parseRange(text: string): GenerateRange {
  const match = /^(\d{1,10})-(\d{1,10})(?:\/(\d{1,10}))?$/.exec(text);
  if (!match) throw new SyntaxError(`found range '${text}': wanted START-STOP or START-STOP/STEP`);
  const [start, stop, step] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 1)];
  if (start > stop) throw new SyntaxError(`found range '${text}': wanted a start not above its stop`);
  if (stop > 0x7fffffff || step > 0x7fffffff) {
    throw new SyntaxError(`found range '${text}': wanted numbers up to 2147483647`);
  }
  if (step < 1) throw new SyntaxError(`found step 0 in '${text}': wanted 1 or more`);
  if ((stop - start) / step >= GENERATE_MAX) {
    throw new SyntaxError(`found range '${text}': wanted at most ${GENERATE_MAX} records`);
  }
  return { start, stop, step };
}

/**
 * The text that `template` gives for number `i`: `$` is the number, `${OFFSET,WIDTH,BASE}` the number plus OFFSET,
 * zero-filled to WIDTH, in base `d`, `o`, `x`, `X`, or as nibbles `n`, `N`; `$$` and `\$` are a dollar.
 *
 * @throws {SyntaxError} When what stands in braces is something else.
 */
export function expandTemplate(template: string, i: number): string {
  return template.replace(/\\[^]|\$\$|\$\{([^}]*)\}?|\$/g, (found, braces?: string) => {
    if (found === "$$") return "\\$";
    if (found.startsWith("\\")) return found;
    if (braces === undefined) return String(i);
    return modified(found, braces, i);
  });
}

function modified(found: string, braces: string, i: number): string {
  const match = found.endsWith("}") ? /^([+-]?\d{1,10})(?:,(\d{1,3})(?:,([doxXnN]))?)?$/.exec(braces) : null;
  if (!match) {
    throw new SyntaxError(
      `found '${found}': wanted \${OFFSET}, \${OFFSET,WIDTH} or \${OFFSET,WIDTH,BASE}, BASE one of d o x X n N`,
    );
  }
  const value = i + Number(match[1]);
  const width = Number(match[2] ?? 0);
  const base = match[3] ?? "d";
  if (value < 0) throw new SyntaxError(`found '${found}' with ${i}: wanted a number not below 0`);
  if (base === "n" || base === "N") return nibbles(value, width, base === "N");
  const digits = value.toString({ d: 10, o: 8, x: 16, X: 16 }[base]);
  return (base === "X" ? digits.toUpperCase() : digits).padStart(width, "0");
}

/** The hexadecimal digits, least significant first, with dots between, as reverse IPv6 names want them; the width counts dots. */
function nibbles(value: number, width: number, upper: boolean): string {
  const digits = value.toString(16).padStart(Math.ceil(width / 2), "0");
  return [...(upper ? digits.toUpperCase() : digits)].reverse().join(".");
}
