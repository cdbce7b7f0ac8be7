import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { Giver, processMark } from "../../../core/server/hand_over.ts";

const LEGACY = { publisher: { epoch: 1, poolEpochs: {}, serving: {} }, bequests: {} };

/** One that has no ports, and sees processes as it is told. */
function giving() {
  const clock = new ManualClock(), marks = new Map<number, string>(), gone: number[] = [];
  const giver = new Giver({
    ...{ clock, ports: () => new Set<number>(), legacy: () => LEGACY },
    markOf: (pid) => marks.get(pid),
    onGone: (pid) => void gone.push(pid),
  });
  return { giver, marks, gone, pass: (ms: number) => clock.advanceTo(clock.nowMs() + ms) };
}

const only = { ignore: Deno.build.os !== "linux" };

Deno.test(
  "one process takes over at a time, until it has, or says that it does not, or is no more",
  only,
  () => {
    const { giver, marks, gone, pass } = giving();
    marks.set(1, "a").set(2, "b");
    assert.equal(giver.handOver(1).pid, Deno.pid);
    pass(100_000);
    assert.throws(() => giver.handOver(2), /process 1 is taking over already/);
    giver.keep();
    giver.handOver(2);
    marks.delete(2);
    pass(1000);
    assert.deepEqual(gone, [2]);
    assert.throws(() => giver.retire(), /nobody is taking over/);
    giver.handOver(1);
    // Its number is another's by now, which is seen as soon as somebody asks.
    marks.set(1, "c");
    giver.handOver(1);
    assert.deepEqual(gone, [2, 1]);
    giver.retire();
    pass(10_000);
    assert.deepEqual(gone, [2, 1], "who has taken over is not looked for");
  },
);

Deno.test(
  "of a process that cannot be seen it is waited for that it says so, for three minutes",
  only,
  () => {
    const { giver, gone, pass } = giving();
    giver.handOver(7);
    pass(179_000);
    assert.throws(() => giver.handOver(7), /another process is taking over already/);
    pass(1000);
    giver.handOver(undefined);
    assert.deepEqual(gone, []);
    giver.keep();
  },
);

Deno.test("a process has the same mark for as long as it lives", only, async () => {
  const own = processMark(Deno.pid);
  assert.match(own!, /^\d+$/);
  const { stdin, status, pid } = new Deno.Command("cat", { stdin: "piped", stdout: "null" }).spawn();
  const mark = processMark(pid);
  assert.deepEqual([processMark(Deno.pid), processMark(pid)], [own, mark]);
  assert.ok(Number(mark) >= Number(own), `${mark} is not after ${own}`);
  await stdin.close();
  await status;
  assert.equal(processMark(pid), undefined);
});
