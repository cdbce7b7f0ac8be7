/** What is left when the collector of garbage has been. @module */

import v8 from "node:v8";
import vm from "node:vm";

/** How many of these something still holds on to; looked at again and again, until there are not more than `atMost`. */
export async function stillHeld(
  references: readonly WeakRef<object>[],
  { atMost = 0 } = {},
): Promise<number> {
  v8.setFlagsFromString("--expose-gc");
  const collect = vm.runInNewContext("gc") as () => void;
  const held = () => references.filter((reference) => reference.deref()).length;
  for (let turn = 0; turn < 500; turn++) {
    // In a turn of its own: what a WeakRef was asked for stays until the turn has ended.
    await new Promise((resolve) => setTimeout(resolve, 10));
    collect();
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (held() <= atMost) break;
  }
  return held();
}
