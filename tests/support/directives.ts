/**
 * Directives from the text of a server block.
 *
 * @module
 */

import type { Directive } from "../../core/corefile/directive.ts";
import { parseCorefile } from "../../core/corefile/parser.ts";

/** The directives in `text`, which stands in a block from line 2 on. */
export function directivesOf(text: string): readonly Directive[] {
  const none = { read: () => undefined, list: () => undefined };
  const { corefile, problems } = parseCorefile(`. {\n${text}\n}\n`, {
    file: "Corefile",
    env: () => undefined,
    ...none,
  });
  if (problems.errors.length > 0) throw problems.errors[0]!;
  return corefile.blocks[0]!.directives;
}
