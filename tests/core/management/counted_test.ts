import assert from "node:assert/strict";
import { type Counted, countedOf, whyMore } from "../../../core/management/counted.ts";

type Moves = NonNullable<Counted["moves"]>[number];

const movesOf = (pool: string, more: Partial<Moves> = {}): Moves => ({
  ...{ pool, types: ["A"], movedNetworks: 0.2, movedDemand: 0.3, lostDemand: 0 },
  ...{ addedKmMean: 100, addedKmMovedMean: 400, addedKmMax: 2000 },
  nodes: [{ node: "n1", before: 1, after: 2 }],
  overloads: [{ node: "n2", demand: 12, capacity: 10, isAlready: false }],
  ...{ counted: { networks: 1, demand: 1 }, isSampled: false },
  ...more,
});

const COUNTED: Counted = {
  at: "2026-12-01T00:00:00.000Z",
  pools: [{ pool: "a.", members: 4, before: 4, after: 1 }],
  emptied: ["e."],
  moves: [movesOf("a.")],
  weighedBy: { by: "addresses" },
};

Deno.test("what is kept of a preview is small, whatever the number of pools, and has those that matter most", () => {
  const moves = Array.from({ length: 100 }, (_, i) => movesOf(`p${i}.`, { movedDemand: i / 100 }));
  const pools = moves.map(({ pool }, i) => ({ pool, members: 100, before: 100, after: 100 - i }));
  const { moves: kept, pools: changed } = countedOf({ ...COUNTED, moves, pools });
  assert.deepEqual([kept!.length, kept![0]!.pool, kept![0]!.nodes], [20, "p99.", []]);
  assert.deepEqual([changed.length, changed[0]!.after], [20, 1]);
});

Deno.test("what moves no more than it did is what was looked at; what has grown is said", () => {
  const with_ = (more: Partial<Moves>): Counted => ({ ...COUNTED, moves: [movesOf("a.", more)] });
  const { moves: _, ...unknown } = COUNTED;
  const more = { node: "n3", demand: 12, capacity: 10, isAlready: false };
  for (
    const [is, why] of [
      [COUNTED, undefined],
      [with_({ movedDemand: 0.309, addedKmMovedMean: 420, overloads: [] }), undefined],
      [with_({ movedNetworks: 0.05, movedDemand: 0.1, addedKmMax: 0 }), undefined],
      [unknown, undefined],
      [{ ...COUNTED, emptied: [], pools: [] }, undefined],
      [with_({ movedDemand: 0.34, counted: { networks: 0.4, demand: 0.97 } }), undefined],
      [
        with_({ movedDemand: 0.36, counted: { networks: 0.4, demand: 0.97 } }),
        /36\.0 % of what is asked for/,
      ],
      [with_({ movedNetworks: 0.22 }), /a\.: by now it would be 22\.0 % of networks, not 20\.0 %/],
      [with_({ movedDemand: 0.32 }), /32\.0 % of what is asked for, not 30\.0 %/],
      [with_({ lostDemand: 0.02 }), /2\.0 % of what is asked for unanswered, not 0\.0 %/],
      [with_({ addedKmMovedMean: 450 }), /450 km farther, not 400/],
      [with_({ addedKmMax: 2300 }), /2300 km farther, not 2000/],
      [with_({ overloads: [more] }), /n3 would be above its capacity/],
      [{ ...COUNTED, emptied: ["e.", "a."] }, /it would leave a\. with nobody/],
      [{ ...COUNTED, pools: [{ ...COUNTED.pools[0]!, after: 0 }] }, /leave 0 nodes to a\. by now, not 1/],
      [
        { ...COUNTED, pools: [{ pool: "b.", members: 3, before: 3, after: 2 }] },
        /2 nodes to b\. by now, not 3/,
      ],
      [{ ...COUNTED, moves: [...COUNTED.moves!, movesOf("b.", { movedNetworks: 0.02 })] }, /^b\.: by now/],
    ] as [Counted, RegExp | undefined][]
  ) {
    const found = whyMore(COUNTED, is);
    if (why) assert.match(found ?? "nothing", why);
    else assert.equal(found, undefined);
  }
  assert.match(whyMore(unknown, COUNTED)!, /was not known, and is by now/);
});

Deno.test("a pool that was left out, since others moved more, may move as much as the least of those that were kept", () => {
  const moves = Array.from({ length: 30 }, (_, i) => movesOf(`p${i}.`, { movedDemand: 0.3 + i / 100 }));
  const was = countedOf({ ...COUNTED, moves });
  const now = (movedDemand: number): Counted => ({ ...COUNTED, moves: [movesOf("p1.", { movedDemand })] });
  assert.equal(whyMore(was, now(0.39)), undefined);
  assert.match(whyMore(was, now(0.5))!, /^p1\.: /);
});
