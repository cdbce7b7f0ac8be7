import assert from "node:assert/strict";
import type { Family } from "../../../core/net/address.ts";
import { groupHas, markValues, NetworkCursor, type NetworkTable } from "../../../core/net/network_table.ts";
import { tableBuilder } from "../../../core/net/table_builder.ts";
import { TablePatch } from "../../../core/net/table_patch.ts";
import { mergeEqual } from "../../../core/net/table_algebra.ts";
import { generator } from "../../../core/prove/states.ts";

/** A table of thousands of networks, of lengths and values by chance. */
function randomTable(family: Family, random: () => number, values: number): NetworkTable {
  const builder = tableBuilder(family), most = family === 4 ? 32 : 70;
  const divide = (length: number): void => {
    if (length < 10 || (length < most && random() < 0.45)) {
      divide(length + 1);
      divide(length + 1);
    } else {
      builder.append(length, Math.floor(random() * values));
    }
  };
  divide(0);
  return builder.finish();
}

/** Its networks, siblings of one value joined. */
function joined(table: NetworkTable): string[] {
  const cursor = new NetworkCursor(mergeEqual(table, ({ value }) => value)), all: string[] = [];
  do all.push(`${cursor.start.join(".")}/${cursor.length} ${cursor.value}`); while (cursor.next());
  return all;
}

Deno.test("a patch keeps what it is told to keep, and has what was put in place of the rest", () => {
  for (let seed = 1; seed <= 24; seed++) {
    const random = generator(seed), family = seed % 2 ? 4 : 6;
    let table = randomTable(family, random, 2 + seed * 25);
    // What was patched before is patched again.
    for (let turn = 0; turn < 4; turn++) {
      const chosen = new Set<number>(), plain = tableBuilder(family), patch = new TablePatch(table);
      for (let i = 0; i < 1 + seed % 9; i++) {
        const from = Math.floor(random() * table.count), length = Math.floor(random() * random() * 200);
        for (let entry = from; entry < Math.min(table.count, from + length); entry++) chosen.add(entry);
      }
      const cursor = new NetworkCursor(table);
      do {
        const { entry, length, value } = cursor, isChosen = chosen.has(entry);
        plain.append(length, isChosen ? value + 1 : value);
        if (!isChosen) continue;
        if (!chosen.has(entry - 1)) patch.keepTo(entry);
        patch.put(cursor.start, length, value + 1);
        patch.skipTo(entry + 1);
      } while (cursor.next());
      const patched = patch.finish();
      assert.deepEqual(joined(patched), joined(plain.finish()));
      assert.ok(patched.count < table.count + 64 * (1 + seed % 9) + 1, "only ends of runs are cut");
      table = patched;
    }
  }
});

Deno.test("what is put where something else was skipped is refused", () => {
  const table = randomTable(4, generator(1), 9), patch = new TablePatch(table);
  const cursor = new NetworkCursor(table, 200);
  patch.keepTo(200);
  patch.put(cursor.start, cursor.length, 1);
  patch.skipTo(300);
  assert.throws(() => patch.finish(), /Cannot append a network/);
});

Deno.test("groupHas() and markValues() know what values there are", () => {
  const builder = tableBuilder(4);
  for (let i = 0; i < 256; i++) builder.append(8, i < 64 ? 3 : i < 128 ? 70_000 : 5 + i % 2);
  const table = builder.finish();
  const marks = new Uint8Array(9);
  markValues(table, marks);
  assert.deepEqual([...marks.keys()].filter((value) => marks[value] === 1), [3, 5, 6]);
  const six = Uint8Array.from({ length: 80_000 }, (_, value) => Number(value === 6));
  assert.deepEqual([0, 1, 2, 3].map((group) => groupHas(table, group, six)), [false, false, true, true]);
  // What is beyond the marks counts as marked.
  assert.deepEqual([0, 1].map((group) => groupHas(table, group, new Uint8Array(9))), [false, true]);
});
