import assert from "node:assert/strict";
import fc from "fast-check";
import { fold, formatName, isWithin, labelCount, type Name, parseName } from "../../../core/dns/name.ts";
import { makeRouter } from "../../../core/server/routing.ts";

const A = 1, DS = 43;

function block(label: string, ...zones: string[]) {
  return { label, zones: zones.map((zone) => fold(parseName(zone))) };
}

/** The label of the block that answers, and its zone. */
function ask(blocks: ReturnType<typeof block>[], name: string, type = A): string | undefined {
  const route = makeRouter(blocks)(fold(parseName(name)), type);
  return route && `${route.block.label} ${formatName(route.zone)}`;
}

const nested = [
  block("org", "org", "net"),
  block("example", "example.org", "2.0.192.in-addr.arpa"),
  block("child", "child.example.org"),
  block("deep", "a.b.example.org"),
];
const withRoot = [...nested, block("root", ".")];
/** Of so few zones each is looked at. */
const few = [block("org", "org"), block("deep", "a.b.example.org"), block("example", "example.org")];

const routes: [
  title: string,
  blocks: typeof nested,
  name: string,
  type: number,
  expected: string | undefined,
][] = [
  ["the apex", nested, "example.org", A, "example example.org."],
  ["a name below", nested, "www.example.org", A, "example example.org."],
  ["the longest of several zones", nested, "x.y.child.example.org", A, "child child.example.org."],
  ["a zone whose parent zone is not served", nested, "a.b.example.org", A, "deep a.b.example.org."],
  ["a name between two zones", nested, "b.example.org", A, "example example.org."],
  ["the second zone of a block", nested, "www.example.net", A, "org net."],
  ["labels, not letters", nested, "notexample.org", A, "org org."],
  ["a reverse name", nested, "7.2.0.192.in-addr.arpa", A, "example 2.0.192.in-addr.arpa."],
  ["nothing, when no zone holds the name", nested, "example.com", A, undefined],
  ["nothing for the root", nested, ".", A, undefined],
  ["the root, when nothing longer holds the name", withRoot, "example.com", A, "root ."],
  ["the root itself", withRoot, ".", A, "root ."],
  ["DS at an apex to the zone above", nested, "child.example.org", DS, "example example.org."],
  ["DS at an apex to the nearest zone above", nested, "a.b.example.org", DS, "example example.org."],
  [
    "DS below an apex to the zone that holds it",
    nested,
    "www.child.example.org",
    DS,
    "child child.example.org.",
  ],
  ["DS at an apex without a zone above", nested, "org", DS, "org org."],
  ["DS at an apex with only the root above", withRoot, "org", DS, "org org."],
  ["the longest of few zones", few, "x.a.b.example.org", A, "deep a.b.example.org."],
  ["a name between two of few zones", few, "b.example.org", A, "example example.org."],
  ["labels, not letters, among few zones", few, "notexample.org", A, "org org."],
  ["nothing, when none of few zones holds the name", few, "example.com", A, undefined],
  ["nothing for the root, among few zones", few, ".", A, undefined],
  ["DS at an apex to the nearest of few zones above", few, "a.b.example.org", DS, "example example.org."],
  ["DS of the root", withRoot, ".", DS, "root ."],
];

for (const [title, blocks, name, type, expected] of routes) {
  Deno.test(`makeRouter() routes ${title}`, () => {
    assert.equal(ask(blocks, name, type), expected);
  });
}

Deno.test("makeRouter() without blocks routes nothing", () => {
  assert.equal(ask([], "example.org"), undefined);
});

Deno.test("makeRouter() takes the first of two blocks with one zone", () => {
  assert.equal(
    ask([block("first", "example.org"), block("second", "example.org")], "example.org"),
    "first example.org.",
  );
});

Deno.test("makeRouter() takes the first block of a zone that admits the query, else one of a zone above", () => {
  const blocks = [
    block("above", "org"),
    block("first", "example.org"),
    block("second", "example.org", "b.example.org"),
  ];
  const taken = (name: string, ...refusing: string[]) => {
    const asked: string[] = [];
    const route = makeRouter(blocks)(fold(parseName(name)), A, ({ label }, zone) => {
      asked.push(`${label} ${formatName(zone)}`);
      return !refusing.includes(label);
    });
    return [route?.block.label, ...asked];
  };
  assert.deepEqual(taken("www.example.org"), ["first", "first example.org."]);
  assert.deepEqual(taken("www.example.org", "first"), [
    "second",
    "first example.org.",
    "second example.org.",
  ]);
  assert.deepEqual(taken("www.b.example.org", "second")[0], "first");
  assert.deepEqual(taken("www.example.org", "first", "second")[0], "above");
  assert.deepEqual(taken("www.example.org", "first", "second", "above")[0], undefined);
});

Deno.test("makeRouter() agrees with trying every zone", () => {
  const label = fc.constantFrom("a", "b", "c");
  const name = fc.array(label, { maxLength: 5 }).map((labels) =>
    parseName(`${labels.join(".")}.`.replace(/^\.?$/, "."))
  );
  fc.assert(
    fc.property(fc.array(name, { maxLength: 8 }), name, (zones: Name[], asked: Name) => {
      const holding = zones.filter((zone) => isWithin(asked, zone));
      const longest = holding.sort((a, b) => labelCount(b) - labelCount(a))[0];
      const route = makeRouter(zones.map((zone) => ({ zones: [zone] })))(asked, A);
      assert.equal(route?.zone, longest);
    }),
    { numRuns: 500, seed: 7 },
  );
});
