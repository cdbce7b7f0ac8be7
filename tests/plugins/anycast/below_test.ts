import assert from "node:assert/strict";
import {
  type Answer,
  emptyAnswer,
  formatAddress,
  type Next,
  parseAddress,
  parseName,
} from "../../../core/plugin.ts";
import anycast from "../../../plugins/anycast/mod.ts";
import { CITIES, geography, node, NOW_MS, override, snapshot } from "../../core/fleet/make.ts";
import { answerScope, factsOf, queryOf, readAnycast } from "./scopes.ts";

/** Addresses in Frankfurt, Sydney and New York, and one that nobody can place. */
const WORLD = geography([CITIES.frankfurt, CITIES.sydney, CITIES.newYork, CITIES.paris], {
  "192.0.2.1/32": 1,
  "192.0.2.2/32": 2,
  "192.0.2.3/32": 3,
  "198.51.0.0/16": 4,
});

/** The addresses that a client in Paris gets of an RRset from below. */
function ranked(options: string, addresses: readonly string[], lists = {}, subnet = "198.51.100.0/24") {
  const { config, errors } = readAnycast(`anycast www.example.org {\n${options}\n}`);
  assert.deepEqual(errors, []);
  const slot = { partitions: {}, lists };
  const plugin = anycast.answerer(config, answerScope(factsOf([]), { slot, world: WORLD }));
  const rdata = addresses.map((text) => parseAddress(text)!.octets);
  const next: Next = () =>
    emptyAnswer(0, { answer: [{ name: parseName("WWW.example.org"), type: 1, ttl: 300, rdata }] });
  const answer = plugin.answer(
    queryOf("www.example.org", 1, snapshot([]), { world: WORLD, subnet }),
    next,
  ) as Answer;
  return { answer, addresses: answer.answer[0]!.rdata.map((octets) => formatAddress({ family: 4, octets })) };
}

Deno.test("anycast nodes below puts the nearest addresses first, by where geo has them", () => {
  const { answer, addresses } = ranked("nodes below", ["192.0.2.2", "192.0.2.3", "192.0.2.1"]);
  assert.deepEqual(addresses, ["192.0.2.1", "192.0.2.3"]);
  assert.deepEqual([answer.answer[0]!.ttl, answer.answer[0]!.deadline], [300, undefined]);
  assert.deepEqual([answer.dependence.scopePrefixLength, answer.dependence.keys], [16, ["tailored"]]);
  assert.deepEqual(answer.selections, [{
    pool: "www.example.org.",
    nodes: ["192.0.2.1", "192.0.2.3"],
    why: "nearest",
    distanceKm: 477.892,
  }]);
});

Deno.test("anycast nodes below lets an alias to it stand alone when the query carried ECS", () => {
  const { config } = readAnycast("anycast www.example.org {\nnodes below\n}");
  const plugin = anycast.answerer(
    config,
    answerScope(factsOf([]), { slot: { partitions: {}, lists: {} }, world: WORLD }),
  );
  const rdata = ["192.0.2.2", "192.0.2.1"].map((text) => parseAddress(text)!.octets);
  const target = parseName("www.example.org");
  const chain = emptyAnswer(0, {
    answer: [
      {
        name: parseName("alias.example.org"),
        type: 5,
        ttl: 300,
        rdata: [Uint8Array.from(target, (c) => c.charCodeAt(0))],
      },
      { name: target, type: 1, ttl: 300, rdata },
    ],
  });
  const ask = (subnet?: string) =>
    plugin.answer(
      queryOf("alias.example.org", 1, snapshot([]), { world: WORLD, ...subnet && { subnet } }),
      () => chain,
    ) as Answer;
  const alone = ask("198.51.100.0/24");
  assert.deepEqual(alone.answer.map(({ type }) => type), [5]);
  assert.deepEqual([alone.dependence.scopePrefixLength, alone.dependence.keys], [0, ["tailored"]]);
  assert.deepEqual(ask().answer.map(({ type }) => type), [5, 1]);
});

Deno.test("anycast nodes below puts addresses that nobody can place last", () => {
  assert.deepEqual(ranked("nodes below\nanswers 4", ["192.0.2.9", "192.0.2.2", "192.0.2.8"]).addresses, [
    "192.0.2.2",
    "192.0.2.9",
    "192.0.2.8",
  ]);
  assert.deepEqual(ranked("nodes below\nanswers 2", ["192.0.2.9", "192.0.2.8"]).addresses, [
    "192.0.2.8",
    "192.0.2.9",
  ]);
});

Deno.test("anycast nodes below takes place, state and calendar from a list", () => {
  const path = readAnycast("anycast www.example.org {\nnodes below nodes.yaml\n}").config.pools[0]!.nodes
    .path!;
  const maintenance = [{ fromMs: NOW_MS + 5000, untilMs: NOW_MS + 6000, reason: "" }];
  const lists = {
    [path]: [
      node("a", CITIES.london, { ipv4: "192.0.2.2", maintenance }),
      node("b", CITIES.paris, { ipv4: "192.0.2.3", state: "drain" }),
    ],
  };
  const { answer, addresses } = ranked(
    "nodes below nodes.yaml",
    ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
    lists,
  );
  assert.deepEqual(addresses, ["192.0.2.2", "192.0.2.1"]);
  assert.deepEqual(answer.answer[0]!.deadline, {
    earliestMs: NOW_MS + 5000,
    scheduledMs: NOW_MS + 5000,
    steady: true,
  });
});

Deno.test("anycast nodes below works out an RRset's nodes once, and again when what they come from changes", () => {
  const { config } = readAnycast("anycast www.example.org {\nnodes below nodes.yaml\n}");
  const path = config.pools[0]!.nodes.path!;
  const list = (state: "up" | "drain") => ({
    partitions: {},
    lists: { [path]: [node("b", CITIES.paris, { ipv4: "192.0.2.3", state })] },
  });
  let slot = list("up"), shot = snapshot([]), looked = 0;
  const plugin = anycast.answerer(config, {
    ...answerScope(factsOf([]), { world: WORLD }),
    published: () => slot,
  });
  const rdata = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((text) => parseAddress(text)!.octets);
  const below = emptyAnswer(0, {
    answer: [{ name: parseName("www.example.org"), type: 1, ttl: 300, rdata }],
  });
  const first = (subnet: string) => {
    looked = 0;
    const query = queryOf("www.example.org", 1, shot, { world: WORLD, subnet });
    const locateAddress: typeof query.locateAddress = (address) => {
      looked++;
      return query.locateAddress!(address);
    };
    const answer = plugin.answer({ ...query, locateAddress }, () => below) as Answer;
    return [formatAddress({ family: 4, octets: answer.answer[0]!.rdata[0]! }), looked];
  };
  const paris = "198.51.100.0/24", sydney = "192.0.2.2/32";
  assert.deepEqual(first(paris), ["192.0.2.3", 2]);
  assert.deepEqual(first(sydney), ["192.0.2.2", 0]);
  slot = list("drain");
  assert.deepEqual(first(paris), ["192.0.2.1", 2]);
  assert.deepEqual(first(paris), ["192.0.2.1", 0]);
  shot = snapshot([], { overrides: [override("192.0.2.1", "down")] });
  assert.deepEqual(first(paris), ["192.0.2.2", 2]);
});

Deno.test("anycast nodes below leaves alone one address, and names that are not its own", () => {
  assert.equal(ranked("nodes below", ["192.0.2.2"]).answer.selections, undefined);
  const { config } = readAnycast("anycast other.example.org {\nnodes below\n}");
  const plugin = anycast.answerer(config, answerScope(factsOf([]), { world: WORLD }));
  const rdata = ["192.0.2.2", "192.0.2.1"].map((text) => parseAddress(text)!.octets);
  const answer = emptyAnswer(0, {
    answer: [{ name: parseName("www.example.org"), type: 1, ttl: 300, rdata }],
  });
  assert.equal(
    plugin.answer(queryOf("www.example.org", 1, snapshot([]), { world: WORLD }), () => answer),
    answer,
  );
});

Deno.test("anycast nodes below gives unlocated clients what the policy says", () => {
  const all = ["192.0.2.3", "192.0.2.1", "192.0.2.2"];
  assert.deepEqual(ranked("nodes below", all, {}, "8.8.8.0/24").addresses, [
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.3",
  ]);
  const near = "nodes below\nunknown nearest -30 150\nanswers 1";
  assert.deepEqual(ranked(near, all, {}, "8.8.8.0/24").addresses, ["192.0.2.2"]);
});
