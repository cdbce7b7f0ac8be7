import assert from "node:assert/strict";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { Sender, type SenderOptions } from "../../../plugins/dnstap/sender.ts";
import { encodeControl } from "../../../plugins/dnstap/frames.ts";
import { until } from "../../support/until.ts";
import { Collector, type CollectorOptions } from "./collector.ts";

/** A frame of one octet of data, or more. */
function frameOf(value: number, length = 1): Uint8Array {
  const frame = new Uint8Array(4 + length);
  new DataView(frame.buffer).setUint32(0, length);
  frame[4] = value;
  return frame;
}

async function withSender(
  options: CollectorOptions | undefined,
  body: (made: {
    sender: Sender;
    path: string;
    collector: Collector | undefined;
    said: string[];
    counts: { sent: number; dropped: number };
  }) => Promise<void>,
  more: Partial<SenderOptions> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir(), path = `${folder}/tap.sock`;
  const collector = options && new Collector(path, options);
  const said: string[] = [], counts = { sent: 0, dropped: 0 };
  const sender = new Sender({
    to: "the collector",
    connect: () => Deno.connect({ transport: "unix", path }),
    clock: SYSTEM_CLOCK,
    log: { info: (line) => void said.push(line), warn: (line) => void said.push(line) },
    onSent: (count) => void (counts.sent += count),
    onDropped: (count) => void (counts.dropped += count),
    ...more,
  });
  try {
    await body({ sender, path, collector, said, counts });
  } finally {
    await sender.close();
    await collector?.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("frames arrive in order, and closing sends what waits before it says goodbye", () =>
  withSender({}, async ({ sender, collector, counts, said }) => {
    for (let i = 0; i < 200; i++) sender.send(frameOf(i, 1000));
    await sender.close();
    assert.deepEqual(collector!.frames.map(([first]) => first), Array.from({ length: 200 }, (_, i) => i));
    assert.deepEqual(collector!.controls, [4, 2, 3]);
    assert.deepEqual(counts, { sent: 200, dropped: 0 });
    assert.deepEqual(said, []);
  }, { clock: new ManualClock() }));

Deno.test("closing loses nothing where the process stood still for all the time that it waits", async () => {
  const timers = new Set<() => void>();
  const after = (_: number, then: () => void) => (timers.add(then), () => void timers.delete(then));
  await withSender({}, async ({ sender, counts }) => {
    for (let i = 0; i < 200; i++) sender.send(frameOf(i, 1000));
    const closed = sender.close();
    // Every timer is over before the collector has been spoken to.
    for (const then of [...timers]) then();
    await closed;
    assert.deepEqual(counts, { sent: 200, dropped: 0 });
  }, { clock: { nowMs: () => 0, after } });
});

Deno.test("a collector that reads nothing costs a queue of 10000, and the rest is dropped and counted", async () => {
  const gate = Promise.withResolvers<void>();
  await withSender({ gate: gate.promise }, async ({ sender, collector, counts }) => {
    sender.send(frameOf(1, 500_000));
    await until("the handshake", () => collector!.controls.length === 2);
    for (let i = 0; i < 12_000; i++) sender.send(frameOf(2));
    assert.equal(sender.isFull, true);
    assert.equal(counts.dropped, 2000);
    gate.resolve();
    await until("the rest", () => collector!.frames.length === 10_001);
    // Who has written may hear of it after who has read.
    await until("that to be counted", () => counts.sent === 10_001);
    assert.deepEqual(counts, { sent: 10_001, dropped: 2000 });
  }, { clock: new ManualClock() });
});

Deno.test("long messages cost a queue of 16 MiB, however few they are, and it is free again when they have gone", async () => {
  const gate = Promise.withResolvers<void>();
  await withSender({ gate: gate.promise }, async ({ sender, collector, counts }) => {
    sender.send(frameOf(1, 500_000));
    await until("the handshake", () => collector!.controls.length === 2);
    for (let i = 0; i < 20; i++) sender.send(frameOf(2, 2 ** 20));
    assert.equal(sender.isFull, true);
    assert.equal(counts.dropped, 4);
    gate.resolve();
    await until("the rest", () => collector!.frames.length === 17);
    assert.equal(sender.isFull, false);
  }, { clock: new ManualClock() });
});

Deno.test("closing waits a second at most for a collector that takes nothing", async () => {
  const gate = Promise.withResolvers<void>();
  await withSender({ gate: gate.promise }, async ({ sender, collector, counts }) => {
    for (let i = 0; i < 100; i++) sender.send(frameOf(i, 60_000));
    await until("the handshake", () => collector!.controls.length === 2);
    await sender.close();
    assert.ok(counts.dropped > 0, `${counts.dropped} dropped`);
    assert.ok(counts.sent + counts.dropped <= 100);
    gate.resolve();
  });
});

Deno.test("without a collector it is tried again, ever more rarely, and said once; and again when it is back", async () => {
  const clock = new ManualClock();
  const startMs = clock.nowMs(), triedMs: number[] = [];
  let inner: () => Promise<Deno.Conn>;
  await withSender(undefined, async ({ sender, path, said }) => {
    inner = () => Deno.connect({ transport: "unix", path });
    sender.send(frameOf(1));
    await until("the first attempt", () => said.length === 1);
    for (let tries = 2; tries <= 6; tries++) {
      await until("the end of an attempt", () => clock.nextMs < Infinity);
      clock.advanceTo(clock.nextMs);
      await until("an attempt", () => triedMs.length === tries);
    }
    await until("the end of the last", () => clock.nextMs < Infinity);
    assert.deepEqual(triedMs, [0, 1, 3, 7, 15, 31]);
    assert.match(said[0]!, /^dnstap: cannot send to the collector, trying on: /);
    const collector = new Collector(path);
    clock.advanceTo(clock.nextMs);
    await until("the frame", () => collector.frames.length === 1);
    assert.deepEqual(said.slice(1), ["dnstap: connected to the collector"]);
    await sender.close();
    await collector.close();
  }, {
    clock,
    connect() {
      triedMs.push((clock.nowMs() - startMs) / 1000);
      return inner();
    },
  });
});

Deno.test("a collector that hangs up is connected to again, and what comes later reaches it", async () => {
  const clock = new ManualClock();
  await withSender({ hangUpAfter: 1 }, async ({ sender, collector, said }) => {
    sender.send(frameOf(1));
    await until("the first frame", () => collector!.frames.length === 1 && said.length === 1);
    assert.match(said[0]!, /trying on/);
    sender.send(frameOf(2));
    clock.advanceTo(clock.nextMs);
    await until("the second frame", () => collector!.frames.length === 2);
  }, { clock });
});

Deno.test("what answers something else than ACCEPT is no collector", async () => {
  const folder = await Deno.makeTempDir(), path = `${folder}/tap.sock`;
  const listener = Deno.listen({ transport: "unix", path });
  const accepting = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(1000));
    await connection.write(encodeControl(1, "protobuf:other"));
    return connection;
  })();
  const said: string[] = [];
  const sender = new Sender({
    to: "a stranger",
    connect: () => Deno.connect({ transport: "unix", path }),
    clock: new ManualClock(),
    log: { info() {}, warn: (line) => void said.push(line) },
    onSent() {},
    onDropped() {},
  });
  sender.send(frameOf(1));
  await until("a complaint", () => said.length === 1);
  assert.match(said[0]!, /it does not take protobuf:dnstap\.Dnstap/);
  await sender.close();
  (await accepting).close();
  listener.close();
  await Deno.remove(folder, { recursive: true });
});
