import assert from "node:assert/strict";
import { mergePatch } from "../../../core/management/merge_patch.ts";

Deno.test("a merge patch does what RFC 7396 appendix A says", () => {
  for (
    const [target, patch, result] of [
      [{ a: "b" }, { a: "c" }, { a: "c" }],
      [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
      [{ a: "b" }, { a: null }, {}],
      [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
      [{ a: ["b"] }, { a: "c" }, { a: "c" }],
      [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
      [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
      [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
      [["a", "b"], ["c", "d"], ["c", "d"]],
      [{ a: "b" }, ["c"], ["c"]],
      [{ a: "foo" }, null, null],
      [{ a: "foo" }, "bar", "bar"],
      [{ e: null }, { a: 1 }, { e: null, a: 1 }],
      [[1, 2], { a: "b", c: null }, { a: "b" }],
      [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
    ] as const
  ) {
    assert.deepEqual(mergePatch(target, patch), result);
  }
});

Deno.test("a member called __proto__ is a member like any other", () => {
  const patched = mergePatch({}, JSON.parse('{"__proto__": {"isAdmin": true}}')) as Record<string, unknown>;
  assert.equal(patched["isAdmin"], undefined);
  assert.equal(Object.hasOwn(patched, "__proto__"), true);
});
