import assert from "node:assert/strict";
import { wrongShape } from "../../../core/custom/shape.ts";

const RIGHT = { api: 1, name: "retired", usage: "retired NAME", options: {}, parse: () => ({}) };

Deno.test("wrongShape() has nothing to say of a module", () => {
  assert.equal(wrongShape(RIGHT), undefined);
  const read = () => 1;
  assert.equal(
    wrongShape({
      ...RIGHT,
      aliases: ["old_name"],
      options: { text: { usage: "text TEXT", read } },
      waits: true,
      before: "file",
      answerer: undefined,
    }),
    undefined,
  );
});

const wrong: [what: string, module: unknown, why: RegExp][] = [
  ["nothing", undefined, /^it returned nothing: wanted an object/],
  ["a promise", Promise.resolve(RIGHT), /^it returned a promise/],
  ["a list", [RIGHT], /^it returned a list/],
  ["no version", { ...RIGHT, api: undefined }, /version of the plugin API it is written for: wanted api: 1$/],
  ["another version", { ...RIGHT, api: 2 }, /^it is written for version 2 of the plugin API: wanted 1$/],
  ["no name", { ...RIGHT, name: undefined }, /^it has no 'name': wanted a string$/],
  ["no parse", { ...RIGHT, parse: undefined }, /^it has no 'parse': wanted a function$/],
  [
    "a misspelt part",
    { ...RIGHT, anwserer: () => {} },
    /^it has an unknown 'anwserer'; did you mean 'answerer'\?$/,
  ],
  ["a part of another kind", { ...RIGHT, start: "now" }, /^its 'start' is a string: wanted a function$/],
  [
    "aliases that are none",
    { ...RIGHT, aliases: [1] },
    /^its 'aliases' is a list: wanted a list of strings$/,
  ],
  [
    "a name that is no word",
    { ...RIGHT, name: "Old Name" },
    /^it calls itself 'Old Name': wanted small letters/,
  ],
  ["a name that is taken by the grammar", { ...RIGHT, name: "import" }, /^it calls itself 'import'/],
  ["two places", { ...RIGHT, before: "a", after: "b" }, /both before and after/],
  [
    "a metric of no kind",
    { ...RIGHT, metrics: { x: { kind: "count", help: "" } } },
    /^its metric 'x' is not \{ kind, help \}/,
  ],
  [
    "a metric without a name",
    { ...RIGHT, metrics: { "x y": { kind: "counter", help: "" } } },
    /^its metric 'x y' has a name/,
  ],
  ["an option without read", { ...RIGHT, options: { text: { usage: "text" } } }, /^its option 'text' is not/],
];

for (const [what, module, why] of wrong) {
  Deno.test(`wrongShape() names ${what}`, () => assert.match(wrongShape(module) ?? "", why));
}
