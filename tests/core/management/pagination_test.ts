import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { type Page, pageOf, pageOfUnordered, type PageRequest } from "../../../core/management/pagination.ts";

/** All pages, one after the other, items joined. */
async function walk<T>(
  get: (page: PageRequest) => Page<T> | Promise<Page<T>>,
  limit: number,
): Promise<T[][]> {
  const pages: T[][] = [];
  let cursor: string | undefined;
  for (;;) {
    const { items, next } = await get({ limit, ...cursor !== undefined && { cursor } });
    pages.push([...items]);
    if (next === undefined) return pages;
    cursor = next;
  }
}

const itself = (key: string) => key;

Deno.test("pages of what is in no order are those of the same in order, without what is left out", async () => {
  const words = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 200 });
  const few = fc.integer({ min: 1, max: 40 });
  await fc.assert(
    fc.asyncProperty(words, few, async (keys, limit) => {
      const isAsked = (key: string) => key.charCodeAt(0) % 3 !== 0;
      const inOrder = keys.filter(isAsked).sort((a, b) => a < b ? -1 : 1);
      const read = (key: string) => isAsked(key) ? key : undefined;
      assert.deepEqual(
        await walk((page) => pageOfUnordered(keys, read, itself, page), limit),
        await walk((page) => pageOf(inOrder, itself, page), limit),
      );
    }),
    { seed: 1, numRuns: 200 },
  );
});

Deno.test("others have their turn while a long list is read, and nothing is read beyond it", async () => {
  const keys = Array.from({ length: 1000 }, (_, i) => String(i).padStart(4, "0")).reverse();
  let reads = 0, readsAtTurn = 0;
  setImmediate(() => readsAtTurn = reads);
  const { items, next } = await pageOfUnordered(keys, (key) => (reads++, key), itself, { limit: 2 });
  assert.deepEqual(items, ["0000", "0001"]);
  assert.ok(next);
  assert.equal(reads, 1000);
  assert.ok(readsAtTurn > 0 && readsAtTurn < 100, `${readsAtTurn} of 1000 read before others had a turn`);
});

Deno.test("a limit or a cursor that makes no sense is refused before anything is read", async () => {
  const read = () => assert.fail("read");
  for (const page of [{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { cursor: "!" }]) {
    await assert.rejects(pageOfUnordered(["a"], read, itself, page), { name: "ProblemError" });
  }
});
