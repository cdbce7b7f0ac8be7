import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { State } from "../../../core/fleet/verdict.ts";
import type { TargetReport } from "../../../core/membership/protocol.ts";
import { readReports } from "../../../core/membership/report_record.ts";
import { ReportWriter } from "../../../core/membership/report_writer.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { MemoryStore, NOW_MS } from "../management/support.ts";

const N1 = "192.0.2.1 tcp 80", N2 = "192.0.2.2 tcp 80";

/** A report, which counts down from an instant where it has one. */
const said = (state: State, downMs?: number): TargetReport => ({
  ...{ state, sinceMs: NOW_MS, reason: "", ramp: 1 },
  ...downMs !== undefined &&
    { deadline: { downMs, upMs: Infinity, changeMs: downMs, rampMs: Infinity, steady: false } },
});

/** A store, and the writer of one server. */
class Stage {
  readonly store = new MemoryStore();
  readonly clock = new ManualClock(NOW_MS);
  readonly errors: string[] = [];
  readonly writer = this.another();

  another(): ReportWriter {
    const { store, clock } = this, error = (message: string) => void this.errors.push(message);
    const ledger = new Ledger({ store, server: "fra", clock });
    return new ReportWriter({ store, ledger, server: "fra", clock, log: { warn: error, error } });
  }

  /** So long that what waits has been written, or tried. */
  async pass(): Promise<void> {
    this.clock.advance(1000);
    for (let i = 0; i < 200; i++) await Promise.resolve();
  }

  get stored(): Record<string, TargetReport> {
    const entries = [...this.store.entries.values()].filter(({ key }) => key.startsWith("reports/fra/"));
    return Object.assign({}, ...entries.map(({ value }) => readReports(value)));
  }
}

Deno.test("a report that the network kept back does not take the place of a later one", async () => {
  const stage = new Stage(), { store, writer } = stage;
  writer.take({ [N1]: said("up") });
  await stage.pass();
  store.unheard = "kept";
  writer.take({ [N1]: said("up", NOW_MS + 5000) });
  await stage.pass();
  writer.take({ [N1]: said("down") });
  store.unheard = undefined;
  await stage.pass();
  assert.equal(stage.stored[N1]!.state, "down");
  store.deliver();
  assert.equal(stage.stored[N1]!.state, "down");
});

Deno.test("a turn that the network kept back does not take the place of what was said when it was taken back", async () => {
  const stage = new Stage(), { store, writer } = stage;
  writer.take({ [N1]: said("up") });
  await stage.pass();
  store.unheard = "kept";
  writer.take({ [N1]: said("down") });
  await stage.pass();
  writer.take({ [N1]: said("up", NOW_MS + 5000) });
  store.unheard = undefined;
  await stage.pass();
  store.deliver();
  assert.deepEqual(stage.stored, { [N1]: said("up", NOW_MS + 5000) });
});

Deno.test("what a process before said goes, and nothing that is said afterwards goes with it", async () => {
  const stage = new Stage(), { store } = stage;
  stage.writer.take({ [N1]: said("up"), [N2]: said("up") });
  await stage.pass();
  const writer = stage.another();
  store.unheard = "kept";
  writer.take({ [N1]: said("down") });
  await stage.pass();
  store.unheard = undefined;
  await stage.pass();
  assert.deepEqual(stage.stored, { [N1]: said("down") });
  store.deliver();
  assert.deepEqual(stage.stored, { [N1]: said("down") });
});

Deno.test("more turns at once than go into one transaction are all told, each with a record", async () => {
  const stage = new Stage(), all = Array.from({ length: 500 }, (_, i) => `192.0.${i >> 8}.${i & 255} tcp 80`);
  stage.writer.take(Object.fromEntries(all.map((key) => [key, said("up")])));
  for (let i = 0; i < 10; i++) await stage.pass();
  assert.deepEqual(stage.errors, []);
  assert.equal(Object.keys(stage.stored).length, all.length);
  const records = [...stage.store.entries.keys()].filter((key) => key.startsWith("audit/fra/"));
  assert.equal(records.length, all.length);
});

Deno.test("targets so many that those of some buckets do not go into one transaction are told", async () => {
  const stage = new Stage(), reason = "x".repeat(2000);
  const all = Array.from({ length: 1500 }, (_, i) => `192.0.${i >> 8}.${i & 255} tcp 80`);
  stage.writer.take(Object.fromEntries(all.map((key) => [key, { ...said("up"), reason }])));
  for (let i = 0; i < 10; i++) await stage.pass();
  assert.deepEqual(stage.errors, []);
  assert.equal(Object.keys(stage.stored).length, all.length);
});

Deno.test("whatever becomes of writes whose outcome nobody hears, in the end what was said last is there", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    let state = seed;
    const below = (n: number) => (state = Math.imul(state ^ state >>> 15, 0x2c1b3c6d) + seed >>> 0) % n;
    const stage = new Stage(), { store, writer } = stage, last: Record<string, TargetReport> = {};
    for (let step = 0; step < 40; step++) {
      const key = `192.0.2.${below(4)} tcp 80`, what = below(10);
      if (what < 6) {
        const report = what === 5
          ? null
          : said(below(2) ? "up" : "down", below(2) ? NOW_MS + step : undefined);
        writer.take({ [key]: report });
        if (report) last[key] = report;
        else delete last[key];
      } else if (what < 9) store.unheard = [undefined, "done", "kept"][what - 6] as typeof store.unheard;
      else store.deliver();
      if (below(2)) await stage.pass();
    }
    store.unheard = undefined;
    for (let i = 0; i < 3; i++) await stage.pass();
    store.deliver();
    assert.deepEqual(stage.stored, last, `seed ${seed}`);
    assert.deepEqual(stage.errors, []);
  }
});
