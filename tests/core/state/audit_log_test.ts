import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { archivedText, type AuditRecord, type Head, headOf, NO_RECORD } from "../../../core/state/audit.ts";
import {
  ArchiveError,
  archiveText,
  planArchive,
  readArchive,
  STAYS_MS,
} from "../../../core/state/audit_archive.ts";
import { sweepArchived, verifyStore } from "../../../core/state/audit_log.ts";
import { canonicalJson, type Json } from "../../../core/state/canonical.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import type { Store } from "../../../core/state/store.ts";

const SERVERS = ["ams", "fra"];
const PAIRS = Object.fromEntries(SERVERS.map((server) => [server, generateKeyPairSync("ed25519")]));
const DAY_MS = 86_400_000, rest = () => Promise.resolve();

/** A log of two chains, of more than a page each, written day after day; heads are signed now and then. */
class World implements AsyncDisposable {
  readonly clock = new ManualClock(Date.UTC(2026, 0, 1));
  readonly store: Store;
  readonly ledgers: Readonly<Record<string, Ledger>>;

  private constructor(readonly folder: string) {
    this.store = openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
    const ledgerOf = (server: string) => new Ledger({ store: this.store, server, clock: this.clock });
    this.ledgers = Object.fromEntries(SERVERS.map((server) => [server, ledgerOf(server)]));
  }

  static async open(days: number, perDay: number): Promise<World> {
    const world = new World(await Deno.makeTempDir());
    for (const server of SERVERS) {
      const keys = [PAIRS[server]!.publicKey.export({ type: "spki", format: "pem" }) as string];
      await world.store.transact([{ put: KEYS.auditKeys(server), value: canonicalJson({ keys }) }]);
    }
    for (let day = 0; day < days; day++) await world.day(perDay);
    return world;
  }

  async day(records: number): Promise<void> {
    for (const [server, ledger] of Object.entries(this.ledgers)) {
      for (let left = records; left > 0; left -= 60) {
        const events = Array.from({ length: Math.min(60, left) }, (_, i) => ({
          ...{ actor: "token:ada", action: "node.update", subject: `nodes/n${i}` },
        }));
        await ledger.write(events, []);
      }
      await ledger.witness(PAIRS[server]!.privateKey as KeyObject);
    }
    this.clock.advance(DAY_MS);
  }

  async records(): Promise<readonly { key: string; value: string; revision: number; version: number }[]> {
    return (await this.store.list(PREFIXES.audit)).entries;
  }

  async faults(): Promise<string[]> {
    const { faults, isWhole, records } = await verifyStore(this.store, await this.records(), rest);
    assert.equal(isWhole, faults.length === 0);
    assert.ok(records > 0);
    return faults.map(({ server, number, what }) => `${server}/${number} ${what}`);
  }

  /** As who may write the store would; then what was there again. */
  async without(writes: Parameters<Store["transact"]>[0], what: RegExp): Promise<void> {
    const before = await Promise.all(
      writes.map((write) => this.store.get("put" in write ? write.put : write.remove)),
    );
    await this.store.transact(writes);
    const faults = await this.faults();
    assert.ok(
      faults.some((fault) => what.test(fault)),
      `wanted ${what}, got ${faults.join("; ") || "nothing"}`,
    );
    await this.store.transact(writes.map((write, i) => {
      const key = "put" in write ? write.put : write.remove, old = before[i];
      return old ? { put: key, value: old.value } : { remove: key };
    }));
  }

  async archive(daysAgo: number): Promise<string> {
    const nowMs = this.clock.nowMs();
    return (await Array.fromAsync(archiveText(this.store, nowMs - daysAgo * DAY_MS, nowMs, rest))).join("");
  }

  async putAway(text: string, by = "fra"): Promise<void> {
    const { ends, sha256 } = await readArchive(inParts(text));
    const plan = await planArchive(this.store, { ends, sha256 }, {
      ...{ server: by, actor: "token:ada", nowMs: this.clock.nowMs() },
      sign: (octets) => Promise.resolve(sign(null, octets, PAIRS[by]!.privateKey).toString("base64")),
    });
    const { succeeded } = await this.ledgers[by]!.write(plan.events, plan.writes, plan.conditions);
    assert.ok(succeeded, "it was not written");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function* inParts(text: string): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += 5000) yield await Promise.resolve(text.slice(at, at + 5000));
}

Deno.test("verifyStore() finds nothing in a log as it was written, of which it reads a page at a time", async () => {
  await using world = await World.open(3, 700);
  const list = world.store.list.bind(world.store);
  const read: number[] = [], known = await world.records();
  world.store.list = async (prefix) => {
    const listing = await list(prefix);
    if (prefix.startsWith("audit/")) read.push(listing.entries.length);
    return listing;
  };
  const { records, faults } = await verifyStore(world.store, known, rest);
  assert.deepEqual([records, faults], [2 * 3 * 701, []]);
  assert.ok(Math.max(...read) <= 1000 && read.length === 2 * 2 * 3, read.join());
});

Deno.test("verifyStore() finds whatever was changed, removed, moved or added in the store", async () => {
  await using world = await World.open(2, 600);
  const record = async (number: number) =>
    JSON.parse((await world.store.get(KEYS.auditRecord("fra", number)))!.value);
  const put = (number: number, value: object) => ({
    put: KEYS.auditRecord("fra", number),
    value: canonicalJson(value as Json),
  });
  const [r7, r8] = [await record(7), await record(8)];
  const changed = { ...r7, actor: "token:eve" };
  await world.without([put(7, changed)], /^fra\/8 does not follow record 7/);
  await world.without([{ remove: KEYS.auditRecord("fra", 7) }], /^fra\/7 is missing/);
  await world.without([put(7, r8), put(8, r7)], /^fra\//);
  await world.without([put(7, { ...r7, server: "ams" })], /^fra\/\d+ /);
  await world.without([put(2000, r7)], /^fra\/\d+ /);
  const head = await world.store.get(KEYS.auditHead("fra"));
  const last = (JSON.parse(head!.value) as Head).number;
  await world.without([{ remove: KEYS.auditRecord("fra", last) }], /^fra\/\d+ is missing/);
  const shorter = headOf(await record(last - 1));
  const lower = { put: KEYS.auditHead("fra"), value: canonicalJson(shorter as unknown as Json) };
  await world.without([lower], /stands behind the end of the chain/);
  // The last of one chain is signed in the other.
  const end = JSON.parse((await world.store.get(KEYS.auditHead("ams")))!.value) as Head;
  const { previous: hash } = JSON.parse((await world.store.get(KEYS.auditRecord("ams", end.number)))!.value);
  await world.without([
    { put: KEYS.auditHead("ams"), value: canonicalJson({ number: end.number - 1, hash }) },
    { remove: KEYS.auditRecord("ams", end.number) },
  ], /ams\/\d+ is missing: fra signed it/);
  await world.without([{ remove: KEYS.auditHead("fra") }], /has nothing that says that the chain ends there/);
  await world.without(
    [{ put: KEYS.auditBegin("fra"), value: canonicalJson(headOf(r7) as unknown as Json) }],
    /^fra\/7 begins there, and no server has signed that it may/,
  );
  assert.deepEqual(await world.faults(), []);
});

Deno.test("what was put away is in a file that can be verified, and the log without it is whole", async () => {
  await using world = await World.open(6, 250);
  const text = await world.archive(3), summary = await readArchive(inParts(text));
  assert.deepEqual([summary.records, summary.faults], [2 * 3 * 251, []]);
  await world.putAway(text);
  assert.deepEqual(await world.faults(), []);
  const before = (await world.records()).length;
  assert.equal(await sweepArchived(world.store, await world.records()), 2 * 3 * 251);
  assert.equal((await world.records()).length, before - 2 * 3 * 251);
  assert.equal(await sweepArchived(world.store, await world.records()), 0);
  assert.deepEqual(await world.faults(), []);
  // Later again, by another server, from where the log begins now.
  await world.day(250);
  await world.day(250);
  const next = await readArchive(inParts(await world.archive(3)));
  assert.deepEqual(next.begins, summary.ends);
  assert.deepEqual([next.records, next.faults], [2 * 2 * 251, []]);
  await world.putAway(await world.archive(3), "ams");
  await sweepArchived(world.store, await world.records());
  assert.deepEqual(await world.faults(), []);
});

Deno.test("a log that begins later is at fault where no server has signed it, or more is gone", async () => {
  await using world = await World.open(6, 100);
  await world.putAway(await world.archive(3));
  await sweepArchived(world.store, await world.records());
  const begin = JSON.parse((await world.store.get(KEYS.auditBegin("fra")))!.value) as Head;
  const next = JSON.parse(
    (await world.store.get(KEYS.auditRecord("fra", begin.number + 1)))!.value,
  ) as AuditRecord;
  const beginAt = (head: Head) => ({
    put: KEYS.auditBegin("fra"),
    value: canonicalJson(head as unknown as Json),
  });
  await world.without([{ remove: KEYS.auditRecord("fra", begin.number + 1) }], /^fra\/\d+ is missing/);
  await world.without(
    [{ remove: KEYS.auditRecord("fra", begin.number + 1) }, beginAt(headOf(next))],
    /begins there, and no server has signed/,
  );
  await world.without([{ remove: KEYS.auditBegin("fra") }], /^fra\/1 to \d+ are missing/);
  await world.without([beginAt({ ...begin, hash: "f".repeat(64) })], /^fra\//);
  // Who writes the record too has no server's key.
  const said = (await world.records()).map(({ value }) => JSON.parse(value) as AuditRecord)
    .find(({ action }) => action === "audit.archive")!;
  const { begins, sha256, records } = said.after as unknown as Parameters<typeof archivedText>[1];
  const moved = { begins: { ...begins, fra: headOf(next) }, sha256, records };
  const forged = sign(null, archivedText("fra", moved), generateKeyPairSync("ed25519").privateKey).toString(
    "base64",
  );
  const value = canonicalJson({ ...said, after: { ...moved, signature: forged } } as unknown as Json);
  await world.without(
    [{ put: KEYS.auditRecord("fra", said.number), value }, beginAt(headOf(next))],
    /begins there, and no server has signed/,
  );
  assert.deepEqual(await world.faults(), []);
});

Deno.test("nothing is put away that is young, the last of its chain, or not what is there", async () => {
  await using world = await World.open(6, 50);
  const nowMs = world.clock.nowMs(),
    all = (beforeMs: number) => Array.fromAsync(archiveText(world.store, beforeMs, nowMs, rest));
  await assert.rejects(all(nowMs - STAYS_MS + 1), /records stay for 2 days/);
  await assert.rejects(all(0), /there is no record so old/);
  const { ends, sha256 } = await readArchive(inParts(await world.archive(3)));
  const plan = (wrong: Readonly<Record<string, Head>>) =>
    planArchive(world.store, { ends: wrong, sha256 }, {
      ...{ server: "fra", actor: "token:ada", nowMs },
      sign: () => Promise.resolve(""),
    });
  const fra = ends.fra!;
  await assert.rejects(plan({ fra: { ...fra, hash: "0".repeat(64) } }), /is not what the archive ends with/);
  await assert.rejects(plan({ fra: { ...fra, number: 10_000 } }), /is not what the archive ends with/);
  await assert.rejects(plan({}), /nothing to be put away/);
  const last = JSON.parse((await world.store.get(KEYS.auditHead("fra")))!.value) as Head;
  await assert.rejects(plan({ fra: last }), /too young|is the last of its chain/);
  await world.putAway(await world.archive(3));
  await assert.rejects(plan({ fra }), /is not what the archive ends with/);
  assert.equal(NO_RECORD.number, 0);
});

Deno.test("an archive that is not as it was written is found out", async () => {
  await using world = await World.open(5, 30);
  const text = await world.archive(3), lines = text.trimEnd().split("\n");
  const broken: Readonly<Record<string, [string, RegExp]>> = {
    "a letter": [text.replace("token:ada", "token:eva"), /is not as it was written/],
    "a line less": [lines.toSpliced(4, 1).join("\n"), /is not as it was written/],
    "no end": [lines.slice(0, -1).join("\n"), /the last line, with the digest, is missing/],
    "something else": ['{"format":"meridian-state"}\n', /this is no archive/],
    "a newer layout": [text.replace('"layout":1', '"layout":3'), /got layout 3/],
    "more behind it": [`${text}{}\n`, /behind the end/],
  };
  for (const [what, [wrong, message]] of Object.entries(broken)) {
    await assert.rejects(readArchive(inParts(wrong)), (error: Error) => {
      assert.ok(error instanceof ArchiveError, `${what}: ${error}`);
      assert.match(error.message, message, what);
      return true;
    });
  }
  // With a digest that fits, the chains tell.
  const { createHash } = await import("node:crypto");
  const body = `${lines.toSpliced(4, 1).slice(0, -1).join("\n")}\n`;
  const sha256 = createHash("sha256").update(body).digest("hex");
  const { faults } = await readArchive(
    inParts(`${body}${JSON.stringify({ records: lines.length - 3, sha256 })}\n`),
  );
  assert.ok(faults.length > 0, "a record that is missing is not found");
});
