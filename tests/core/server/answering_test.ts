import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { fold, parseAddress, parseName, type Plugin, type PluginModule } from "../../../core/plugin.ts";
import { emptyAnswer } from "../../../core/plugin.ts";
import { makeAnswering } from "../../../core/server/answering.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { factsOf, SILENT } from "../../support/scopes.ts";
import { encodeQuery } from "../../support/server.ts";

const ZONE = fold(parseName("example.org"));

/** A chain of one plugin on port 53, in a worker where `insteadOfWaiting` is given. */
function answeringOf(module: PluginModule, insteadOfWaiting?: () => ReturnType<typeof emptyAnswer>) {
  const plugins = [{ name: module.name, config: {} }];
  const facts = factsOf({ zones: [ZONE], plugins: [module.name] });
  const blocks = [{ facts, endpoints: [{ zone: ZONE, port: 53 }], listenOn: [], limits: {}, plugins }];
  const globals = { stateDirectory: "", controlSocket: "", customPlugins: [], workers: 0, spinMs: 0 };
  return makeAnswering({
    configuration: { globals, blocks },
    modules: [module],
    clock: SYSTEM_CLOCK,
    random: () => 0.5,
    log: SILENT,
    snapshot: () => EMPTY_SNAPSHOT,
    writeLine() {},
    count() {},
    observe() {},
    series: () => ({ record() {} }),
    ...insteadOfWaiting && { insteadOfWaiting },
  });
}

const address = parseAddress("127.0.0.1")!;
const ARRIVAL = {
  source: { address, port: 5353 },
  server: { address, port: 53 },
  transport: "udp",
} as const;

Deno.test("a plugin that waits leaves only its answers to the control isolate: in a worker too it says what its block takes", () => {
  let admitted = true;
  const waiting: PluginModule = {
    name: "waiting",
    usage: "waiting",
    options: {},
    waits: true,
    parse: () => ({}),
    answerer: () => ({ name: "waiting", answer: () => emptyAnswer(0), admits: () => admitted }),
  };
  const { examine } = answeringOf(waiting, () => emptyAnswer(0, { deferred: true }));
  const query = encodeQuery("www.example.org", "A");
  assert.deepEqual(examine(query, ARRIVAL), { octets: undefined, deferred: true });
  admitted = false;
  const refused = examine(query, ARRIVAL);
  assert.ok(!(refused instanceof Promise) && refused.octets);
  assert.equal(refused.octets[3]! & 15, 5);
});

Deno.test("the clock is asked how long a reply took only where a plugin wants to know", () => {
  const durationOf = (part: Pick<Plugin, "untimed"> | Pick<Plugin, "observe">) => {
    let durationMs = -1;
    const counting: PluginModule = {
      name: "counting",
      usage: "counting",
      options: {},
      parse: () => ({}),
      answerer: () => ({
        name: "counting",
        answer: () => emptyAnswer(0),
        tallies: (_context, _answer, sent) => (durationMs = sent.durationMs, []),
        ...part,
      }),
    };
    answeringOf(counting).examine(encodeQuery("www.example.org", "A"), ARRIVAL);
    return durationMs;
  };
  assert.ok(durationOf({}) > 0);
  assert.equal(durationOf({ untimed: true }), 0);
  assert.ok(durationOf({ untimed: true, observe() {} }) > 0);
});
