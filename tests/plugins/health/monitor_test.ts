import { ofTarget, targetEntries } from "../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import type { ProbeJob } from "../../../plugins/health/prober.ts";
import { start } from "../../../plugins/health/mod.ts";
import { until } from "../../support/until.ts";
import { configOf, FleetScope, poolOf, START_MS, ToldProber } from "./support.ts";

/** A block with `text`, its pools, and a prober that does as told. */
async function run(text: string, scope = new FleetScope()) {
  const prober = new ToldProber();
  await start(configOf(`health {\n${text}\n}`), scope, prober.make);
  return { scope, prober };
}

const PLAIN = "hold-down off\nramp off";
const refused = { ok: false, reason: "connection refused" };

/** Lets `ms` pass in small steps, ending probes by `outcome` as they start. */
function pass(
  { scope, prober }: { scope: FleetScope; prober: ToldProber },
  ms: number,
  outcome: (job: ProbeJob) => ReturnType<Parameters<ToldProber["end"]>[0]>,
): void {
  for (let passed = 0; passed < ms; passed += 50) {
    scope.clock.advance(50);
    prober.end(outcome);
  }
}

Deno.test("health has its prober begin once the server answers", async () => {
  const scope = new FleetScope(), prober = new ToldProber();
  let hasBegun = false;
  await start(configOf("health {\ncheck tcp 80\n}"), scope, (report, fault, begin) => {
    begin!(() => void (hasBegun = true));
    return prober.make(report, fault);
  });
  assert.ok(!hasBegun);
  for (const listener of scope.waiting) listener();
  assert.ok(hasBegun);
});

Deno.test("health probes each address of a pool once in an interval, from the first on", async () => {
  const block = await run(`check tcp 80\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1", "192.0.2.2", "2001:db8::1"]));
  const probed: string[] = [];
  pass(block, 10_000, (job) => (probed.push(job.address), {}));
  assert.deepEqual(probed.sort(), ["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
  pass(block, 50_000, () => ({}));
  assert.deepEqual(block.scope.states(), {
    "192.0.2.1 tcp 80 holdDown=off rampMs=0": "up",
    "192.0.2.2 tcp 80 holdDown=off rampMs=0": "up",
    "2001:db8::1 tcp 80 holdDown=off rampMs=0": "up",
  });
  await block.scope.close();
});

Deno.test("health tells the hub which targets decide over an address, and how many may fail", async () => {
  const { scope } = await run("check tcp 80\ncheck icmp\ndegraded failing 50%");
  scope.setNodes(poolOf(["192.0.2.1"]));
  scope.setNodes(poolOf(["192.0.2.2"], { block: "2", policy: { name: "other." } as never }));
  assert.deepEqual(scope.targets, {
    "entry.example.org.": {
      targets: { "192.0.2.1": ["192.0.2.1 tcp 80", "192.0.2.1 icmp"] },
      failingShare: 0.5,
    },
  });
  await scope.close();
});

Deno.test("health probes under the checks that a pool names, and is loud about one it has not", async () => {
  const { scope } = await run("check tcp 80\ncheck web http 80 /");
  scope.setNodes(poolOf(["192.0.2.1"], { checks: ["web", "wbe"] }));
  scope.setNodes(poolOf(["192.0.2.1", "192.0.2.2"], { checks: ["web", "wbe"] }));
  assert.deepEqual(Object.keys(scope.states()), ["192.0.2.1 http 80 /", "192.0.2.2 http 80 /"]);
  assert.deepEqual(scope.said, [
    "error health: pool entry.example.org. wants check 'wbe', which its block does not have: tcp:80, web",
  ]);
  await scope.close();
});

Deno.test("a target goes down two seconds after its first failure, and is probed at the interval again", async () => {
  const block = await run(`check tcp 80\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  const key = "192.0.2.1 tcp 80 holdDown=off rampMs=0";
  pass(block, 70_000, () => ({}));
  const starts: number[] = [];
  pass(block, 25_000, () => (starts.push(block.scope.clock.nowMs()), refused));
  const gaps = starts.slice(1).map((ms, i) => ms - starts[i]!);
  assert.deepEqual(gaps.slice(0, 3), [1000, 1000, 10_000]);
  const { state, sinceMs, reason } = ofTarget(block.scope.current.verdicts, key)!;
  assert.deepEqual([state, sinceMs, reason], ["down", starts[2], "connection refused"]);
  assert.ok(block.scope.said.includes("warn health: 192.0.2.1 tcp 80 is down, was up: connection refused"));
  await block.scope.close();
});

Deno.test("deadlines are published: at once when bad, within half a second when good", async () => {
  const block = await run(`check tcp 80\n${PLAIN}`);
  const { scope, prober } = block;
  scope.setNodes(poolOf(["192.0.2.1"]));
  const deadline = () => targetEntries(scope.current.deadlines)[0]![1];
  const first = deadline();
  assert.ok(first.downMs >= START_MS + 2000 && first.downMs < START_MS + 12_000 && !first.steady);
  pass(block, 70_000, () => ({}));
  const quiet = deadline();
  assert.ok(quiet.steady);
  const probedMs = quiet.downMs - 2000;
  scope.clock.advanceTo(probedMs);
  prober.end(() => ({}));
  assert.equal(deadline(), quiet);
  scope.clock.advance(500);
  assert.deepEqual(deadline(), { ...quiet, downMs: probedMs + 12_000, changeMs: probedMs + 12_000 });
  scope.clock.advanceTo(probedMs + 10_000);
  prober.end(() => refused);
  assert.deepEqual(deadline(), {
    ...quiet,
    downMs: probedMs + 12_000,
    changeMs: probedMs + 12_000,
    steady: false,
  });
  await scope.close();
});

Deno.test("many targets are probed on a beat, and what moved meanwhile is published on the next", async () => {
  // What is drawn first is from when beats are counted.
  let drawn = -1;
  const scope = Object.assign(new FleetScope(), { random: () => (Math.max(0, drawn++) % 10) / 10 });
  const { clock } = scope;
  const block = await run(`check tcp 80\n${PLAIN}`, scope);
  scope.setNodes(poolOf(Array.from({ length: 20 }, (_, i) => `192.0.2.${i}`)));
  pass(block, 80_000, () => ({}));
  const starts = new Set<number>(), reports: number[] = [], published = new Set<number>();
  scope.onSnapshot(() => published.add(clock.nowMs()));
  for (let i = 0; i < 600; i++) {
    clock.advance(50);
    if (block.prober.jobs.length === 0) continue;
    starts.add(clock.nowMs());
    clock.advance(7);
    reports.push(clock.nowMs());
    block.prober.end(() => ({}));
    clock.advance(43);
  }
  assert.ok(starts.size > 6);
  for (const startMs of starts) {
    assert.equal(startMs % 500, 0);
    const moved = reports.some((ms) => ms < startMs && ms > startMs - 500);
    assert.equal(published.has(startMs), moved, `${startMs - START_MS} ms after the start`);
  }
  for (const ms of published) assert.ok(starts.has(ms) || reports.includes(ms - 500));
  await scope.close();
});

Deno.test("beats in quick succession do not each publish what moved", async () => {
  let drawn = 0;
  const scope = Object.assign(new FleetScope(), { random: () => (drawn++ % 10) / 10 });
  const block = await run(`check tcp 80\ninterval 1s\ntimeout 500ms\n${PLAIN}`, scope);
  scope.setNodes(poolOf(Array.from({ length: 20 }, (_, i) => `192.0.2.${i}`)));
  pass(block, 20_000, () => ({}));
  let published = 0;
  scope.onSnapshot(() => published++);
  pass(block, 10_000, () => ({}));
  assert.ok(published >= 10 && published <= 25, `${published} times in ten seconds`);
  await scope.close();
});

Deno.test("verdicts change the snapshot, countdowns do not", async () => {
  const block = await run(`check tcp 80\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(block, 70_000, () => ({}));
  const { epoch } = block.scope.current;
  pass(block, 60_000, () => ({ latencyMs: Math.random() }));
  assert.equal(block.scope.current.epoch, epoch);
  await block.scope.close();
});

Deno.test("the ramp of a target that came up is published step by step", async () => {
  const block = await run("check tcp 80\nhold-down off\nramp 33s");
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(block, 20_000, () => refused);
  const ramps: number[] = [], afterMs: number[] = [];
  for (let i = 0; i < 4000; i++) {
    pass(block, 50, () => ({}));
    const verdict = targetEntries(block.scope.current.verdicts)[0]![1];
    if (verdict.state !== "up" || ramps.at(-1) === verdict.ramp) continue;
    ramps.push(verdict.ramp);
    afterMs.push(block.scope.clock.nowMs() - verdict.sinceMs);
  }
  assert.deepEqual(ramps, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]);
  assert.deepEqual(afterMs, ramps.map((_, i) => 3300 * i));
  await block.scope.close();
});

Deno.test("a target that flaps is held down, and comes up when that ends", async () => {
  const block = await run("check tcp 80\nhold-down 95s 95s\nramp off");
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(block, 20_000, () => refused);
  pass(block, 80_000, () => ({}));
  pass(block, 20_000, () => refused);
  const down = targetEntries(block.scope.current.verdicts)[0]![1];
  assert.equal(down.state, "down");
  pass(block, 120_000, () => ({}));
  const up = targetEntries(block.scope.current.verdicts)[0]![1];
  assert.deepEqual([up.state, up.sinceMs - down.sinceMs], ["up", 95_000]);
  await block.scope.close();
});

Deno.test("two pools and two blocks with the same target share one probe and one state", async () => {
  const { scope, prober } = await run("check tcp 80");
  const second = new ToldProber();
  const other = new FleetScope();
  Object.defineProperty(other, "fleet", { value: scope });
  Object.defineProperty(other, "process", { value: scope.process });
  Object.defineProperty(other, "facts", { value: { ...scope.facts, key: "2" } });
  await start(configOf("health {\ncheck again tcp 80\n}"), other, second.make);
  scope.setNodes(poolOf(["192.0.2.1"]));
  scope.setNodes(poolOf(["192.0.2.1"], { policy: { name: "b." } as never }));
  scope.setNodes(poolOf(["192.0.2.1"], { policy: { name: "c." } as never, block: "2" }));
  scope.clock.advance(10_000);
  assert.deepEqual(prober.jobs.map(({ address }) => address), ["192.0.2.1"]);
  assert.deepEqual(second.jobs, []);
  await scope.close();
  assert.equal(prober.closed, false);
  await other.close();
  assert.equal(prober.closed, true);
});

Deno.test("targets that stay keep their state when the nodes change; those that go are forgotten", async () => {
  const block = await run(`check tcp 80\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1", "192.0.2.2"]));
  pass(block, 20_000, () => refused);
  block.scope.setNodes(poolOf(["192.0.2.2", "192.0.2.3"]));
  assert.deepEqual(block.scope.states(), {
    "192.0.2.2 tcp 80 holdDown=off rampMs=0": "down",
    "192.0.2.3 tcp 80 holdDown=off rampMs=0": "unknown",
  });
  assert.deepEqual(
    targetEntries(block.scope.current.deadlines).map(([key]) => key),
    Object.keys(block.scope.states()),
  );
  const probed = new Set<string>();
  pass(block, 20_000, (job) => (probed.add(job.address), {}));
  assert.deepEqual([...probed].sort(), ["192.0.2.2", "192.0.2.3"]);
  await block.scope.close();
});

Deno.test("at most 512 probes are under way; the others get their turn in order", async () => {
  const { scope, prober } = await run("check tcp 80");
  const addresses = Array.from({ length: 2000 }, (_, i) => `192.0.${i >> 8}.${i & 255}`);
  scope.setNodes(poolOf(addresses));
  scope.clock.advance(10_000);
  assert.equal(prober.jobs.length, 512);
  const seen = new Set<string>();
  const first = prober.jobs[0]!;
  prober.end((job) => job === first ? (seen.add(job.address), {}) : undefined);
  assert.equal(prober.jobs.length, 512);
  while (prober.jobs.length > 0) prober.end(({ address }) => (seen.add(address), {}));
  assert.equal(seen.size, 2000);
  assert.ok(scope.counted.includes("meridian_health_probes_late_total"));
  await scope.close();
});

Deno.test("a check that cannot be run here changes no state and is said once", async () => {
  const block = await run(`check icmp\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(block, 60_000, () => ({ ok: false, local: true, reason: "cannot run ping: not found" }));
  assert.deepEqual(Object.values(block.scope.states()), ["unknown"]);
  assert.deepEqual(block.scope.said, [
    "error health: cannot run icmp here, its targets keep their state: cannot run ping: not found",
  ]);
  await block.scope.close();
});

Deno.test("a success during lag does not degrade, and what was thrown away is counted", async () => {
  const block = await run(`check tcp 80\ndegraded latency 500ms\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(block, 120_000, () => ({ latencyMs: 900, lagged: true, discarded: 2 }));
  assert.deepEqual(Object.values(block.scope.states()), ["up"]);
  const discarded = block.scope.counted.filter((one) => one === "meridian_health_probes_discarded_total tcp");
  const probed = block.scope.counted.filter((one) => one === "meridian_health_probes_total tcp ok");
  assert.equal(discarded.length, 2 * probed.length);
  pass(block, 40_000, () => ({ latencyMs: 900 }));
  assert.deepEqual(Object.values(block.scope.states()), ["degraded"]);
  await block.scope.close();
});

Deno.test("probes go on when the clock is set back", async () => {
  const block = await run(`check tcp 80\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(block, 20_000, () => ({}));
  setBack(block.scope);
  let probes = 0;
  pass(block, 60_000, () => (probes++, {}));
  assert.ok(probes >= 5, `${probes} probes in a minute`);
  await block.scope.close();
});

/** Sets the clock of `scope` back by an hour. */
function setBack({ clock }: FleetScope): void {
  const real = clock.nowMs.bind(clock);
  clock.nowMs = () => real() - 3_600_000;
}

Deno.test("a probe under way when the clock is set back is followed by the next in its time", async () => {
  const block = await run(`check tcp 80\n${PLAIN}`);
  block.scope.setNodes(poolOf(["192.0.2.1", "192.0.2.2"]));
  block.scope.clock.advance(10_000);
  assert.equal(block.prober.jobs.length, 2);
  setBack(block.scope);
  block.prober.end(({ address }) => address === "192.0.2.1" ? {} : undefined);
  let probes = 0;
  pass(block, 60_000, ({ address }) => (probes += address === "192.0.2.2" ? 1 : 0, {}));
  assert.ok(probes >= 5, `${probes} probes in a minute`);
  await block.scope.close();
});

Deno.test("a target that is down comes up although the clock was set back", async () => {
  const block = await run(`check tcp 80\nramp off`);
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(block, 60_000, () => refused);
  assert.match(Object.values(block.scope.states()).join(), /down/);
  setBack(block.scope);
  pass(block, 60_000, () => ({}));
  assert.match(Object.values(block.scope.states()).join(), /up/);
  await block.scope.close();
});

Deno.test("a ramp goes on, and no state begins in the future, when the clock is set back", async () => {
  const block = await run(`check tcp 80\nhold-down off\nramp 60s`);
  block.scope.setNodes(poolOf(["192.0.2.1"]));
  const verdict = () => targetEntries(block.scope.current.verdicts)[0]![1];
  pass(block, 60_000, () => refused);
  while (verdict().state === "down") pass(block, 50, () => ({}));
  assert.equal(verdict().ramp, 0.1);
  setBack(block.scope);
  pass(block, 60_000, () => ({}));
  assert.deepEqual([verdict().state, verdict().ramp], ["up", 1]);
  assert.ok(verdict().sinceMs <= block.scope.clock.nowMs());
  await block.scope.close();
});

Deno.test("what is written down stays fresh while nothing changes", async () => {
  const stateDirectory = await Deno.makeTempDir();
  const scope = new FleetScope();
  scope.stateDirectory = stateDirectory;
  const block = await run(`check tcp 80\n${PLAIN}`, scope);
  scope.setNodes(poolOf(["192.0.2.1"]));
  // The process is gone without a word: no close(). What was on its way to the disk arrives.
  let text: string | undefined;
  for (const spanMs of [30_000, 20 * 60_000]) {
    pass(block, spanMs, () => refused);
    const before = text;
    text = await until("the states to be written", async () => {
      const found = await Deno.readTextFile(`${stateDirectory}/health.json`).catch(() => undefined);
      return found === before ? undefined : found;
    });
  }
  await Deno.writeTextFile(`${stateDirectory}/copy.json`, text!);
  await scope.close();
  await Deno.rename(`${stateDirectory}/copy.json`, `${stateDirectory}/health.json`);

  const next = new FleetScope();
  next.stateDirectory = stateDirectory;
  next.clock.advanceTo(scope.clock.nowMs() + 60_000);
  const after = await run(`check tcp 80\n${PLAIN}`, next);
  next.setNodes(poolOf(["192.0.2.1"]));
  assert.equal(targetEntries(next.current.verdicts)[0]![1].state, "down");
  await after.scope.close();
  await Deno.remove(stateDirectory, { recursive: true });
});

Deno.test("states outlive a restart, counters do not", async () => {
  const stateDirectory = await Deno.makeTempDir();
  const first = new FleetScope();
  first.stateDirectory = stateDirectory;
  const before = await run(`check tcp 80\n${PLAIN}`, first);
  before.scope.setNodes(poolOf(["192.0.2.1"]));
  pass(before, 20_000, () => refused);
  await before.scope.close();

  const second = new FleetScope();
  second.stateDirectory = stateDirectory;
  second.clock.advance(30_000);
  const after = await run(`check tcp 80\n${PLAIN}`, second);
  after.scope.setNodes(poolOf(["192.0.2.1"]));
  const verdict = targetEntries(after.scope.current.verdicts)[0]?.[1];
  assert.deepEqual([verdict!.state, verdict!.reason], ["down", "connection refused"]);
  await after.scope.close();

  await Deno.writeTextFile(`${stateDirectory}/health.json`, "{");
  const third = new FleetScope();
  third.stateDirectory = stateDirectory;
  const corrupt = await run(`check tcp 80\n${PLAIN}`, third);
  corrupt.scope.setNodes(poolOf(["192.0.2.1"]));
  assert.deepEqual(Object.values(corrupt.scope.states()), ["unknown"]);
  assert.match(third.said[0]!, /^error health: cannot use .*health\.json, all targets start as unknown/);
  await corrupt.scope.close();
  await Deno.remove(stateDirectory, { recursive: true });
});

Deno.test("a block is ready once each of its targets has been probed, and late starts are measured", async () => {
  const scope = new FleetScope();
  const ready: (() => boolean)[] = [], lags: number[] = [];
  scope.onReady = (isReady?: () => boolean) => void (isReady && ready.push(isReady));
  scope.observe = (name?: string, value?: number) =>
    void (name?.endsWith("lag_seconds") && lags.push(value!));
  const { prober } = await run("check tcp 80", scope);
  scope.setNodes(poolOf(["192.0.2.1", "192.0.2.2"]));
  const isReady = () => ready.every((isReady) => isReady());
  pass({ scope, prober }, 5000, ({ address }) => address === "192.0.2.1" ? {} : undefined);
  assert.equal(isReady(), false);
  prober.end(() => refused);
  assert.equal(isReady(), true);
  assert.ok(lags.length >= 2 && lags.every((lag) => lag >= 0 && lag < 0.1), `${lags}`);
  await scope.close();
});
