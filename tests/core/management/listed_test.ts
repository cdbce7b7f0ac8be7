import assert from "node:assert/strict";
import { listedOf, readListed } from "../../../core/management/listed.ts";

const entry = (key: string, value: string) => ({ key, value, revision: 7, version: 1 });

/** What is listed, as `key=where it comes from`. */
function listed(goesFirst: boolean, stored: string): string[] {
  const entries = [entry("b", stored), entry("d", '{"of":"store"}')];
  const fixed = ["a", "b", "c"].map((key) => [key, { of: "file" }] as const);
  return listedOf(entries, fixed, { goesFirst }).flatMap((one) => {
    const read = readListed(one);
    return read ? [`${one.key}=${read.value.of}${read.etag === '"7"' ? ", revision 7" : ""}`] : [];
  });
}

Deno.test("what stands in the store and in a file is listed once, as the one that goes first has it", () => {
  const rest = { c: "c=file", d: "d=store, revision 7" };
  assert.deepEqual(listed(false, '{"of":"store"}'), ["a=file", "b=store, revision 7", rest.c, rest.d]);
  assert.deepEqual(listed(true, '{"of":"store"}'), ["a=file", "b=file", rest.c, rest.d]);
  // What cannot be read is as if it were not there.
  assert.deepEqual(listed(false, "{"), ["a=file", "b=file", rest.c, rest.d]);
});

Deno.test("without files it is what the store has", () => {
  const all = listedOf([entry("a", "{}"), entry("b", "no JSON")], [], {});
  assert.deepEqual(all.map((one) => readListed(one)?.etag), ['"7"', undefined]);
});
