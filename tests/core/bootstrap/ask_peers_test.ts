import assert from "node:assert/strict";
import {
  askPeers,
  type AskPeersOptions,
  followPeers,
  PeersError,
} from "../../../core/bootstrap/ask_peers.ts";
import { ManualClock } from "../../../core/clock.ts";

const PEER = {
  ...{ node: "lon1", addresses: ["192.0.2.1"], overlay: [], region: "eu-west", distanceKm: 344 },
  ...{ health: "up", score: 0.9, why: "near" },
};
const GOOD = { peers: [PEER], ttl: 30 };

/** Asks servers that reply like this, in turn; each request is added to `asked`. */
function asking(replies: (Response | Error)[], asked: string[] = []): AskPeersOptions {
  return {
    api: ["https://ns1.example.org:8443", "https://ns2.example.org/fleet/"],
    node: "fra 1",
    count: 2,
    token: "secret",
    fetch: (input, init) => {
      const { authorization } = init!.headers as Record<string, string>;
      asked.push(`${input} ${authorization} ${init!.redirect}`);
      const reply = replies.shift()!;
      return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
    },
  };
}

Deno.test("askPeers() asks for a node's peers, with a token that follows no redirection", async () => {
  const asked: string[] = [];
  assert.deepEqual(await askPeers(asking([Response.json(GOOD)], asked)), GOOD);
  assert.deepEqual(asked, ["https://ns1.example.org:8443/v1/peers?count=2&node=fra+1 Bearer secret error"]);
});

Deno.test("askPeers() asks the next server when one fails, and below the path that it is given", async () => {
  const asked: string[] = [];
  const replies = [Response.json({ detail: "starting" }, { status: 503 }), Response.json(GOOD)];
  assert.deepEqual(await askPeers(asking(replies, asked)), GOOD);
  assert.match(asked[1]!, /^https:\/\/ns2\.example\.org\/fleet\/v1\/peers\?/);
});

const failures: [what: string, reply: () => Response | Error, says: RegExp][] = [
  [
    "a problem",
    () => Response.json({ title: "No", detail: "not \x1byou" }, { status: 403 }),
    /HTTP 403: not \?you/,
  ],
  ["an error without words", () => new Response("<html>", { status: 502 }), /HTTP 502$/m],
  ["no JSON", () => new Response("{"), /JSON/],
  ["null", () => Response.json(null), /something else than peers/],
  [
    "peers without addresses",
    () => Response.json({ peers: [{ node: "a" }], ttl: 1 }),
    /something else than peers/,
  ],
  ["no connection", () => new TypeError("no", { cause: new Error("refused") }), /refused/],
  ["more than anybody would read", () => new Response("x".repeat(1 << 21)), /sent more than 1048576 octets/],
];

for (const [what, reply, says] of failures) {
  Deno.test(`askPeers() says of each server why ${what} is no answer`, async () => {
    const error = await askPeers(asking([reply(), reply()])).catch((error) => error);
    assert.ok(error instanceof PeersError);
    const [first, second] = error.message.split("\n");
    assert.match(first!, says);
    assert.match(first!, /^https:\/\/ns1\.example\.org:8443: /);
    assert.match(second!, /^https:\/\/ns2\.example\.org\/fleet\/: /);
  });
}

Deno.test("followPeers() asks again after the TTL, and waits longer after each failure, until it is ended", async () => {
  const clock = new ManualClock(), controller = new AbortController(), startMs = clock.nowMs();
  const none = () => new Error("none");
  const replies = [Response.json(GOOD), none(), none(), none(), none(), Response.json(GOOD)];
  const at: [string, number][] = [];
  const following = (async () => {
    for await (const found of followPeers({ ...asking(replies), clock, signal: controller.signal })) {
      at.push([found instanceof PeersError ? "failed" : "peers", clock.nowMs() - startMs]);
      if (at.length === 4) controller.abort();
    }
  })();
  for (let turns = 0; turns < 400; turns++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
    if (at.length > 0 && clock.nextMs !== Infinity) clock.advanceTo(clock.nextMs);
  }
  await following;
  assert.deepEqual(at, [["peers", 0], ["failed", 30_000], ["failed", 31_000], ["peers", 33_000]]);
  assert.equal(clock.nextMs, Infinity);
});
