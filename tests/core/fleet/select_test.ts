import assert from "node:assert/strict";
import type { Node } from "../../../core/fleet/node.ts";
import type { PoolPolicy } from "../../../core/fleet/pool.ts";
import { whyEmptiedByDistance } from "../../../core/fleet/spill.ts";
import {
  choose,
  CITIES,
  ids,
  node,
  NOW_MS,
  type PlaceText,
  policy,
  POOL,
  pool,
  snapshot,
  verdicts,
} from "./make.ts";

const SEATTLE = node("sea", CITIES.seattle),
  VANCOUVER = node("van", CITIES.vancouver),
  NEW_YORK = node("nyc", CITIES.newYork),
  SYDNEY = node("syd", CITIES.sydney),
  SINGAPORE = node("sin", CITIES.singapore),
  FRANKFURT = node("fra", CITIES.frankfurt),
  LONDON = node("lon", CITIES.london);

/** What a client gets from a pool of some nodes, of which some are down. */
function chosen(
  nodes: readonly Node[],
  at: PlaceText | undefined,
  more: Partial<PoolPolicy> = {},
  down: readonly string[] = [],
  lastServing: readonly string[] = [],
): string[] {
  const said = verdicts(nodes, Object.fromEntries(down.map((id) => [id, "down"])));
  const state = pool(nodes, more, { lastServing: { 4: lastServing, 6: [] } });
  return ids(choose(snapshot([state], { verdicts: said }), at));
}

Deno.test("select() gives the nearest, nearest first", () => {
  const nodes = [LONDON, FRANKFURT, NEW_YORK, SYDNEY];
  assert.deepEqual(chosen(nodes, CITIES.paris, { answers: 3 }), ["lon", "fra", "nyc"]);
  assert.deepEqual(chosen(nodes, CITIES.perth, { answers: 9 }), ["syd", "fra", "lon", "nyc"]);
});

Deno.test("select() steps over nodes that are down", () => {
  assert.deepEqual(chosen([LONDON, FRANKFURT, NEW_YORK], CITIES.paris, { answers: 2 }, ["lon"]), [
    "fra",
    "nyc",
  ]);
});

Deno.test("select() finds the nearest across the antimeridian and over the pole", () => {
  const fiji = node("fji", [-17.7, 178]), tahiti = node("tah", [-17.5, -149.6]);
  assert.deepEqual(chosen([tahiti, fiji], [-14, -171]), ["fji"]);
  const alert = node("alt", [82.5, -62]), oslo = node("osl", [59.9, 10.8]);
  assert.deepEqual(chosen([oslo, alert], [85, 118]), ["alt"]);
});

Deno.test("select() breaks ties by id, in order of UTF-16 code units", () => {
  const at: PlaceText = [10, 20];
  const nodes = ["b", "a10", "a2", "Z"].map((id) => node(id, [10, 21]));
  assert.deepEqual(chosen(nodes, at, { answers: 4 }), ["Z", "a10", "a2", "b"]);
  // Half a metre apart is equal.
  assert.deepEqual(chosen([node("b", [10, 21]), node("a", [10, 21.000001])], at), ["a"]);
});

Deno.test("select() with the plan's bias prefers New York to Vancouver for Seattle, unless that adds too much", () => {
  const bias = { region: 0.8, country: 0.4, maxKm: 20_000 };
  const nodes = [VANCOUVER, NEW_YORK];
  assert.deepEqual(chosen(nodes, CITIES.seattle, { answers: 2, bias }), ["nyc", "van"]);
  assert.deepEqual(chosen(nodes, CITIES.seattle, { answers: 2, bias: { ...bias, maxKm: 1000 } }), [
    "van",
    "nyc",
  ]);
  assert.deepEqual(chosen(nodes, CITIES.seattle, { answers: 2 }), ["van", "nyc"]);
});

Deno.test("select() with bias does not take Perth for a part of Washington", () => {
  const bias = { region: 0.8, country: 0.4, maxKm: 20_000 };
  const nodes = [SEATTLE, SYDNEY, SINGAPORE];
  assert.deepEqual(chosen(nodes, CITIES.perth, { answers: 3, bias }), ["syd", "sin", "sea"]);
});

Deno.test("select() leaves out what lies beyond max-distance, to the metre", () => {
  const degreeKm = 111.195;
  const nodes = [node("far", [0, 2]), node("near", [0, 1])];
  assert.deepEqual(chosen(nodes, [0, 0], { answers: 2, maxDistanceKm: degreeKm }), ["near"]);
  const open = { answers: 2, maxDistanceKm: 111.194, allDown: { policy: "fail-open" } } as const;
  assert.equal(choose(snapshot([pool(nodes, open)]), [0, 0]).why, "all-down fail-open");
});

Deno.test("select() spreads leaves over a ring by weight, and keeps the nearest in front outside it", () => {
  const twins = [node("a", [50, 8], { weight: 3 }), node("b", [50.1, 8]), LONDON];
  const state = pool(twins, { answers: 2, ring: { share: 0.05, km: 50 } });
  const wins: Record<string, number> = { a: 0, b: 0, lon: 0 };
  for (let i = 0; i < 1000; i++) {
    const choice = choose(snapshot([state]), [49, 8], { leaf: `10.${i >> 8}.${i & 255}.0/24` });
    wins[ids(choice)[0]!]!++;
    assert.deepEqual(ids(choice).toSorted(), ["a", "b"]);
    assert.equal(choice.why, "ring");
  }
  assert.ok(wins.a! > 700 && wins.a! < 800, JSON.stringify(wins));
});

Deno.test("select() forms the ring around the first of the biased order, among nodes of its bonus", () => {
  const nodes = [
    node("de1", [50, 8], { place: { latitude: 50, longitude: 8, country: "DE", subdivision: "" } }),
  ];
  const near = node("nl1", [49.9, 8, "NL"]), twin = node("de2", [50.1, 8, "DE"]);
  const more = { ring: { share: 1, km: 500 }, bias: { region: 0.5, country: 0.25, maxKm: 1000 } };
  for (let i = 0; i < 20; i++) {
    const choice = choose(snapshot([pool([...nodes, near, twin], more)]), [49.8, 8, "DE"], {
      leaf: `10.0.${i}.0/24`,
    });
    assert.match(ids(choice)[0]!, /^de/);
  }
});

Deno.test("select() halves a degraded node's weight in the ring", () => {
  const twins = [node("a", [50, 8]), node("b", [50, 8.1])];
  const shot = snapshot([pool(twins, { ring: { share: 0, km: 50 } })], {
    verdicts: verdicts(twins, { a: "degraded", b: "up" }),
  });
  let wins = 0;
  for (let i = 0; i < 1000; i++) {
    if (ids(choose(shot, [49, 8], { leaf: `10.${i >> 8}.${i & 255}.0/24` }))[0] === "a") wins++;
  }
  assert.ok(wins > 280 && wins < 390, `${wins} of 1000, wanted a third`);
});

Deno.test("select() admits a recovering node for its share of the leaves, each for good once the share grows", () => {
  const nodes = [node("a", [50, 8]), LONDON];
  const share = (ramp: number) => {
    const shot = snapshot([pool(nodes)], { verdicts: verdicts(nodes, { a: { ramp }, lon: "up" }) });
    const leaves = Array.from({ length: 1000 }, (_, i) => `10.${i >> 8}.${i & 255}.0/24`);
    return new Set(leaves.filter((leaf) => ids(choose(shot, [49, 8], { leaf }))[0] === "a"));
  };
  const tenth = share(0.1), half = share(0.5);
  assert.ok(tenth.size > 70 && tenth.size < 130, `${tenth.size}`);
  assert.ok(half.size > 450 && half.size < 550, `${half.size}`);
  assert.ok(tenth.isSubsetOf(half));
  assert.equal(share(1).size, 1000);
});

Deno.test("select() orders all candidates where none is admitted", () => {
  const nodes = [node("a", [50, 8]), LONDON];
  const shot = snapshot([pool(nodes)], {
    verdicts: verdicts(nodes, { a: { ramp: 1e-9 }, lon: { ramp: 1e-9 } }),
  });
  assert.deepEqual(ids(choose(shot, [49, 8])), ["a"]);
});

Deno.test("select() gives unlocated clients what the policy says", () => {
  const nodes = [FRANKFURT, LONDON, SYDNEY];
  const unknown = (policy: PoolPolicy["unknown"], down: string[] = []) =>
    chosen(nodes, undefined, { answers: 2, unknown: policy }, down);
  assert.deepEqual(unknown({ policy: "all" }), ["fra", "lon", "syd"]);
  assert.deepEqual(unknown({ policy: "all" }, ["lon"]), ["fra", "syd"]);
  assert.deepEqual(unknown({ policy: "nearest", latitude: -30, longitude: 150 }), ["syd", "fra"]);
  const nodesPolicy = { policy: "nodes", nodes: ["syd", "gone", "lon", "fra"] } as const;
  assert.deepEqual(unknown(nodesPolicy), ["syd", "lon"]);
  assert.deepEqual(unknown(nodesPolicy, ["syd"]), ["lon", "fra"]);
  assert.deepEqual(unknown({ policy: "nodes", nodes: ["syd"] }, ["syd"]), ["fra", "lon"]);
});

Deno.test("select() does not limit the distance of unlocated clients but for nearest", () => {
  const open = { maxDistanceKm: 10, allDown: { policy: "fail-open" } } as const;
  assert.deepEqual(chosen([FRANKFURT], undefined, open), ["fra"]);
  const shot = snapshot([
    pool([FRANKFURT], { ...open, unknown: { policy: "nearest", latitude: 0, longitude: 0 } }),
  ]);
  assert.equal(choose(shot, undefined).why, "all-down fail-open");
});

Deno.test("select() when all are down gives the nearest of those that served last", () => {
  const nodes = [FRANKFURT, LONDON, SYDNEY];
  const all = ["fra", "lon", "syd"];
  assert.deepEqual(chosen(nodes, CITIES.paris, { answers: 2 }, all, ["fra", "syd"]), ["fra", "syd"]);
  assert.deepEqual(chosen(nodes, CITIES.paris, { answers: 2 }, all, []), ["lon", "fra"]);
  assert.deepEqual(
    chosen(nodes, CITIES.paris, { answers: 2, allDown: { policy: "fail-open" } }, all, ["syd"]),
    ["lon", "fra"],
  );
});

Deno.test("select() when all are down leaves out who is drained, unless all are", () => {
  const drained = { ...FRANKFURT, state: "drain" as const };
  assert.deepEqual(chosen([drained, LONDON], CITIES.frankfurt, {}, ["lon"], ["fra", "lon"]), ["lon"]);
  assert.deepEqual(chosen([drained, LONDON], CITIES.frankfurt, {}, ["lon"], ["fra"]), ["lon"]);
  assert.deepEqual(chosen([drained, { ...LONDON, state: "down" }], CITIES.frankfurt), ["fra"]);
});

Deno.test("select() below the threshold applies all-down although some serve", () => {
  const nodes = [FRANKFURT, LONDON, SYDNEY, NEW_YORK];
  const more = { threshold: 0.5, answers: 1 };
  assert.deepEqual(chosen(nodes, CITIES.paris, more, ["lon", "fra"], ["fra"]), ["nyc"]);
  assert.deepEqual(chosen(nodes, CITIES.paris, more, ["lon", "fra", "syd"], ["fra"]), ["fra"]);
});

Deno.test("select() ignores max-distance when all are down and none is left within it", () => {
  const more = { maxDistanceKm: 1000 };
  assert.deepEqual(chosen([SYDNEY, FRANKFURT], CITIES.perth, more), ["syd"]);
  // Within reach but down: last-known-good prefers what serves, however far.
  assert.deepEqual(chosen([LONDON, SYDNEY], CITIES.paris, more, ["lon"], ["lon", "syd"]), ["syd"]);
  const open = { ...more, allDown: { policy: "fail-open" } } as const;
  assert.deepEqual(chosen([LONDON, SYDNEY], CITIES.paris, open, ["lon"]), ["lon"]);
});

Deno.test("select() says nodata and servfail where that is the policy", () => {
  for (const policy of ["nodata", "servfail"] as const) {
    const shot = snapshot([pool([{ ...LONDON, state: "down" }], { allDown: { policy } })]);
    const choice = choose(shot, CITIES.paris);
    assert.deepEqual([choice.outcome, ids(choice)], [policy, []]);
  }
});

Deno.test("select() spills to another pool, and from there on", () => {
  const spare = (name: string, nodes: Node[], more: Partial<PoolPolicy> = {}) =>
    pool(nodes, { name, ...more });
  const to = (pool: string) => ({ allDown: { policy: "pool", pool } as const });
  const down = { ...LONDON, state: "down" as const };
  const shot = snapshot([
    pool([down], to("b.")),
    spare("b.", [{ ...FRANKFURT, state: "down" }], to("c.")),
    spare("c.", [
      SYDNEY,
      NEW_YORK,
    ]),
  ]);
  const choice = choose(shot, CITIES.paris);
  assert.deepEqual(ids(choice), ["nyc"]);
  assert.equal(choice.pool, POOL);
  assert.equal(choice.why, "spill to b.: spill to c.: nearest");
  assert.deepEqual(choice.allDown.map(({ pool }) => pool), [POOL, "b."]);
  assert.deepEqual(choice.consulted().map(({ pool }) => pool), [POOL, "b.", "c."]);
});

Deno.test("select() spills only clients that have no node within max-distance", () => {
  const spare = pool([SYDNEY], { name: "b." });
  const shot = snapshot([
    pool([LONDON], { maxDistanceKm: 1000, allDown: { policy: "pool", pool: "b." } }),
    spare,
  ]);
  assert.deepEqual(ids(choose(shot, CITIES.paris)), ["lon"]);
  assert.equal(choose(shot, CITIES.perth).why, "spill to b.: nearest");
});

Deno.test("select() fails open rather than spill to a pool that has no node of the family", () => {
  const v6only = pool(
    [node("six", CITIES.paris, { ipv6: "2001:db8::6" })].map(({ ipv4: _, ...rest }) => rest),
    {
      name: "b.",
    },
  );
  const down = { ...LONDON, state: "down" as const };
  const shot = snapshot([pool([down], { allDown: { policy: "pool", pool: "b." } }), v6only]);
  assert.equal(choose(shot, CITIES.paris).why, "all-down fail-open");
});

Deno.test("select() has nothing, and no all-down, in a pool without a node of the family", () => {
  const choice = choose(snapshot([pool([LONDON], { allDown: { policy: "servfail" } })]), CITIES.paris, {
    family: 6,
  });
  assert.deepEqual([choice.outcome, choice.allDown], ["nodata", []]);
});

Deno.test("select() takes out a node when its window starts, and not before", () => {
  const busy = { ...LONDON, maintenance: [{ fromMs: NOW_MS + 10, untilMs: NOW_MS + 20, reason: "" }] };
  const shot = snapshot([pool([busy, FRANKFURT])]);
  const at = (afterMs: number) => ids(choose(shot, CITIES.paris, { nowMs: NOW_MS + afterMs }))[0];
  assert.deepEqual([9, 10, 19, 20].map(at), ["lon", "fra", "fra", "lon"]);
});

Deno.test("whyEmptiedByDistance() follows spills to where nothing is answered, and survives loops", () => {
  const named = (...pools: PoolPolicy[]) => (name: string) => pools.find((pool) => pool.name === name);
  const near = policy({ maxDistanceKm: 10, allDown: { policy: "pool", pool: "b." } });
  const end = (how: "nodata" | "fail-open") => policy({ name: "b.", allDown: { policy: how } });
  assert.match(whyEmptiedByDistance(near, named(end("nodata")))!, /www\.example\.org\. → b\./);
  assert.equal(whyEmptiedByDistance(near, named(end("fail-open"))), undefined);
  assert.equal(whyEmptiedByDistance(policy({ allDown: { policy: "nodata" } }), named()), undefined);
  assert.equal(whyEmptiedByDistance(near, named(policy({ name: "b.", allDown: near.allDown }))), undefined);
});

Deno.test("select() of a compat pool orders by Formation's score: regions without their country, none left out", () => {
  const { perth, seattle, sydney, singapore, frankfurt } = CITIES;
  const nodes = [
    node("a-fra", frankfurt),
    node("b-sin", singapore),
    node("c-syd", sydney),
    node("d-sea", seattle),
  ];
  const compat = { compat: true, answers: 4, bias: { region: 0.8, country: 0.4, maxKm: 1000 } } as const;
  assert.deepEqual(chosen(nodes, perth, compat), ["d-sea", "c-syd", "b-sin", "a-fra"]);
  // What is too far has the score 0 and comes last, by id.
  const short = { ...compat, maxDistanceKm: 5000 };
  assert.deepEqual(chosen(nodes, perth, short), ["c-syd", "b-sin", "a-fra", "d-sea"]);
  // The fixed objective beside it, with the same numbers: a region counts within its country.
  const fixed = { ...compat, compat: false };
  assert.deepEqual(chosen(nodes, perth, fixed), ["c-syd", "b-sin", "a-fra", "d-sea"]);
});

Deno.test("select() of a large compat pool looks as far as the whole pool reaches", () => {
  const near = Array.from({ length: 60 }, (_, i) => node(`b${i}`, [-32 + i / 100, 115, "AU", "SA"]));
  const nodes = [node("z-sea", CITIES.seattle), ...near];
  const compat = { compat: true, answers: 1, bias: { region: 0.8, country: 0.4, maxKm: 1000 } } as const;
  assert.deepEqual(chosen(nodes, CITIES.perth, compat), ["z-sea"]);
});
