/**
 * Cuts servers off from the rest of their fleet, in every way, and looks at what each answers meanwhile and afterwards. Prints
 * what it saw as one line of JSON. Run within namespaces of its own: tests/support/lab/network.ts.
 *
 * @module
 */

import assert from "node:assert/strict";
import { HOLD_MS, LabFleet } from "../../support/lab/fleet.ts";
import { disagreements } from "../../support/lab/watcher.ts";

await using fleet = await LabFleet.start(4);
const { watcher, nodes, stores } = fleet, beganMs = Date.now();
const [a, b, c] = fleet.servers as [
  typeof fleet.servers[0],
  typeof fleet.servers[0],
  typeof fleet.servers[0],
];
const [n1, n2, n3, n4] = nodes as [typeof nodes[0], typeof nodes[0], typeof nodes[0], typeof nodes[0]];
const all = [a, b, c], healedMs: number[] = [];

/** Until everybody says the same again, and finds these nodes up by itself. */
async function heal(server: typeof a, found: readonly typeof n1[]): Promise<void> {
  const fromMs = Date.now();
  await fleet.heal(server);
  await fleet.agree();
  healedMs.push(Date.now() - fromMs);
  await fleet.say(found);
  await fleet.find(found);
}

/** The last pulse that is heard before a cut is no older. */
const PULSE_AGE_MS = 6000;

/** That what is cut off went on saying what it said; and that all nodes serve, if it took so long that it had to widen. */
function assertSteady(server: typeof a, fromMs: number, ...steady: readonly string[]): void {
  const answers = watcher.answersSince(server.id, fromMs),
    mayWiden = Date.now() - fromMs > HOLD_MS - PULSE_AGE_MS;
  if (mayWiden && answers.at(-1) === fleet.answerOf(nodes)) answers.pop();
  const message = `${server.id}, cut off, said ${answers.join(", then ")}`;
  assert.deepEqual(answers, steady.slice(0, Math.max(1, answers.length)), `${message}\n${fleet.logs()}`);
}

n1.refuse();
await fleet.say([n2, n3, n4]);
await fleet.agree();
await fleet.find([n2, n3, n4]);

// Cut off from everybody: its own probes find all nodes down, and it knows that it is the one that is alone.
await fleet.cut(a, { way: "both" });
const cutMs = Date.now(), known = fleet.answerOf([n2, n3, n4]), widened = fleet.answerOf(nodes);
n2.refuse();
await fleet.say([n3, n4], [b, c]);
await fleet.say(nodes, [a]);
const widenedMs = watcher.firstMs(a.id, cutMs, ({ answer }) => answer === widened)!;
assert.deepEqual(
  watcher.answersSince(a.id, cutMs),
  [known, widened],
  "its last state, then all, and nothing between",
);
const sinceMs = Date.now() - cutMs, ageSeconds = await a.ageSeconds();
assert.ok(1000 * ageSeconds >= sinceMs, `who is cut off knows how old its state is: ${ageSeconds} s`);
await heal(a, [n3, n4]);

// Nobody hears it, and it hears what is on its way to it, until those that send it wait for it to confirm.
await fleet.cut(b, { way: "out" });
let fromMs = Date.now();
n2.accept();
await fleet.say([n2, n3, n4], [a, c]);
assertSteady(b, fromMs, fleet.answerOf([n3, n4]), fleet.answerOf([n2, n3, n4]));
await heal(b, [n2, n3, n4]);

// It probes, and the store is a black hole to it: that it sees a node fail turns nothing by itself.
await fleet.cut(c, { way: "in", peers: stores.map(({ machine }) => machine.address) });
fromMs = Date.now();
n3.refuse();
await fleet.say([n2, n4], [a, b]);
assertSteady(c, fromMs, known);
await heal(c, [n2, n4]);

// The cable of one is pulled out.
await fleet.cut(b, "unplugged");
fromMs = Date.now();
n1.accept();
await fleet.say([n1, n2, n4], [a, c]);
assertSteady(b, fromMs, fleet.answerOf([n2, n4]));
await heal(b, [n1, n2, n4]);
await fleet.agree();

const unanswered = all.map(({ id }) => watcher.silences.get(id)!);
assert.deepEqual(unanswered, [0, 0, 0], "every question was answered");
const answers = watcher.turns.filter(({ atMs }) => atMs >= beganMs).map(({ said }) => said?.answer);
assert.ok(!answers.includes(""), "no answer was ever empty");
const [longest] = disagreements(watcher.turns, beganMs, Date.now());
console.log(JSON.stringify({
  ...{ holdMs: HOLD_MS, widenedMs: widenedMs - cutMs, ageSeconds, healedMs },
  disagreedMs: longest?.ms ?? 0,
}));
