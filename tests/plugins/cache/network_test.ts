import assert from "node:assert/strict";
import { Bench, said } from "./upstream.ts";

/** Asks for several clients in a row; true where upstream was asked. */
async function askAll(bench: Bench, clients: readonly (string | undefined)[]): Promise<boolean[]> {
  const asked: boolean[] = [];
  for (const subnet of clients) {
    const before = bench.asked.length;
    await bench.ask(subnet === undefined ? {} : { subnet });
    asked.push(bench.asked.length > before);
  }
  return asked;
}

const table: [what: string, scope: number | undefined, clients: (string | undefined)[], asked: boolean[]][] =
  [
    ["upstream that is told nothing says the same to all", undefined, [
      undefined,
      "192.0.2.0/24",
      "0.0.0.0/0",
      "2001:db8::/56",
    ], [true, false, false, false]],
    ["an answer holds within its scope", 16, [
      "192.0.2.0/24",
      "192.0.3.0/24",
      "192.0.0.0/16",
      "192.1.2.0/24",
      "192.0.0.0/15",
    ], [true, false, false, true, true]],
    ["one whose scope is longer than what was told holds for just that network", 32, [
      "192.0.2.0/24",
      "192.0.2.0/24",
      "192.0.2.1/32",
      "192.0.2.2/32",
      "192.0.2.0/24",
    ], [true, false, true, true, false]],
    ["families are told apart", 8, ["32.0.0.0/8", "2001:db8::/32", "2000::/8"], [true, true, false]],
    ["who tells no network, or wants none told, is told nothing made for another", 0, [
      undefined,
      "0.0.0.0/0",
      undefined,
      "::/0",
      "192.0.2.0/24",
    ], [true, true, false, false, true]],
  ];
for (const [what, scope, clients, asked] of table) {
  Deno.test(what, async () => {
    const bench = new Bench(
      "cache",
      () => said(["www.example.org. 60 A 192.0.2.1"], scope === undefined ? {} : { scope }),
    );
    assert.deepEqual(await askAll(bench, clients), asked);
  });
}

Deno.test("the nearest network wins, and its scope is said", async () => {
  const bench = new Bench("cache");
  bench.upstream = () => said(["www.example.org. 60 A 192.0.2.8"], { scope: 8 });
  await bench.ask({ subnet: "192.0.0.0/8" });
  bench.upstream = () => said(["www.example.org. 60 A 192.0.2.24"], { scope: 24 });
  await bench.ask({ subnet: "193.0.2.0/24" });
  await bench.ask({ subnet: "192.1.0.0/16" });
  assert.equal(bench.asked.length, 2);
  const { dependence } = await bench.ask({ subnet: "192.0.2.0/24" });
  assert.equal(dependence.scopePrefixLength, 8);
});

Deno.test("where ECS is off, it tells nobody apart", async () => {
  const bench = new Bench("cache", () => said(["www.example.org. 60 A 192.0.2.1"], { scope: 24 }));
  await bench.ask({ subnet: "192.0.2.0/24", ecs: false });
  await bench.ask({ subnet: "198.51.100.0/24", ecs: false });
  assert.equal(bench.asked.length, 1);
});
