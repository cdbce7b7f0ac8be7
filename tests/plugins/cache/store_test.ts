import assert from "node:assert/strict";
import { Store } from "../../../plugins/cache/store.ts";

function storeOf(entriesMax: number, octetsMax = Infinity) {
  const evicted = { count: 0 };
  return { store: new Store<{ octets: number }>(entriesMax, octetsMax, () => evicted.count++), evicted };
}

Deno.test("a flood of names that nobody asks for twice drives out its own kind", () => {
  const { store, evicted } = storeOf(100);
  for (let i = 0; i < 70; i++) {
    store.set(`used ${i}`, { octets: 1 });
    store.use(`used ${i}`);
  }
  for (let i = 0; i < 100_000; i++) store.set(`random ${i}`, { octets: 1 });
  assert.equal(store.size, 100);
  assert.equal(evicted.count, 100_000 - 30);
  for (let i = 0; i < 70; i++) assert.ok(store.peek(`used ${i}`), `${i}`);
});

Deno.test("what was used least recently makes room", () => {
  const { store } = storeOf(3);
  for (const key of ["a", "b", "c"]) store.set(key, { octets: 1 });
  store.use("a");
  store.set("d", { octets: 1 });
  assert.deepEqual(["a", "b", "c", "d"].filter((key) => store.peek(key)), ["a", "c", "d"]);
});

Deno.test("what was proven once goes on trial again when others are proven after it", () => {
  const { store } = storeOf(10);
  for (let i = 0; i < 10; i++) store.set(`${i}`, { octets: 1 });
  for (let i = 0; i < 10; i++) store.use(`${i}`);
  for (let i = 10; i < 12; i++) store.set(`${i}`, { octets: 1 });
  assert.deepEqual([0, 1, 2].map((i) => store.peek(`${i}`) !== undefined), [false, false, true]);
});

Deno.test("octets are bounded as well as entries", () => {
  const { store, evicted } = storeOf(1000, 100);
  for (let i = 0; i < 50; i++) store.set(`${i}`, { octets: 30 });
  assert.deepEqual([store.size, store.octets, evicted.count], [3, 90, 47]);
  store.set("huge", { octets: 101 });
  assert.deepEqual([store.size, store.peek("huge")], [3, undefined]);
  store.set("49", { octets: 100 });
  assert.deepEqual([store.size, store.octets], [1, 100]);
  store.delete("49");
  assert.deepEqual([store.size, store.octets], [0, 0]);
});

Deno.test("what is asked for anew keeps its standing", () => {
  const { store } = storeOf(10);
  store.set("used", { octets: 1 });
  store.use("used");
  store.set("used", { octets: 2 });
  for (let i = 0; i < 100; i++) store.set(`random ${i}`, { octets: 1 });
  assert.deepEqual(store.peek("used"), { octets: 2 });
});
