import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../../core/clock.ts";
import { formatName, NAME_OCTETS_MAX } from "../../../../core/dns/name.ts";
import { RCODE } from "../../../../core/dns/types.ts";
import {
  emptyAnswer,
  fold,
  type Name,
  parseName,
  type PluginModule,
  type QueryContext,
} from "../../../../core/plugin.ts";
import { makeAnswering } from "../../../../core/server/answering.ts";
import type { Configuration } from "../../../../core/server/configure.ts";
import { rehearse } from "../../../../core/server/data_plane/rehearsal.ts";
import { hostAddresses } from "../../../../core/server/listen.ts";
import type { Server } from "../../../../core/server/server.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../../../core/snapshot.ts";
import { plugins } from "../../../../plugins/mod.ts";
import { CompatServer } from "../../../compat/compat_server.ts";
import { FakeUpstream, replyWith } from "../../../plugins/forward/fake_upstream.ts";
import { factsOf } from "../../../support/scopes.ts";
import { startServer } from "../../../support/server.ts";
import { allSnippets, tamed } from "../../../support/snippets.ts";

/** The answering half that a data worker has, and all that it has anybody hear. */
function workerOf(
  configuration: Configuration,
  modules: readonly PluginModule[],
  snapshot: () => Snapshot = () => EMPTY_SNAPSHOT,
) {
  const heard: string[] = [];
  const note = (what: string) => (...about: unknown[]) => void heard.push([what, ...about].join(" "));
  const answering = makeAnswering({
    configuration,
    modules,
    clock: SYSTEM_CLOCK,
    random: Math.random,
    log: { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") },
    snapshot,
    writeLine: note("line"),
    count: note("count"),
    observe: note("observe"),
    series: (name) => (note("series")(name), { record: note(name) }),
    insteadOfWaiting: () => emptyAnswer(0, { deferred: true }),
    hostAddresses,
  });
  return { answering, heard, configuration, addressesOf: hostAddresses };
}

/** However slow a machine is, so many. */
const always = (questions: number) => ({ questions, withinMs: Infinity });

const ZONE = fold(parseName("example.org"));

/** One block on port 53, whose pool is at `pool`, with a plugin that keeps what it is told. */
function watched(
  pool: Name,
  { customPlugins = [], rcodeOf = () => RCODE.NOERROR }: {
    readonly customPlugins?: Configuration["globals"]["customPlugins"];
    readonly rcodeOf?: (context: QueryContext) => number;
  } = {},
) {
  const contexts: QueryContext[] = [], told: string[] = [];
  const module: PluginModule = {
    name: "watched",
    usage: "watched",
    options: {},
    parse: () => ({}),
    answerer: () => ({
      name: "watched",
      answer: (context) => (contexts.push(context), emptyAnswer(rcodeOf(context))),
      observe: () => void told.push("observe"),
      tallies: () => (told.push("tallies"), []),
    }),
  };
  const facts = factsOf({
    zones: [ZONE],
    dataZones: [ZONE],
    owned: [{ name: pool, types: [1, 28], pool }],
    plugins: ["watched"],
  });
  const plugins = [{ name: "watched", config: {} }];
  const blocks = [{ facts, endpoints: [{ zone: ZONE, port: 53 }], listenOn: [], limits: {}, plugins }];
  const globals = { stateDirectory: "", controlSocket: "", customPlugins, workers: 1, spinMs: 0 };
  return { ...workerOf({ globals, blocks }, [module]), contexts, told };
}

const POOL = fold(parseName("entry.example.org"));

Deno.test("the server's own names are asked for, and names below, with subnets and without, and nobody is told", () => {
  const world = watched(POOL);
  assert.equal(rehearse(world, always(200)), 200);
  const { contexts, told, heard } = world;
  assert.equal(contexts.length, 200);
  assert.ok(contexts.every(({ rehearsed, unheard, record }) => rehearsed && unheard && !record));
  const names = new Set(contexts.map(({ name }) => formatName(name).replace(/^r\d+\./, "*.")));
  assert.deepEqual([...names].sort(), [
    "*.entry.example.org.",
    "*.example.org.",
    "entry.example.org.",
    "example.org.",
  ]);
  const lengths = new Set(contexts.map(({ edns }) => edns?.clientSubnet?.sourcePrefixLength));
  assert.deepEqual(lengths, new Set([undefined, 24, 56]));
  assert.deepEqual([told, heard], [[], []]);
});

Deno.test("a name that leaves no room for another label is asked for itself", () => {
  const long = fold(parseName(`${"x".repeat(63)}.`.repeat(3) + `${"y".repeat(45)}.example.org`));
  assert.ok(long.length <= NAME_OCTETS_MAX && long.length > NAME_OCTETS_MAX - 11);
  assert.equal(rehearse(watched(long), always(200)), 200);
});

Deno.test("where there are plugins from files nothing is asked, as they may not know of questions that nobody sent", () => {
  const world = watched(POOL, { customPlugins: [{ name: "other", url: "file:///other.ts", index: 0 }] });
  assert.equal(rehearse(world), 0);
  assert.deepEqual(world.contexts, []);
});

Deno.test("what is answered SERVFAIL is asked no more, and the rest goes on", () => {
  const isPool = ({ name }: QueryContext) => formatName(name) === "entry.example.org.";
  const world = watched(POOL, { rcodeOf: (context) => isPool(context) ? RCODE.SERVFAIL : RCODE.NOERROR });
  assert.equal(rehearse(world, always(500)), 500);
  // One for each of its two types.
  assert.equal(world.contexts.filter(isPool).length, 2);
  const broken = watched(POOL, { rcodeOf: () => RCODE.SERVFAIL });
  // Three questions, which are all that there are: two of the pool and one of the zone.
  assert.deepEqual([rehearse(broken, always(500)), broken.contexts.length], [3, 3]);
});

Deno.test("it ends when its time is over", () => {
  const world = watched(POOL);
  assert.ok(rehearse(world, { questions: 10, withinMs: -1 }) === 0 && world.contexts.length === 0);
});

/** Holds that nobody hears anything of what a worker of a server that runs would rehearse, whether or not it has its state yet. */
function checkUnheard({ configuration, publisher }: Server): void {
  const hasNames = configuration.blocks.some(({ facts }) => facts.dataZones.length + facts.owned.length > 0);
  for (const snapshot of [publisher.snapshot, EMPTY_SNAPSHOT]) {
    const world = workerOf(configuration, plugins, () => snapshot);
    // What is said when a plugin is made has nothing to do with questions.
    world.heard.length = 0;
    const asked = rehearse(world, always(300));
    assert.ok(hasNames ? asked > 0 : asked === 0, `${asked} questions`);
    assert.deepEqual(world.heard, []);
  }
}

const FOLDER = "tests/compat/corefiles";

const names = [...Deno.readDirSync(FOLDER)].flatMap(({ name }) => name.match(/^(.*)\.corefile$/)?.[1] ?? []);

for (const name of names.sort()) {
  Deno.test(`nobody counts or logs what workers of the Corefile ${name} rehearse`, async () => {
    await using server = await CompatServer.start(`${FOLDER}/${name}.corefile`);
    checkUnheard(server.test.server);
  });
}

for (const snippet of allSnippets()) {
  Deno.test(`nobody counts or logs what workers of the Corefile at ${snippet.place} rehearse`, async () => {
    await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
    const folder = await Deno.makeTempDir();
    const test = await startServer(tamed(snippet, upstream.upstream.port, folder), {});
    try {
      checkUnheard(test.server);
    } finally {
      await test.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
