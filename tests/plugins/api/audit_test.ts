import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import type { Actor } from "../../../core/access/actor.ts";
import { ManualClock } from "../../../core/clock.ts";
import { Member } from "../../../core/membership/member.ts";
import { readArchive } from "../../../core/state/audit_archive.ts";
import { sweepArchived } from "../../../core/state/audit_log.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { actorOf, ApiStage } from "./stage.ts";
import { until } from "../../support/until.ts";

const ADMIN = actorOf("admin");

async function record(stage: ApiStage, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 60) {
    const events = Array.from({ length: Math.min(60, left) }, (_, i) => ({
      ...{ actor: `token:${i % 2}`, action: "thing.change", subject: "things/x" },
    }));
    await stage.member.ledger.write(events, []);
  }
  const { revision } = await stage.member.store.list("servers/");
  assert.ok(await stage.member.replica.reached(revision, 60_000));
}

Deno.test("pages of the audit log read each record once, and then no more than a page has", async () => {
  await using stage = await ApiStage.open({}, undefined, { joins: true });
  await record(stage, 300);
  const parse = JSON.parse;
  let parsed = 0;
  const ask = async (path: string) => {
    const { body } = await stage.ask(ADMIN, "GET", path);
    return body;
  };
  const first = await ask("/v1/audit?limit=10");
  JSON.parse = (text: string) => (parsed += text.includes("thing.change") ? 1 : 0, parse(text));
  try {
    const { body } = await stage.ask(
      ADMIN,
      "GET",
      `/v1/audit?limit=10&cursor=${first.next}&actor=token:1&server=fra`,
    );
    assert.deepEqual(body.items.map(({ number }: any) => number), [12, 14, 16, 18, 20, 22, 24, 26, 28, 30]);
  } finally {
    JSON.parse = parse;
  }
  // Ten of the page, and the reply itself.
  assert.equal(parsed, 11);
  assert.deepEqual((await ask("/v1/audit?server=ams")).items, []);
});

Deno.test("while the audit log is verified others are answered, and all who ask meanwhile get the same", async () => {
  await using stage = await ApiStage.open({}, undefined, { joins: true });
  await record(stage, 1000);
  const list = stage.member.store.list.bind(stage.member.store);
  let lists = 0, turns = 0;
  stage.member.store.list = (prefix) => (lists += prefix.startsWith("audit/") ? 1 : 0, list(prefix));
  const timer = setInterval(() => turns++, 0);
  const replies = await Promise.all([1, 2, 3].map(() => stage.ask(ADMIN, "GET", "/v1/audit/verification")));
  clearInterval(timer);
  for (const { body } of replies) assert.deepEqual(body, { records: 1000, isWhole: true, faults: [] });
  // Two pages, each for the links and for the signatures.
  assert.equal(lists, 4);
  assert.ok(turns >= 3, `${turns}`);
});

Deno.test("what a server has signed counts when it is gone, and when it has another key since", async () => {
  await using stage = await ApiStage.open({}, undefined, { joins: true });
  const { folder, services: { scope } } = stage, lines: string[] = [];
  const tell = (line: string) => void lines.push(line);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  const chain = async () => {
    const { entries } = await stage.member.store.list("audit/ams/");
    return entries.map(({ value }) => JSON.parse(value).action);
  };
  const signed = ["audit.key", "audit.witness"];
  for (let times = 1; times <= 2; times++) {
    const clock = new ManualClock(Date.now()), key = generateKeyPairSync("ed25519").privateKey;
    const member = new Member({
      ...{ clock, log, key, random: () => 0.5, tell() {} },
      store: openSqliteStore(`${folder}/fleet.db`, clock),
      configuration: { ...scope.configuration, server: "ams" },
    });
    await member.start();
    for (let witness = 0; witness < 2; witness++) {
      await member.ledger.write([{ actor: "token:x", action: "thing.change", subject: "things/x" }], []);
      const { length } = await chain();
      clock.advance(60_000);
      let looks = 0;
      await until("a witness", async () => {
        // The one before may not have been told to be done when the minute was over.
        if (++looks % 50 === 0) clock.advance(60_000);
        return (await chain()).slice(length).includes("audit.witness");
      });
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await member.close();
  }
  assert.equal(await stage.member.store.get("servers/ams"), undefined);
  const once = ["thing.change", ...signed, "thing.change", "audit.witness"];
  assert.deepEqual(await chain(), [...once, ...once]);
  const { body } = await stage.ask(ADMIN, "GET", "/v1/audit/verification");
  assert.deepEqual([body.isWhole, body.faults, lines], [true, [], []]);
});

const DAY_MS = 86_400_000;

Deno.test("old records are put away by an admin who has them, with the approval of another where that is wanted", async () => {
  await using stage = await ApiStage.open({}, undefined, { approvals: "on", joins: true });
  const past = new ManualClock(Date.now() - 5 * DAY_MS),
    before = new Date(past.nowMs() + DAY_MS).toISOString();
  const ledger = new Ledger({ store: stage.member.store, server: "fra", clock: past });
  const event = { actor: "token:ada", action: "thing.change", subject: "things/x" };
  for (let i = 0; i < 120; i += 60) await ledger.write(Array.from({ length: 60 }, () => event), []);
  await record(stage, 5);
  const { status, body: text } = await stage.ask(ADMIN, "GET", `/v1/audit/archive?before=${before}`);
  assert.equal(status, 200, text);
  const { ends, sha256, records, faults } = await readArchive(inOne(text));
  assert.deepEqual([records, faults, ends.fra!.number], [120, [], 120]);
  const young = new Date().toISOString();
  assert.equal((await stage.ask(ADMIN, "GET", `/v1/audit/archive?before=${young}`)).status, 422);
  assert.equal((await stage.ask(ADMIN, "GET", "/v1/audit/archive?before=soon")).status, 400);
  assert.equal(
    (await stage.ask(actorOf("operator"), "POST", "/v1/audit/archive", { ends, sha256 })).status,
    403,
  );
  const wrong = { ends: { fra: { number: 119, hash: ends.fra!.hash } }, sha256 };
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/audit/archive", wrong)).status, 422);

  const ada: Actor = { id: "oidc:ada", way: "oidc", grants: [{ role: "admin" }], people: ["ada"] };
  const asked = await stage.ask(ada, "POST", "/v1/audit/archive?reason=yearly", { ends, sha256 });
  assert.deepEqual([asked.status, asked.body.request.critical.map(({ kind }: any) => kind)], [202, [
    "audit",
  ]]);
  const bert = { ...ada, id: "oidc:bert", people: ["bert"] };
  const { id, digest } = asked.body;
  const done = await stage.ask(bert, "POST", `/v1/approvals/${id}/approve`, { digest });
  assert.equal(done.body.state, "executed", JSON.stringify(done.body));
  const verified = (await stage.ask(ADMIN, "GET", "/v1/audit/verification")).body;
  assert.deepEqual([verified.isWhole, verified.faults], [true, []]);
  const { items } = (await stage.ask(ADMIN, "GET", "/v1/audit?action=audit.archive")).body;
  assert.deepEqual(
    items.map(({ actor, reason, after }: any) => [actor, reason, after.records, after.sha256]),
    [
      ["oidc:ada", "yearly", 120, sha256],
    ],
  );
  // What has been put away goes from the store by and by.
  await sweepArchived(stage.member.store, stage.member.replica.below("audit/"));
  assert.equal(await stage.member.store.get("audit/fra/000000000120"), undefined);
  assert.equal((await stage.ask(ADMIN, "GET", "/v1/audit/verification")).body.isWhole, true);
});

async function* inOne(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text);
}

for (const value of ["{", "null", "[]", '"text"', "{}", '{"number":"2"}']) {
  Deno.test(`a record that somebody made ${value} of is told by its number, and keeps no other from being read`, async () => {
    await using stage = await ApiStage.open({}, undefined, { joins: true });
    await record(stage, 3);
    await stage.member.store.transact([{ put: KEYS.auditRecord("fra", 2), value }], []);
    await stage.caughtUp();
    const { body } = await stage.ask(ADMIN, "GET", "/v1/audit");
    assert.deepEqual(body.items.map(({ number }: any) => number), [1, 3]);
    const { body: verification } = await stage.ask(ADMIN, "GET", "/v1/audit/verification");
    assert.deepEqual(verification.faults, [
      { server: "fra", number: 2, what: "cannot be read" },
      { server: "fra", number: 3, what: "does not follow record 2 as that is now" },
    ]);
    assert.equal(verification.records, 3);
    // Those who come after it are told of what comes.
    const response = await stage.app.fetch(
      new Request("http://localhost/v1/events", { headers: { "Last-Event-ID": "fra/1" } }),
      { actor: ADMIN, address: "127.0.0.1" },
    );
    const reader = response.body!.getReader();
    assert.match(new TextDecoder().decode((await reader.read()).value), /^id: fra\/3\n/);
    await reader.cancel();
  });

  Deno.test(`of a head that somebody made ${value} of verification tells, and servers sign on`, async () => {
    await using stage = await ApiStage.open({}, undefined, { joins: true });
    await record(stage, 1);
    const { store } = stage.member;
    const writes = [KEYS.auditHead("waw"), KEYS.auditBegin("ams"), KEYS.auditKeys("ber"), KEYS.server("rom")]
      .map((put) => ({ put, value }));
    await store.transact([...writes, { put: "audit/%zz/000000000001", value }], []);
    await stage.caughtUp();
    const { status, body } = await stage.ask(ADMIN, "GET", "/v1/audit/verification");
    assert.deepEqual([status, body.isWhole], [200, false]);
    const clock = new ManualClock(Date.now()), key = generateKeyPairSync("ed25519").privateKey;
    assert.ok((await new Ledger({ store, server: "lon", clock }).witness(key))?.succeeded);
  });
}

Deno.test("a head that says that its chain ends where there is nothing is told, and nothing is looked for there", async () => {
  await using stage = await ApiStage.open({}, undefined, { joins: true });
  await record(stage, 2);
  const { store } = stage.member, hash = "0".repeat(64), list = store.list.bind(store);
  const heads = { waw: { number: 9e11, hash }, fra: { number: 9e11, hash } };
  for (const [server, head] of Object.entries(heads)) {
    await store.transact([{ put: KEYS.auditHead(server), value: JSON.stringify(head) }], []);
  }
  await stage.caughtUp();
  let lists = 0;
  store.list = (prefix) => {
    assert.ok(++lists < 100, "it looks for what cannot be there");
    return list(prefix);
  };
  const { status, body } = await stage.ask(ADMIN, "GET", "/v1/audit/verification");
  assert.equal(status, 200);
  assert.deepEqual(body.faults.map(({ server, number }: any) => `${server}/${number}`).sort(), [
    "fra/3",
    "waw/1",
  ]);
  const archive = await stage.ask(ADMIN, "GET", "/v1/audit/archive?before=2020-01-01T00:00:00Z");
  assert.equal(archive.status, 422);
});
