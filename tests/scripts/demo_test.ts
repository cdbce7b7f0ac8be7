import assert from "node:assert/strict";
import { CLIENTS, NODE_CITIES } from "../../scripts/demo/clients.ts";
import { addTold, names, type Span } from "../../scripts/demo/watch.ts";
import { exampleNodes, replaceAllOf } from "../../scripts/example.ts";
import { Listeners } from "../../scripts/listeners.ts";
import { parsePrefix } from "../../core/net/address.ts";
import { freePort } from "../support/server.ts";

Deno.test("the show has a city for every node of the example, and networks that do not overlap", async () => {
  assert.deepEqual((await exampleNodes()).map(({ id }) => id), Object.keys(NODE_CITIES).sort());
  const networks = CLIENTS.map(({ network }) => parsePrefix(network));
  assert.ok(networks.every((network) => network && network.length === 16));
  assert.equal(new Set(CLIENTS.map(({ network }) => network)).size, CLIENTS.length);
});

Deno.test("addTold() begins a span when the nodes change, and notes TTLs while they do not", () => {
  const spans: Span[] = [];
  const tell = (atMs: number, ttl: number, ...ids: string[]) =>
    addTold(spans, { ttl, nodes: ids.map((id) => ({ id, km: 1 })) }, atMs);
  tell(0, 60, "fra1", "lon1");
  tell(50, 60, "fra1", "lon1");
  tell(100, 5, "fra1", "lon1");
  assert.ok(names("fra1")(spans));
  tell(150, 60, "lon1", "bom1");
  assert.deepEqual(spans, [
    { nodes: ["fra1", "lon1"], fromMs: 0, ttls: [60, 5] },
    { nodes: ["lon1", "bom1"], fromMs: 150, ttls: [60] },
  ]);
  assert.ok(!names("fra1")(spans));
});

Deno.test("replaceAllOf() refuses to leave out a replacement", () => {
  assert.equal(replaceAllOf("a b a", { a: "c", b: "d" }), "c d c");
  assert.throws(() => replaceAllOf("a", { x: "y" }), /it has no "x"/);
});

Deno.test("Listeners accept until they are closed, and avoid a port that is taken", async () => {
  const first = Listeners.open(["127.0.0.1", "127.0.0.2"], freePort());
  const second = Listeners.open(["127.0.0.2"], first.port);
  try {
    assert.ok(second.port > first.port);
    (await Deno.connect({ hostname: "127.0.0.1", port: first.port })).close();
    first.close("127.0.0.1");
    await assert.rejects(
      Deno.connect({ hostname: "127.0.0.1", port: first.port }),
      Deno.errors.ConnectionRefused,
    );
    (await Deno.connect({ hostname: "127.0.0.2", port: first.port })).close();
  } finally {
    first.close();
    second.close();
  }
});

/** From the first probe that fails to the second is a second: of so many shows one is seen in which it is looked at then. */
const SHOWS = 3;

Deno.test("the show: who takes over for Frankfurt, what TTLs say, what happens when all are down", async () => {
  let death = "";
  for (let show = 0; show < SHOWS && !SHORT_TTL.test(death); show++) death = await deathInShow();
  assert.match(death, SHORT_TTL);
});

const SHORT_TTL = /^ +0\.0 s +Frankfurt, London +TTL (60, then )?5$/m;

/** Has the show given, looks at what it tells, and gives its scene of Frankfurt's death. */
async function deathInShow(): Promise<string> {
  const folder = await Deno.makeTempDir();
  const script = new URL("../../scripts/demo.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", script, "--fast"];
  const env = { TMPDIR: folder };
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env }).output();
  const told = new TextDecoder().decode(stdout);
  assert.equal(code, 0, told + new TextDecoder().decode(stderr));
  const scene = (title: string) => told.split(/^(?=\S)/m).find((text) => text.startsWith(title)) ?? "";

  assert.match(
    scene("Ten nodes work"),
    /^ +Berlin +80\.128\.0\.0\/16 +Frankfurt +423 +London +931 +60 +\/12$/m,
  );
  assert.match(scene("Ten nodes work"), /^ +Auckland +122\.56\.0\.0\/16 +Sydney +\d+ /m);

  const death = scene("Frankfurt dies");
  assert.match(death, /^ +0\.0 s +Frankfurt, London +TTL (60|5|60, then 5)$/m);
  assert.match(death, /^ +Berlin +Frankfurt 423 km, London 931 km +→ +London 931 km, Mumbai 6286 km /m);
  assert.match(death, /^ +Zurich .*→ +London 776 km/m);
  assert.match(death, / 6 of 12 clients moved, 6 keep /);
  assert.match(scene("Frankfurt returns"), /^ +\d\.\d s +Frankfurt, London/m);

  assert.match(scene("Frankfurt is drained"), /^ +\d\.\d s +London, Mumbai +TTL \d+$/m);
  const maintenance = scene("Frankfurt has maintenance").split("\n").filter((line) => / TTL \d/.test(line));
  assert.deepEqual(maintenance.map((line) => / s +(\S+),/.exec(line)![1]), [
    "London",
    "Frankfurt",
    "London",
    "Frankfurt",
  ]);

  assert.match(scene("Every node dies"), /All clients are told what they were told at first/);
  assert.match(
    scene("Every node dies"),
    /all-down: 0 of 10 nodes serve; answering by all-down last-known-good/,
  );
  assert.match(scene("Everything returns"), /All clients are told what they were told at first/);
  assert.match(scene("In all"), /^ +\d+\.\d s until Frankfurt's death was in the answers$/m);

  assert.ok(!told.includes("\x1b"), "colour where there is no terminal");
  assert.deepEqual([...Deno.readDirSync(folder)], [], "nothing is left");
  assert.deepEqual(commandsWith(folder), [], "nothing runs any more");
  await Deno.remove(folder);
  return death;
}

/** Command lines of processes that have `text` in them. */
function commandsWith(text: string): string[] {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).flatMap(({ name }) => {
    try {
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`);
      return command.includes(text) ? [command.replaceAll("\0", " ")] : [];
    } catch {
      return [];
    }
  });
}
