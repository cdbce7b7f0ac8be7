/** When an agent does what, with the clock in hand. */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { Agent } from "../../../core/agent/agent.ts";
import { Client } from "../../../core/agent/client.ts";
import { nodeKey } from "../../../core/agent/key_file.ts";
import { ServerList } from "../../../core/agent/servers.ts";
import { ManualClock } from "../../../core/clock.ts";
import { QUIET } from "../registry/make.ts";

const A = "https://a.example", B = "https://b.example", START = 1_700_000_000_000;

interface Asked {
  readonly atMs: number;
  readonly server: string;
  readonly what: string;
}

/** Lets answers come that are on their way: bodies of responses are read by the event loop. */
async function answered(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** An agent whose servers answer as they are told to. */
class Play {
  readonly clock = new ManualClock(START);
  readonly asked: Asked[] = [];
  readonly agent: Agent;
  /** What servers answer; undefined = as they should. */
  answer: (asked: Asked) => Response | Error | undefined = () => undefined;
  beat: object = {};

  constructor(random: number) {
    const client = new Client((url, init) => this.#fetch(new URL(url), init), this.clock);
    this.agent = new Agent({
      ...{ clock: this.clock, random: () => random, log: QUIET, drainMs: 60_000, client, keep() {} },
      node: { id: "n", addresses: ["192.0.2.1"], location: { latitude: 0, longitude: 0 } },
      key: nodeKey(generateKeyPairSync("ed25519").privateKey),
      servers: new ServerList([A, B], []),
      joinToken: () => Promise.resolve("token"),
      load: () => ({ cpu: 0, memory: 0, network: 0, connections: 0 }),
    });
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    for (;;) {
      await answered();
      if (this.clock.nowMs() >= endMs) return;
      this.clock.advanceTo(Math.min(endMs, this.clock.nextMs));
    }
  }

  /** Seconds after the start at which something was asked. */
  times(what: string): number[] {
    return this.asked.filter((asked) => asked.what === what).map(({ atMs }) => (atMs - START) / 1000);
  }

  #fetch({ origin, pathname }: URL, { method }: RequestInit): Promise<Response> {
    const what = pathname.endsWith("/challenge") ? "challenge" : method!;
    const asked = { atMs: this.clock.nowMs(), server: origin, what };
    this.asked.push(asked);
    const answer = this.answer(asked);
    if (answer instanceof Error) return Promise.reject(answer);
    if (answer) return Promise.resolve(answer);
    const lease = { seconds: 30, beatSeconds: 10 };
    const bodies: Record<string, object> = {
      challenge: { challenge: "c", expiresMs: 0 },
      POST: { lease, credential: "x", credentialSeconds: 900, notices: [] },
      PUT: { leaseUntilMs: 0, servers: [A, B], ...this.beat },
    };
    return Promise.resolve(
      method === "DELETE" ? new Response(null, { status: 204 }) : Response.json(bodies[what]),
    );
  }
}

const refusal = (code: string, status: number) => Response.json({ code, status, detail: code }, { status });

Deno.test("heartbeats come a little earlier than they must, by chance, and never later", async () => {
  for (const [random, everyMs] of [[0, 8500], [0.9999, 9999.85]] as const) {
    const play = new Play(random);
    play.agent.start();
    await play.pass(60_000);
    const times = play.times("PUT");
    assert.equal(times[0], 0);
    times.slice(1).forEach((at, i) => assert.ok(Math.abs((at - times[i]!) * 1000 - everyMs) < 2, `${times}`));
    assert.equal(play.times("POST").length, 1);
    await play.agent.stop();
  }
});

Deno.test("it is heard as often as the last answer said, and not as nonsense says", async () => {
  const play = new Play(0.9999);
  play.agent.start();
  await play.pass(11_000);
  play.beat = { lease: { seconds: 12, beatSeconds: 3 } };
  await play.pass(20_000);
  const every = (times: number[]) => times.slice(1).map((at, i) => Math.round(at - times[i]!));
  assert.deepEqual(every(play.times("PUT")), [10, 10, 3, 3, 3]);
  const heldMs = play.agent.status.leaseUntilMs! - play.agent.status.heardMs!;
  assert.equal(heldMs, 12_000);
  const nonsense = [{ seconds: 12, beatSeconds: 0 }, { seconds: 5, beatSeconds: 9 }, { seconds: "x" }, null];
  for (const lease of nonsense) {
    play.beat = { lease };
    play.asked.length = 0;
    await play.pass(12_000);
    assert.deepEqual(every(play.times("PUT")), [3, 3, 3], JSON.stringify(lease));
  }
  await play.agent.stop();
});

Deno.test("it registers again with half of its credential left", async () => {
  const play = new Play(0.5);
  play.agent.start();
  await play.pass(1_000_000);
  const [, second, third] = play.times("POST");
  assert.ok(second! >= 450 && second! < 460 && third! >= 900 && third! < 920, `${second} ${third}`);
  await play.agent.stop();
});

Deno.test("the next server is asked at once, and all of them ever less often, but often enough", async () => {
  const play = new Play(0.5);
  play.agent.start();
  await play.pass(1000);
  play.answer = () => new Error("refused");
  play.asked.length = 0;
  await play.pass(120_000);
  const rounds = play.asked.filter(({ server }) => server === A).map(({ atMs }) => atMs);
  const others = play.asked.filter(({ server }) => server === B).map(({ atMs }) => atMs);
  assert.deepEqual(others, rounds.slice(0, others.length));
  const waits = rounds.slice(1).map((atMs, i) => atMs - rounds[i]!);
  assert.deepEqual(waits.slice(0, 5), [375, 750, 1500, 3000, 6000]);
  assert.ok(waits.slice(5).every((ms) => ms === 7500), `${waits}`);
  // A second after they are back it is heard, and then as usual.
  play.answer = () => undefined;
  await play.pass(7500);
  assert.equal(play.agent.status.state, "registered");
  await play.agent.stop();
});

Deno.test("with a short lease servers that failed are asked again as often as they want to hear", async () => {
  const play = new Play(0.9999);
  play.beat = { lease: { seconds: 10, beatSeconds: 3 } };
  play.agent.start();
  await play.pass(1000);
  play.answer = () => new Error("refused");
  play.asked.length = 0;
  await play.pass(60_000);
  const rounds = play.asked.filter(({ server }) => server === A).map(({ atMs }) => atMs);
  const waits = rounds.slice(1).map((atMs, i) => Math.round((atMs - rounds[i]!) / 100) / 10);
  assert.deepEqual([waits.slice(0, 4), Math.max(...waits)], [[0.5, 1, 2, 3], 3]);
  await play.agent.stop();
});

Deno.test("who does not answer at all is given up after five seconds", async () => {
  const play = new Play(0.5);
  const client = new Client(
    (_, { signal }) =>
      new Promise((_, reject) => signal!.addEventListener("abort", () => reject(new Error("aborted")))),
    play.clock,
  );
  const asking = client.beat(A, "n", "x", {} as never).then(() => "answered", (error) => error.message);
  await play.pass(4999);
  play.clock.advance(1);
  assert.equal(await asking, "Cannot reach https://a.example: no answer in 5 s");
});

Deno.test("who is forgotten registers again at once; who is refused waits until somebody may have mended it", async () => {
  const play = new Play(0.5);
  play.agent.start();
  await play.pass(1000);
  let isForgotten = true;
  play.answer = ({ what }) => {
    if (what !== "PUT" || !isForgotten) return undefined;
    isForgotten = false;
    return refusal("not-registered", 404);
  };
  await play.pass(10_000);
  assert.deepEqual(play.times("POST").map(Math.floor), [0, 9]);
  assert.deepEqual(play.times("PUT").map(Math.floor), [0, 9, 9]);
  play.answer = ({ what }) => what === "challenge" ? undefined : refusal("claimed", 409);
  play.asked.length = 0;
  await play.pass(100_000);
  assert.equal(play.agent.status.state, "refused");
  assert.ok(play.times("POST").length <= 4, `${play.times("POST")}`);
  assert.deepEqual(new Set(play.asked.map(({ server }) => server)), new Set([A, B]));
  await play.agent.stop();
});

Deno.test("a server that forgets a node each time is not asked without end", async () => {
  const play = new Play(0.5);
  play.answer = ({ what }) => what === "PUT" ? refusal("credential-refused", 401) : undefined;
  play.agent.start();
  await play.pass(60_000);
  assert.ok(play.asked.length < 150, `${play.asked.length}`);
  await play.agent.stop();
});

Deno.test("a server that cannot pass on what it hears is left for another one", async () => {
  const play = new Play(0.5);
  play.beat = { isAlone: true };
  play.agent.start();
  await play.pass(30_000);
  const servers = play.asked.filter(({ what }) => what === "PUT").map(({ server }) => server);
  assert.deepEqual(servers.slice(0, 3), [A, B, A]);
  const [first, second, third] = play.times("PUT") as [number, number, number];
  assert.equal(second - first, 1, "the lease runs");
  assert.ok(third - second > 8, "where all are cut off there is no hurry");
  await play.agent.stop();
});

Deno.test("while it drains it asks every two seconds whether it is drained, and leaves then", async () => {
  const play = new Play(0.5);
  play.agent.start();
  await play.pass(3000);
  play.beat = { drainedInMs: 5000 };
  const left = play.agent.drain();
  await play.pass(5500);
  play.beat = { drainedInMs: 0 };
  await play.pass(2000);
  assert.equal(await left, true);
  assert.deepEqual(play.times("PUT").map((s) => Math.round(s)), [0, 3, 5, 7, 9]);
  assert.deepEqual(play.times("DELETE").map((s) => Math.round(s)), [9]);
});
