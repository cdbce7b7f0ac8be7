import assert from "node:assert/strict";
import { EventSource, type FleetEvent } from "../../../core/management/events.ts";
import { rrsetKey } from "../../../core/management/zone_keys.ts";
import { parseName } from "../../../core/dns/name.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Difference } from "../../../core/state/replica.ts";

class FakeReplica {
  revision = 10;
  #listener: (differences: readonly Difference[]) => void = () => {};

  onChange(listener: (differences: readonly Difference[]) => void): () => void {
    this.#listener = listener;
    return () => void (this.#listener = () => {});
  }

  /** `+nodes/a 1` is new or changed, `-nodes/a 1` is gone. */
  tell(...lines: readonly string[]): void {
    this.revision++;
    this.#listener(lines.map((line) => {
      const [key, value, before] = line.slice(1).split(" ") as [string, string, string?];
      const entry = (value: string) => ({ key, value, revision: this.revision, version: 1 });
      if (line[0] === "-") return { key, before: entry(value) };
      return { key, after: entry(value), ...before !== undefined && { before: entry(before) } };
    }));
  }
}

function source() {
  const replica = new FakeReplica(), events = new EventSource(replica), end = new AbortController();
  const follow = (after?: string, isToldOf?: (event: FleetEvent) => boolean) =>
    events.follow(after, end.signal, isToldOf);
  return { replica, events, end, follow };
}

async function take(from: AsyncGenerator<FleetEvent>, count: number): Promise<FleetEvent[]> {
  const taken: FleetEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await from.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

const shortOf = ({ id, type, subject }: FleetEvent) => [id, type, subject].filter(Boolean).join(" ");

Deno.test("what happens is told with ids, in order, with what was and what is", async () => {
  const { replica, follow } = source(), following = follow(), first = following.next();
  replica.tell("+nodes/a 1", "+overrides/b 2 1");
  replica.tell("-nodes/a 1");
  const events = [(await first).value, ...await take(following, 2)];
  assert.deepEqual(events.map(shortOf), [
    "11.1 node.created nodes/a",
    "11.2 override.changed overrides/b",
    "12.1 node.deleted nodes/a",
  ]);
  assert.deepEqual([events[1]!.before, events[1]!.after, events[2]!.before], [1, 2, 1]);
});

Deno.test("who comes back goes on behind the last that it had", async () => {
  const { replica, follow, events } = source();
  for (const id of ["a", "b", "c"]) replica.tell(`+nodes/${id} 1`);
  assert.deepEqual((await take(follow("11.1"), 2)).map(shortOf), [
    "12.1 node.created nodes/b",
    "13.1 node.created nodes/c",
  ]);
  assert.equal((await take(follow("10.0"), 1))[0]!.id, "11.1");
  const following = follow(events.last), next = following.next();
  replica.tell("+nodes/d 1");
  assert.equal((await next).value.id, "14.1");
});

Deno.test("who was away too long, or asks for what never was, is told to list anew", async () => {
  const { replica, follow } = source();
  replica.tell("+nodes/a 1");
  for (const after of ["9.1", "12.1", "x", "-1.1"]) {
    assert.deepEqual((await take(follow(after), 1)).map(shortOf), ["11.1 reset"], after);
  }
  for (let i = 0; i < 10_001; i++) replica.tell(`+nodes/${i} 1`);
  assert.equal((await take(follow("11.1"), 1))[0]!.type, "reset");
  assert.equal((await take(follow("13.1"), 1))[0]!.id, "14.1");
});

Deno.test("who reads too slowly is told to list anew, and keeps nothing waiting without end", async () => {
  const { replica, follow } = source(), following = follow(), first = following.next();
  for (let i = 0; i < 2500; i++) replica.tell(`+nodes/${i} 1`);
  assert.equal((await first).value.type, "reset");
  replica.tell("+nodes/last 1");
  const rest = await take(following, 500);
  assert.equal(rest.at(-1)!.subject, "nodes/last");
});

Deno.test("a reader hears only of what it may", async () => {
  const { replica, follow } = source();
  const following = follow(undefined, ({ type }) => type.startsWith("node.")), first = following.next();
  replica.tell("+audit/fra/1 1", "+nodes/a 1");
  assert.equal((await first).value.type, "node.created");
});

Deno.test("heartbeats, pulses, answers kept and secrets are nobody's business", async () => {
  const { replica, follow } = source(), following = follow(), first = following.next();
  const key = rrsetKey("example.org.", "1-a", parseName("www.example.org"), 1);
  replica.tell(
    ...[
      "+alive/fra/1 1",
      "+load/fra/1 1",
      "+idempotency/a/b 1",
      "+secrets/a 1",
      "+tokens/a 1",
      "+demand/rows/a/1 1",
    ],
    ...['+servers/fra {"digest":"x","nowMs":2} {"digest":"x","nowMs":1}', "+approvals/a {} {}", `+${key} 1`],
  );
  const events = [(await first).value, ...await take(following, 1)];
  assert.deepEqual(events.map(shortOf), [
    "11.1 approval.changed approvals/a",
    "11.2 rrset.created records/example.org./www.example.org./A",
  ]);
  assert.deepEqual(Object.keys(events[0]!), ["id", "type", "subject"]);
});

Deno.test("a server's new digest is told, without its pulse", async () => {
  const { replica, follow } = source(), following = follow(), first = following.next();
  replica.tell(`+${KEYS.server("fra")} {"digest":"y","nowMs":2} {"digest":"x","nowMs":1}`);
  assert.deepEqual((await first).value.after, { digest: "y" });
});

Deno.test("a store that was put back begins anew", async () => {
  const { replica, follow } = source(), following = follow(), first = following.next();
  replica.tell("+nodes/a 1");
  await first;
  replica.revision = 3;
  replica.tell("-nodes/a 1");
  assert.deepEqual((await take(following, 1)).map(shortOf), ["4.0 reset"]);
});

Deno.test("it ends when it is told to", async () => {
  const { end, events, follow } = source();
  const one = follow().next();
  end.abort();
  assert.equal((await one).done, true);
  events.close();
});
