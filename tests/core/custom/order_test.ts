import assert from "node:assert/strict";
import { type Beside, placeAll } from "../../../core/custom/order.ts";

const OURS = [{ name: "log" }, { name: "geo", aliases: ["geoip"] }, { name: "file" }];

/** `new before file` as a plugin with its place. */
function placed(line: string) {
  const [name = "", which, beside] = line.split(" ");
  const place: Beside = which ? { [which]: beside } : {};
  return { module: { name }, place };
}

function orderOf(...lines: string[]): string {
  return placeAll(OURS, lines.map(placed)).modules.map(({ name }) => name).join(" ");
}

const orders: [lines: string[], order: string][] = [
  [[], "log geo file"],
  [["a"], "a log geo file"],
  [["a", "b"], "a b log geo file"],
  [["a before file"], "log geo a file"],
  [["a before log", "b"], "b a log geo file"],
  [["a before file", "b before file"], "log geo a b file"],
  [["a after log", "b after log"], "log a b geo file"],
  [["a after file"], "log geo file a"],
  [["a after geoip", "b before geoip"], "log b geo a file"],
  [["a after b", "b before file"], "log geo b a file"],
  [["a after log", "b after a", "c after log"], "log a c b geo file"],
];

for (const [lines, order] of orders) {
  Deno.test(`placeAll() makes ${order} of ${lines.join(", ") || "nothing"}`, () => {
    assert.equal(orderOf(...lines), order);
  });
}

const unplaced: [line: string, why: string][] = [
  ["a before fiel", "before fiel: there is no such plugin; did you mean 'file'?"],
  ["a after nothing-like-it", "after nothing-like-it: there is no such plugin"],
  ["a after a", "after a: it cannot stand beside itself"],
];

for (const [line, why] of unplaced) {
  Deno.test(`placeAll() finds no place ${line.slice(2)}`, () => {
    const { modules, unplaced } = placeAll(OURS, [placed(line)]);
    assert.deepEqual(unplaced.map(({ why }) => why), [why]);
    assert.equal(modules.length, OURS.length);
  });
}

Deno.test("placeAll() finds no place for two that wait for each other", () => {
  const { unplaced } = placeAll(OURS, ["a after b", "b after a"].map(placed));
  assert.deepEqual(unplaced.map(({ why }) => why), [
    "after b: that has no place either, as each waits for the other",
    "after a: that has no place either, as each waits for the other",
  ]);
});
