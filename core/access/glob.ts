/**
 * Patterns of names: `*` stands for any run of characters, none included; case does not count, nor a dot at the end.
 *
 * @module
 */

/** Whether a name is as the pattern says; in time proportional to both lengths multiplied, whatever they are. */
export function matchesGlob(pattern: string, name: string): boolean {
  return matches(folded(pattern), folded(name));
}

/**
 * Whether every name of `inner` is one of `outer`. That is the same question: a `*` of the inner pattern can be matched
 * by nothing but a `*` of the outer one, which would match whatever stood in its place.
 */
export function withinGlob(outer: string, inner: string): boolean {
  return matchesGlob(outer, inner);
}

/** What the only `*` of a pattern stands for in a name; undefined where it does not match, or there is not exactly one. */
export function captureOf(pattern: string, name: string): string | undefined {
  const [before, after, more] = folded(pattern).split("*"), text = folded(name);
  if (before === undefined || after === undefined || more !== undefined) return undefined;
  if (text.length < before.length + after.length) return undefined;
  if (!text.startsWith(before) || !text.endsWith(after)) return undefined;
  return text.slice(before.length, text.length - after.length);
}

/** Goes back to the last `*` only: what an earlier one took can never have to be more. */
function matches(pattern: string, name: string): boolean {
  let at = 0, star = -1, resume = 0;
  for (let i = 0; i < name.length;) {
    if (pattern[at] === "*") {
      [star, resume] = [at++, i];
    } else if (at < pattern.length && pattern[at] === name[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

function folded(name: string): string {
  const text = name.toLowerCase();
  return text.length > 1 && text.endsWith(".") ? text.slice(0, -1) : text;
}
