import { ofTarget, targetEntries } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import { start } from "../../../plugins/health/mod.ts";
import { configOf, FleetScope, poolOf, ToldProber } from "./support.ts";

const TEXT = "health {\ncheck tcp 80\nhold-down off\nramp off\n}";
const KEY = "192.0.2.1 tcp 80 holdDown=off rampMs=0";

/** A scope that keeps what is handed over, and has been handed over what it is given. */
function scopeWith(more: { inherited?: unknown; process?: FleetScope["process"]; at?: FleetScope } = {}) {
  const scope = new FleetScope();
  if (more.process) Object.defineProperty(scope, "process", { value: more.process });
  if (more.at) Object.defineProperty(scope, "clock", { value: more.at.clock });
  Object.defineProperty(scope, "inherited", { value: more.inherited });
  let make: () => unknown = () => undefined;
  Object.defineProperty(scope, "bequeath", { value: (maker: () => unknown) => void (make = maker) });
  return { scope, bequest: () => make() };
}

/** A target that is up and has failed twice of the three times that it takes. */
async function suspect() {
  const { scope, bequest } = scopeWith(), prober = new ToldProber();
  await start(configOf(TEXT), scope, prober.make);
  scope.setNodes(poolOf(["192.0.2.1"]));
  for (let passed = 0; passed < 80_000; passed += 100) {
    scope.clock.advance(100);
    prober.end(() => ({}));
  }
  for (let failed = 0; failed < 2;) {
    scope.clock.advance(100);
    prober.end(() => (failed++, { ok: false, reason: "connection refused" }));
  }
  assert.equal(ofTarget(scope.current.verdicts, KEY)!.state, "up");
  assert.equal(ofTarget(scope.current.deadlines, KEY)!.steady, false);
  return { scope, prober, bequest };
}

Deno.test("the next server of a process knows at once what this one knows, and probes go on as they were", async () => {
  const before = await suspect();
  const { scope } = scopeWith({ process: before.scope.process, at: before.scope });
  const unused = new ToldProber();
  await start(configOf(TEXT), scope, unused.make);
  scope.setNodes(poolOf(["192.0.2.1"]));
  assert.deepEqual(scope.current.verdicts, before.scope.current.verdicts);
  assert.deepEqual(scope.current.deadlines, before.scope.current.deadlines);
  await before.scope.close();
  assert.equal(before.prober.closed, false);
  // The third failure: two were counted before.
  scope.clock.advance(1000);
  before.prober.end(() => ({ ok: false, reason: "connection refused" }));
  assert.equal(ofTarget(scope.current.verdicts, KEY)!.state, "down");
  assert.equal(ofTarget(before.scope.current.verdicts, KEY)!.state, "up");
  assert.deepEqual(unused.jobs, []);
  await scope.close();
  assert.equal(before.prober.closed, true);
});

Deno.test("while one server replaces another both hear of a verdict, each of its own targets", async () => {
  const before = await suspect();
  const { scope } = scopeWith({ process: before.scope.process, at: before.scope });
  await start(configOf(TEXT), scope, new ToldProber().make);
  scope.setNodes(poolOf(["192.0.2.1", "192.0.2.2"]));
  scope.clock.advance(1000);
  before.prober.end(({ address }) => address === "192.0.2.1" ? { ok: false, reason: "refused" } : {});
  const states = ({ current: { verdicts } }: FleetScope) =>
    targetEntries(verdicts).map(([, { state }]) => state);
  assert.deepEqual(states(before.scope), ["down"]);
  assert.deepEqual(states(scope).sort(), ["down", "unknown"]);
  await scope.close();
  await before.scope.close();
});

Deno.test("a server that could not take over leaves the other's targets as they were", async () => {
  const before = await suspect();
  const kept = structuredClone(before.scope.current.verdicts);
  const { scope } = scopeWith({ process: before.scope.process, at: before.scope });
  await start(configOf(TEXT), scope, new ToldProber().make);
  scope.setNodes(poolOf(["192.0.2.1", "192.0.2.2"]));
  await scope.close();
  assert.deepEqual(before.scope.current.verdicts, kept);
  await before.scope.close();
});

Deno.test("another process goes on counting where this one was, and no earlier than was promised", async () => {
  const before = await suspect();
  const inherited = JSON.parse(JSON.stringify(before.bequest()));
  const { scope } = scopeWith({ inherited, at: before.scope });
  const prober = new ToldProber();
  await start(configOf(TEXT), scope, prober.make);
  scope.setNodes(poolOf(["192.0.2.1"]));
  assert.deepEqual(scope.current.verdicts, before.scope.current.verdicts);
  assert.deepEqual(scope.current.deadlines, before.scope.current.deadlines);
  assert.deepEqual(prober.jobs, []);
  scope.clock.advance(1000);
  prober.end(() => ({ ok: false, reason: "connection refused" }));
  assert.equal(ofTarget(scope.current.verdicts, KEY)!.state, "down");
  await scope.close();
  await before.scope.close();
});

Deno.test("what was handed over and makes no sense is left alone", async () => {
  for (
    const inherited of [null, 1, {}, { targets: null }, { targets: { [KEY]: { state: 1, probeMs: 2 } } }]
  ) {
    const { scope } = scopeWith({ inherited });
    await start(configOf(TEXT), scope, new ToldProber().make);
    scope.setNodes(poolOf(["192.0.2.1"]));
    assert.equal(ofTarget(scope.current.verdicts, KEY)!.state, "unknown");
    await scope.close();
  }
});
