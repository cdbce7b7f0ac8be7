import assert from "node:assert/strict";
import type { Actor } from "../../../core/access/actor.ts";
import { type Clock, ManualClock } from "../../../core/clock.ts";
import { until } from "../../support/until.ts";
import { actorOf, ApiStage } from "./stage.ts";

const ADMIN = actorOf("admin");
const NODE = { addresses: ["192.0.2.1"], location: { latitude: 50.1, longitude: 8.7 } };

async function open(
  stage: ApiStage,
  headers: Record<string, string> = {},
  actor: Actor = ADMIN,
  method = "GET",
) {
  const request = new Request("http://localhost/v1/events", { method, headers });
  return await stage.app.fetch(request, { actor });
}

function readerOf(response: Response): ReadableStreamDefaultReader<string> {
  return response.body!.pipeThrough(new TextDecoderStream()).getReader();
}

/** So many records, as few transactions as can be. */
async function record(stage: ApiStage, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 60) {
    const events = Array.from({ length: Math.min(60, left) }, () => ({
      ...{ actor: "token:x", action: "thing.change", subject: "things/x" },
    }));
    await stage.member.ledger.write(events, []);
  }
  const { revision } = await stage.member.store.list("servers/");
  assert.ok(await stage.member.replica.reached(revision, 60_000));
}

Deno.test("who only asks for the header of events, or never reads them, takes nobody's place", async () => {
  await using stage = await ApiStage.open();
  for (let i = 0; i < 1001; i++) {
    const response = await open(stage, {}, ADMIN, i % 2 ? "HEAD" : "GET");
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
  }
  const reader = readerOf(await open(stage));
  assert.equal((await reader.read()).value, ": listening\n\n");
  await reader.cancel();
});

Deno.test("one actor may listen sixteen times, and again once one of these has gone", async () => {
  await using stage = await ApiStage.open();
  const readers = [];
  for (let i = 0; i < 16; i++) {
    const reader = readerOf(await open(stage));
    await reader.read();
    readers.push(reader);
  }
  const refused = await open(stage);
  assert.deepEqual([refused.status, (await refused.text()).includes("token:admin listens 16 times")], [
    503,
    true,
  ]);
  const other = readerOf(await open(stage, {}, actorOf("viewer")));
  assert.equal((await other.read()).value, ": listening\n\n");
  await readers.pop()!.cancel();
  const again = readerOf(await open(stage));
  assert.equal((await again.read()).value, ": listening\n\n");
  await Promise.all([...readers, other, again].map((reader) => reader.cancel()));
});

Deno.test("who goes on from a record that is not known is told to list anew, and goes on from there", async () => {
  await using stage = await ApiStage.open();
  await stage.ask(ADMIN, "POST", "/v1/nodes", { id: "n1", ...NODE });
  for (const id of ["fra/4711", "ams/1", "17", "/", "fra/-1"]) {
    const reader = readerOf(await open(stage, { "Last-Event-ID": id }));
    const { value } = await reader.read();
    assert.match(value!, /^id: fra\/\d+\nevent: reset\ndata: {}\n\n$/, id);
    await stage.ask(ADMIN, "PATCH", "/v1/nodes/n1", { weight: id.length });
    assert.match((await reader.read()).value!, /^id: fra\/\d+\nevent: node.update\n/);
    await reader.cancel();
  }
});

Deno.test("of what one who does not read misses no more is kept than there is room for", async () => {
  await using stage = await ApiStage.open();
  const reader = (await open(stage)).body!.getReader(), decoder = new TextDecoder();
  await reader.read();
  await record(stage, 10_020);
  const { number } = JSON.parse((await stage.member.store.get("audit-heads/fra"))!.value);
  const first = decoder.decode((await reader.read()).value),
    id = Number(/^id: fra\/(\d+)\nevent: reset\n/.exec(first)?.[1]);
  assert.ok(id > 10_000 && id <= number, first);
  for (let next = id + 1; next <= number; next++) {
    assert.match(decoder.decode((await reader.read()).value), new RegExp(`^id: fra/${next}\n`));
  }
  await reader.cancel();
});

Deno.test("who may listen no more is told so within half a minute, and hears nothing after that", async () => {
  const clock = new ManualClock(Date.now());
  await using stage = await ApiStage.open({}, undefined, { clock });
  const make = async (seconds: number) => {
    const expires = new Date(clock.nowMs() + seconds * 1000).toISOString();
    const asked = { name: "x", grants: [{ role: "viewer" }], expires };
    return (await stage.ask(ADMIN, "POST", "/v1/tokens", asked)).body as { id: string; token: string };
  };
  const END = "event: end\ndata: {}\n\n";
  /** All that it hears, as it comes. */
  const listen = async (token: string) => {
    const headers = { Authorization: `Bearer ${token}` },
      request = new Request("http://localhost/v1/events", { headers });
    const reader = readerOf(await stage.app.fetch(request, { address: "127.0.0.1" })), heard: string[] = [];
    const ended = (async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) heard.push(next.value);
    })();
    await until("the beginning", () => heard.length > 0);
    return { heard, ended, reader };
  };
  const [token, revokedToken, expiringToken] = [await make(3600), await make(3600), await make(20)];
  const good = await listen(token.token), revoked = await listen(revokedToken.token);
  const expiring = await listen(expiringToken.token);
  await stage.ask(ADMIN, "DELETE", `/v1/tokens/${revokedToken.id}`);
  for (const { heard } of [good, revoked, expiring]) {
    await until("the revocation", () => heard.some((text) => text.includes("event: token.revoke\n")));
  }
  for (let seconds = 0; seconds < 30; seconds += 15) {
    const { length } = expiring.heard;
    clock.advance(15_000);
    await until(
      "the streams",
      () =>
        seconds === 0
          ? revoked.heard.at(-1) === END && expiring.heard.length > length
          : expiring.heard.at(-1) === END,
    );
  }
  await Promise.all([revoked.ended, expiring.ended]);
  await stage.ask(ADMIN, "POST", "/v1/nodes", { id: "n1", ...NODE });
  await until("the node", () => good.heard.some((text) => text.includes("event: node.create\n")));
  assert.ok(!good.heard.includes(END), "who may listen is sent away");
  for (const { heard } of [revoked, expiring]) {
    assert.ok(!heard.some((text) => text.includes("node.create")), "who may not listen hears more");
  }
  await good.reader.cancel();
});

Deno.test("whose token was revoked hears no more though the clock has been set back", async () => {
  const manual = new ManualClock(Date.now());
  let backMs = 0;
  const clock: Clock = {
    nowMs: () => manual.nowMs() - backMs,
    after: (delayMs, then) => manual.after(delayMs, then),
  };
  await using stage = await ApiStage.open({}, undefined, { clock });
  const expires = new Date(clock.nowMs() + 3_600_000).toISOString();
  const asked = { name: "x", grants: [{ role: "viewer" }], expires };
  const { body: { id, token } } = await stage.ask(ADMIN, "POST", "/v1/tokens", asked);
  const response = await stage.app.fetch(
    new Request("http://localhost/v1/events", { headers: { Authorization: `Bearer ${token}` } }),
    { address: "127.0.0.1" },
  );
  const reader = response.body!.getReader(), decoder = new TextDecoder();
  assert.match(decoder.decode((await reader.read()).value), /listening/);
  await stage.ask(ADMIN, "DELETE", `/v1/tokens/${id}`);
  backMs = 3_600_000;
  assert.match(decoder.decode((await reader.read()).value), /^event: end\n/);
  assert.equal((await reader.read()).done, true);
});
