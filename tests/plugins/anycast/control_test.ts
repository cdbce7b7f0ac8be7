import assert from "node:assert/strict";
import { dirname } from "node:path";
import { rowOf } from "../../../core/fleet/client_table.ts";
import { parseAddress } from "../../../core/net/address.ts";
import type { Partition } from "../../../core/fleet/partition.ts";
import type { PoolState } from "../../../core/fleet/pool.ts";
import type { AnycastData } from "../../../plugins/anycast/published.ts";
import { start } from "../../../plugins/anycast/control.ts";
import anycast from "../../../plugins/anycast/mod.ts";
import {
  CITIES,
  geography,
  node,
  NOW_MS,
  override,
  POOL,
  pool,
  snapshot,
  verdicts,
} from "../../core/fleet/make.ts";
import { ControlStage, readAnycast } from "./scopes.ts";

const ONE =
  "nodes:\n  - { id: a, addresses: [192.0.2.1], location: { latitude: 1, longitude: 2 }, labels: { role: entry } }\n";
const TWO = `${ONE}  - { id: b, addresses: [192.0.2.2], location: { latitude: 3, longitude: 4 } }\n`;

/** Runs with a node list in a folder of its own. */
async function withList(
  options: string,
  run: (
    stage: ControlStage & { readonly path: string },
    write: (text: string | undefined) => void,
  ) => void | Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const write = (text: string | undefined) => {
    if (text === undefined) Deno.removeSync(`${folder}/nodes.yaml`);
    else Deno.writeTextFileSync(`${folder}/nodes.yaml`, text);
  };
  const stage = Object.assign(new ControlStage(), { path: `${folder}/nodes.yaml` });
  try {
    write(ONE);
    const { config, errors } = readAnycast(`anycast www.example.org {\n${options}\n}`, folder, true);
    assert.deepEqual(errors, []);
    anycast.start(config, stage.scope);
    await run(stage, write);
  } finally {
    await stage.close();
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("start() hands the pool its nodes, with the checks that decide", () =>
  withList("nodes nodes.yaml\ncheck web", ({ pools }) => {
    assert.equal(pools.length, 1);
    assert.deepEqual([pools[0]!.policy.name, pools[0]!.block, pools[0]!.checks], [POOL, "1", ["web"]]);
    assert.deepEqual(pools[0]!.nodes.map(({ id }) => id), ["a"]);
  }));

Deno.test("start() takes a changed node list once two looks in a row found it the same", () =>
  withList("nodes nodes.yaml", ({ pools, clock, journal }, write) => {
    clock.advance(4000);
    assert.equal(pools.length, 1);
    write(TWO);
    clock.advance(2000);
    assert.equal(pools.length, 1);
    clock.advance(2000);
    assert.deepEqual(pools[1]!.nodes.map(({ id }) => id), ["a", "b"]);
    assert.match(journal.lines.join(), /info anycast: took .*nodes\.yaml, 2 nodes/);
    assert.deepEqual(journal.counts, ["meridian_node_list_reloads_total taken"]);
    clock.advance(4000);
    assert.equal(pools.length, 2);
  }));

Deno.test("start() keeps the nodes it has, loudly, while the list is wrong, empty for a pool, or gone", () =>
  withList("nodes nodes.yaml\nselect role=entry", ({ pools, clock, journal }, write) => {
    write(ONE.replace("latitude: 1", "latitude: 95"));
    clock.advance(4000);
    assert.match(
      journal.lines.at(-1)!,
      /^error anycast: .*nodes\.yaml has changed and cannot be taken, keeping the nodes from before: .*nodes\.yaml:2:\d+: latitude must be/,
    );
    write(ONE.replace("entry", "exit"));
    clock.advance(4000);
    assert.match(journal.lines.at(-1)!, /it has no node for pool www\.example\.org\./);
    write(undefined);
    clock.advance(4000);
    assert.match(journal.lines.at(-1)!, /is not there/);
    assert.equal(pools.length, 1);
    assert.equal(journal.counts.at(-1), "meridian_node_list_reloads_total refused");
    write(TWO);
    clock.advance(4000);
    assert.deepEqual(pools[1]!.nodes.map(({ id }) => id), ["a"]);
  }));

const registered = (...ids: string[]) =>
  ids.map((id) => ({ ...node(id, CITIES.frankfurt), labels: { role: "entry" } }));

Deno.test("start() gives a pool the nodes that registered themselves, as they come and go", () =>
  withList("nodes registry\nselect role=entry", ({ pools, register }) => {
    assert.deepEqual(pools.map(({ nodes }) => nodes), [[]]);
    register([...registered("r1", "r2"), { ...node("r3", CITIES.frankfurt), labels: {} }]);
    register(registered("r2"));
    assert.deepEqual(pools.slice(1).map(({ nodes }) => nodes.map(({ id }) => id)), [["r1", "r2"], ["r2"]]);
  }));

Deno.test("start() gives a pool a file's nodes and the registered ones; what the file says of a node holds, and is said", () =>
  withList("nodes nodes.yaml registry", ({ pools, register, clock, journal }, write) => {
    assert.deepEqual(pools.map(({ nodes }) => nodes.map(({ id }) => id)), [["a"]]);
    register(registered("0", "a"));
    register(registered("0", "a"));
    assert.deepEqual(pools.at(-1)!.nodes.map(({ id }) => id), ["0", "a"]);
    assert.equal(pools.at(-1)!.nodes[1]!.ipv4, "192.0.2.1");
    const twice = journal.lines.filter((line) =>
      line.includes("node a is registered and stands in the file too")
    );
    assert.equal(twice.length, 1);
    write(TWO);
    clock.advance(4000);
    assert.deepEqual(pools.at(-1)!.nodes.map(({ id }) => id), ["0", "a", "b"]);
  }));

Deno.test("start() does not take a node list that is being written", () =>
  withList("nodes nodes.yaml", ({ pools, clock, journal }, write) => {
    for (const part of [TWO.slice(0, 40), TWO.slice(0, ONE.length + 5), `${ONE}# more`, TWO]) {
      write(part);
      clock.advance(2000);
    }
    assert.deepEqual([pools.length, journal.lines], [1, []]);
    clock.advance(2000);
    assert.deepEqual(pools[1]!.nodes.map(({ id }) => id), ["a", "b"]);
  }));

Deno.test("start() keeps the nodes it has, and says so once, while the list cannot be read", () =>
  withList("nodes nodes.yaml", ({ pools, clock, journal, path }, write) => {
    write(undefined);
    Deno.mkdirSync(path);
    clock.advance(20_000);
    assert.equal(journal.lines.length, 1);
    assert.match(journal.lines[0]!, /^error anycast: .* keeping the nodes from before: .* cannot be read: /);
    assert.equal(pools.length, 1);
    Deno.removeSync(path);
    write(TWO);
    clock.advance(4000);
    assert.deepEqual(pools[1]!.nodes.map(({ id }) => id), ["a", "b"]);
  }));

Deno.test("start() does not look any more once it is closed", () =>
  withList("nodes nodes.yaml", async (stage, write) => {
    await stage.close();
    write(TWO);
    stage.clock.advance(10_000);
    assert.equal(stage.pools.length, 1);
  }));

Deno.test("start() publishes the list of addresses from below, and makes no pool of it", () =>
  withList("nodes below nodes.yaml", ({ pools, published, clock }, write) => {
    const lists = () => Object.values((published.at(-1) as AnycastData).lists)[0]!.map(({ id }) => id);
    assert.deepEqual([pools.length, lists()], [0, ["a"]]);
    write(TWO);
    clock.advance(4000);
    assert.deepEqual(lists(), ["a", "b"]);
  }));

Deno.test("start() has partitions made once the server answers, but has those of the server before at once", () =>
  withList("nodes nodes.yaml", ({ path }) => {
    for (const inherited of [undefined, []]) {
      const stage = new ControlStage(), waiting: (() => void)[] = [];
      const { config } = readAnycast("anycast www.example.org {\nnodes nodes.yaml\n}", dirname(path));
      const scope = { ...stage.scope, inherited, onServing: (then: () => void) => void waiting.push(then) };
      let made = 0;
      const make = () => (made++, Promise.resolve(undefined));
      start(config, scope, { make, price: () => Promise.resolve({}), close() {} });
      stage.show(snapshot([pool([node("a", CITIES.london)])], {
        geographies: { "1": geography([CITIES.paris], { "0.0.0.0/0": 1 }) },
      }));
      assert.equal(made, inherited ? 1 : 0);
      for (const then of waiting) then();
      assert.equal(made, 1);
    }
  }));

Deno.test("start() refuses to start on a list that has become wrong since it was read", () => {
  const folder = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${folder}/nodes.yaml`, ONE);
  const { config } = readAnycast("anycast www.example.org {\nnodes nodes.yaml\n}", folder);
  Deno.removeSync(folder, { recursive: true });
  assert.throws(() => anycast.start(config, new ControlStage().scope), /anycast: .*nodes\.yaml is not there/);
});

Deno.test("start() logs once when a pool goes all-down, and once when it is back", () =>
  withList("nodes nodes.yaml", (stage) => {
    const nodes = [node("a", CITIES.london), node("b", CITIES.paris)];
    const show = (a: "up" | "down") =>
      stage.show(snapshot([pool(nodes)], { verdicts: verdicts(nodes, { a, b: "down" }) }));
    for (const state of ["up", "down", "down", "up"] as const) show(state);
    assert.deepEqual(stage.journal.lines, [
      `warn anycast: pool ${POOL} (IPv4) is all-down: 0 of 2 nodes serve; answering by all-down last-known-good`,
      `info anycast: pool ${POOL} (IPv4) is back: 1 of 2 nodes serve`,
    ]);
  }));

/** Of the scopes of clients of London's half of IPv4. */
function scopeIn({ rows, tailored }: Partition): number {
  return tailored ? rows!.scopes[rowOf(rows!.clients, parseAddress("1.0.0.0")!)]! : 0;
}

Deno.test("start() keeps partitions of both families current, and publishes them together", () =>
  withList("nodes nodes.yaml", async (stage) => {
    const nodes = [node("a", CITIES.london), node("b", CITIES.sydney)];
    const world = geography([CITIES.paris, CITIES.sydney], { "0.0.0.0/1": 1, "128.0.0.0/1": 2 });
    const state = (epoch: number): PoolState => pool(nodes, {}, { epoch });
    const show = (epoch: number, more = {}) =>
      stage.show(snapshot([state(epoch)], { geographies: { "1": world }, ...more }));
    const partitions = async (count: number) => {
      while (stage.partitions.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
      return stage.partitions[count - 1]![POOL]!;
    };
    stage.show(snapshot([state(1)]));
    assert.equal(stage.partitions.length, 0, "nobody knows where clients are");
    show(1);
    const first = await partitions(1);
    assert.deepEqual([first[4]!.epochs, first[6]], [{ [POOL]: 1 }, undefined]);
    assert.equal(scopeIn(first[4]!), 1);
    show(2, { overrides: [override("b", "drain", { untilMs: NOW_MS + 1000 })] });
    const second = await partitions(2);
    assert.deepEqual([second[4]!.epochs, second[4]!.untilMs], [{ [POOL]: 2 }, NOW_MS + 1000]);
    assert.equal(scopeIn(second[4]!), 0);
  }));
