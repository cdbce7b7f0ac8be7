import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { FleetHub } from "../../../core/fleet/hub.ts";
import type { Verdict } from "../../../core/fleet/verdict.ts";
import { FleetLink } from "../../../core/membership/link.ts";
import type { FromFleet, MembershipConfiguration, News, ToFleet } from "../../../core/membership/protocol.ts";

const CONFIGURATION: MembershipConfiguration = {
  store: { kind: "sqlite", file: "fleet.db" },
  ...{ server: "a", region: "", url: "", stateDirectory: "", version: "" },
  agreement: { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 },
};

/** An isolate that says what a test has it say. */
class FakeIsolate {
  onmessage: ((event: MessageEvent<FromFleet>) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly heard: ToFleet[] = [];
  isEnded = false;

  postMessage(message: ToFleet): void {
    this.heard.push(structuredClone(message));
    if (message.kind === "close") this.say({ kind: "closed" });
  }
  terminate(): void {
    this.isEnded = true;
  }
  say(message: FromFleet): void {
    this.onmessage?.({ data: structuredClone(message) } as MessageEvent<FromFleet>);
  }
  fail(message: string): void {
    this.onerror?.({ message, preventDefault() {} } as ErrorEvent);
  }
  kinds(): string[] {
    return this.heard.map(({ kind }) => kind);
  }
}

function open(answer?: (what: string, params: unknown) => Promise<unknown>) {
  const clock = new ManualClock(1_000_000), isolates: FakeIsolate[] = [], log: string[] = [];
  const note = (message: string) => void log.push(message);
  let failures = 0;
  const behind: string[] = [];
  const link = new FleetLink({
    ...{ configuration: CONFIGURATION, clock, log: { debug: note, info: note, warn: note, error: note } },
    makeIsolate: () => isolates[isolates.push(new FakeIsolate()) - 1] as unknown as Worker,
    onFailure: () => void failures++,
    onBehind: (thread) => {
      behind.push(`${thread}`);
      return () => void behind.push(`${thread} has gone`);
    },
    ...answer && { answer },
  });
  return { clock, isolates, log, link, failures: () => failures, behind };
}

const SERVERS: News = {
  revision: 7,
  confirmedMs: 999_000,
  servers: Object.fromEntries(["a", "b"].map((id) => [id, {
    ...{ id, region: "", url: "", version: "", digest: "", configuration: "", pulseMs: 1_000_000 },
  }])),
};

const hub = (verdicts: Map<string, string>): FleetHub => ({
  setNodes() {},
  setPools() {},
  onPools() {},
  setPartitions() {},
  setDegradation() {},
  setTargets() {},
  setVerdicts(changed) {
    for (const [key, verdict] of Object.entries(changed)) verdicts.set(key, verdict?.state ?? "none");
  },
  setDeadlines() {},
  setOverrides() {},
});

const verdict = (state: Verdict["state"]): Verdict => ({ state, sinceMs: 0, reason: "", ramp: 1 });

Deno.test("a start waits for the first news, or for three seconds", async () => {
  const { link, isolates } = open();
  const started = link.start();
  isolates[0]!.say({ kind: "news", news: SERVERS });
  await started;
  assert.deepEqual(link.status.servers, SERVERS.servers);
  await link.close();
  const late = open(), waiting = late.link.start();
  late.clock.advance(3000);
  await waiting;
  assert.match(late.log.join(), /is not there yet: serving without/);
  await late.link.close();
});

Deno.test("a store that refuses is told at the start", async () => {
  const { link, isolates } = open();
  const started = link.start();
  isolates[0]!.say({ kind: "refused", reason: "it holds data of version 9" });
  await assert.rejects(started, /cannot be used: it holds data of version 9/);
  await link.close();
});

Deno.test("an isolate that fails is replaced, later each time, and all that is known stays", async () => {
  const { link, isolates, clock, log, failures } = open();
  const verdicts = new Map<string, string>(), started = link.start();
  isolates[0]!.say({ kind: "news", news: SERVERS });
  await started;
  const joined = link.join(hub(verdicts));
  isolates[0]!.say({ kind: "news", news: { revision: 8, reports: { b: { t: verdict("down") } } } });
  joined.setVerdicts({ t: verdict("down") });
  assert.equal(verdicts.get("t"), "down");
  link.setPlugins([{ name: "api", config: 1 }]);
  link.tellDigest("d1");
  isolates[0]!.fail("out of memory");
  assert.equal(isolates[0]!.isEnded, true);
  assert.equal(verdicts.get("t"), "down");
  assert.match(log.join(), /has ended, what is known of the fleet stays as it is: out of memory/);
  clock.advance(499);
  assert.equal(isolates.length, 1);
  clock.advance(1);
  assert.deepEqual(isolates[1]!.kinds(), ["start", "reports", "digest", "plugins"]);
  isolates[1]!.fail("again");
  clock.advance(999);
  assert.equal(isolates.length, 2);
  clock.advance(1);
  assert.equal(isolates.length, 3);
  assert.equal(failures(), 2);
  await link.close();
  assert.equal(isolates[2]!.isEnded, true);
});

Deno.test("a hub that joins later knows what news have told so far, and one that left hears nothing", async () => {
  const { link, isolates } = open();
  const started = link.start();
  isolates[0]!.say({ kind: "news", news: SERVERS });
  isolates[0]!.say({ kind: "news", news: { revision: 8, reports: { b: { t: verdict("down") } } } });
  await started;
  const verdicts = new Map<string, string>(), joined = link.join(hub(verdicts));
  joined.setVerdicts({ t: verdict("down") });
  assert.equal(verdicts.get("t"), "down");
  await Promise.resolve();
  const reports = () => isolates[0]!.kinds().filter((kind) => kind === "reports").length;
  assert.equal(reports(), 1);
  link.leave(joined);
  joined.setVerdicts({ t: undefined });
  await Promise.resolve();
  assert.equal(reports(), 1, "what is taken back by who is stopped is nobody's news");
  await link.close();
});

Deno.test("what vanished while an isolate was being replaced is gone once the store has confirmed what there is", async () => {
  const { link, isolates, clock } = open(), verdicts = new Map<string, string>();
  const started = link.start(), node = (id: string) => ({ id, ipv4: "192.0.2.1" }) as never;
  const nodes = { n1: node("n1"), n2: node("n2") }, managed: string[][] = [];
  const pools = { "a.": { name: "a." }, "b.": { name: "b." } };
  isolates[0]!.say({ kind: "news", news: { ...SERVERS, nodes, pools } });
  await started;
  const joined = link.join(hub(verdicts)), registered: string[][] = [];
  joined.onRegistry((nodes) => void registered.push(nodes.map(({ id }) => id)));
  joined.onManagedPools((pools) => void managed.push(pools.map(({ name }) => name)));
  joined.setVerdicts({ t: verdict("down") });
  isolates[0]!.say({ kind: "news", news: { revision: 8, reports: { b: { t: verdict("up") } } } });
  assert.equal(verdicts.get("t"), "up");
  isolates[0]!.fail("gone");
  clock.advance(500);
  const allThere = { servers: ["a"], nodes: ["n2"], pools: ["b."], leases: [], reporters: [] };
  isolates[1]!.say({ kind: "news", news: { revision: 9, nodes: { n2: node("n2") } } });
  assert.deepEqual(registered.at(-1), ["n1", "n2"], "what was kept may be old");
  isolates[1]!.say({ kind: "news", news: { revision: 9, allThere } });
  assert.deepEqual(registered.at(-1), ["n2"]);
  assert.deepEqual(managed, [["a.", "b."], ["b."]]);
  assert.deepEqual(Object.keys(link.status.servers), ["a"]);
  assert.equal(verdicts.get("t"), "down", "alone its own verdict stands");
  await link.close();
});

Deno.test("what plugins ask from the isolate is answered, or why not", async () => {
  const { link, isolates } = open((what) =>
    what === "status" ? Promise.resolve({ fine: true }) : Promise.reject(new Error("no such question"))
  );
  const started = link.start();
  isolates[0]!.say({ kind: "news", news: SERVERS });
  await started;
  isolates[0]!.say({ kind: "ask", number: 1, what: "status" });
  isolates[0]!.say({ kind: "ask", number: 2, what: "stauts" });
  await new Promise((resolve) => setTimeout(resolve));
  assert.deepEqual(isolates[0]!.heard.filter(({ kind }) => kind === "told"), [
    { kind: "told", number: 1, value: { fine: true } },
    { kind: "told", number: 2, error: "no such question" },
  ]);
  const response = link.request({ method: "GET", path: "/v1/nodes" });
  isolates[0]!.say({ kind: "response", number: 1, response: { status: 200, headers: {}, body: "[]" } });
  assert.equal((await response).status, 200);
  await link.close();
});

Deno.test("what a plugin's half tells from the isolate comes to its half in every server, also in one that joins later", () => {
  const { isolates, link } = open();
  void link.start();
  const first = link.join(hub(new Map())), heard: unknown[] = [], others: unknown[] = [];
  first.onTold("formation", (value) => void heard.push(value as never));
  first.onTold("another", (value) => void others.push(value));
  isolates[0]!.say({ kind: "tell", plugin: "formation", value: 1 });
  isolates[0]!.say({ kind: "tell", plugin: "formation", value: new Map([["a", 2]]) });
  assert.deepEqual(heard, [1, new Map([["a", 2]])]);
  link.leave(first);
  isolates[0]!.say({ kind: "tell", plugin: "formation", value: 3 });
  assert.equal(heard.length, 2);
  const second = link.join(hub(new Map()));
  second.onTold("formation", (value) => void heard.push(value as never));
  assert.deepEqual([heard.at(-1), others], [3, []]);
  link.leave(second);
});

Deno.test("whose thread goes behind is told, and once that it has gone, however it went", async () => {
  const { link, isolates, clock, behind } = open();
  const started = link.start();
  isolates[0]!.say({ kind: "behind", thread: 20 });
  isolates[0]!.say({ kind: "news", news: SERVERS });
  await started;
  assert.deepEqual(behind.splice(0), ["20"]);
  isolates[0]!.fail("gone");
  assert.deepEqual(behind.splice(0), ["20 has gone"]);
  clock.advance(1000);
  isolates[1]!.say({ kind: "behind", thread: 21 });
  isolates[1]!.say({ kind: "refused", reason: "newer data" });
  assert.deepEqual(behind.splice(0), ["21", "21 has gone"]);
  clock.advance(10_000);
  isolates[2]!.say({ kind: "behind", thread: 22 });
  const closed = link.close();
  isolates[2]!.say({ kind: "closed" });
  await closed;
  assert.deepEqual(behind.splice(0), ["22", "22 has gone"]);
});
