import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { type AuditRecord, verifyAudit } from "../../../core/state/audit.ts";
import { canonicalJson } from "../../../core/state/canonical.ts";
import { dump, DumpError, readDump } from "../../../core/state/dump.ts";
import { openEtcdStore } from "../../../core/state/etcd_store.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { isImporting, NotEmptyError, restore } from "../../../core/state/restore.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { type Store, StoreRefusedError, StoreUnavailableError } from "../../../core/state/store.ts";
import { EtcdCluster } from "../../support/etcd.ts";

const AT = "2026-12-01T02:00:00.000Z", SCHEMA = 1;

/** Makes as many stores of a kind as are wanted. */
type Kind = (run: (open: () => Store) => Promise<void>) => Promise<void>;

const sqlite: Kind = async (run) => {
  const folder = await Deno.makeTempDir(), stores: Store[] = [];
  try {
    await run(() => stores[stores.push(openSqliteStore(`${folder}/${stores.length}.db`, SYSTEM_CLOCK)) - 1]!);
  } finally {
    for (const store of stores) await store.close();
    await Deno.remove(folder, { recursive: true });
  }
};

let cluster: EtcdCluster | undefined, prefixes = 0;

Deno.test.beforeAll(async () => {
  cluster = await EtcdCluster.start(1);
});
Deno.test.afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

const etcd: Kind = async (run) => {
  const stores: Store[] = [];
  try {
    await run(() => stores[stores.push(openEtcdStore(cluster!, `/dump/${prefixes++}/`)) - 1]!);
  } finally {
    for (const store of stores) await store.close();
  }
};

const { privateKey, publicKey } = generateKeyPairSync("ed25519");

/** A fleet of two servers with a signed log, more keys than one transaction takes, and what lives no longer than a server. */
async function fill(store: Store): Promise<void> {
  await store.transact([{ put: KEYS.schema, value: canonicalJson({ version: SCHEMA }) }]);
  const ledgers = ["fra", "nyc"].map((server) => new Ledger({ store, server, clock: SYSTEM_CLOCK }));
  for (let i = 0; i < 130; i++) {
    const id = `n${i}`, event = { actor: "token:ada", action: "node.create", subject: KEYS.node(id) };
    await ledgers[i % 2]!.write([event], [{ put: KEYS.node(id), value: `{"id":"${id}","note":"ä ∞ \\n"}` }]);
  }
  await store.transact([
    { put: KEYS.auditKeys("fra"), value: canonicalJson({ keys: [publicPem] }) },
    { put: KEYS.secret("db"), value: `{"box":"sealed"}` },
    { put: KEYS.alive("fra", 3), value: "{}" },
  ]);
  await ledgers[0]!.witness(privateKey);
}

const publicPem = publicKey.export({ type: "spki", format: "pem" }) as string;

async function textOf(store: Store): Promise<string> {
  return (await Array.fromAsync(dump(store, AT))).join("");
}

async function* inParts(text: string, size = 1000): AsyncGenerator<string> {
  for (let at = 0; at < text.length; at += size) yield await Promise.resolve(text.slice(at, at + size));
}

function restoreFrom(text: string, store: Store, replaces = false) {
  const ledger = new Ledger({ store, server: "fra", clock: SYSTEM_CLOCK });
  return readDump(inParts(text), SCHEMA).then((read) =>
    restore(store, read, { ledger, actor: "local:ada", reason: "drill", replaces })
  );
}

/** What lasts, by key, without what an import itself writes. */
async function lasting(store: Store): Promise<Map<string, string>> {
  const { entries } = await store.list("");
  return new Map(
    entries.filter(({ key }) => !/^(alive|servers|audit|audit-heads)\//.test(key)).map((
      { key, value },
    ) => [key, value]),
  );
}

async function recordsOf(store: Store): Promise<AuditRecord[]> {
  return (await store.list(PREFIXES.audit)).entries.map(({ value }) => JSON.parse(value));
}

for (
  const [from, to, name] of [[sqlite, etcd, "SQLite to etcd"], [etcd, sqlite, "etcd to SQLite"]] as const
) {
  Deno.test(`a dump from ${name} is the same fleet, its log whole, with the record of the import`, async () => {
    await from(async (openFrom) => {
      await to(async (openTo) => {
        const old = openFrom(), young = openTo();
        await fill(old);
        const text = await textOf(old);
        const { entries, removed } = await restoreFrom(text, young);
        assert.deepEqual([entries, removed], [text.trim().split("\n").length - 2, 0]);
        assert.deepEqual(await lasting(young), await lasting(old));
        assert.equal(await young.get(KEYS.alive("fra", 3)), undefined);
        const records = await recordsOf(young);
        assert.deepEqual(verifyAudit({ records, keys: { fra: publicPem } }), []);
        const added = records.filter(({ action }) => action === "state.import");
        assert.deepEqual(added.map(({ actor, reason, server }) => ({ actor, reason, server })), [
          { actor: "local:ada", reason: "drill", server: "fra" },
        ]);
        // The other way round, text and text differ by where and when alone, and by that record.
        const again = await textOf(young);
        const body = (one: string) =>
          one.split("\n").slice(1, -2).filter((line) => !/"audit(-heads)?\/fra/.test(line));
        assert.deepEqual(body(again), body(text));
      });
    });
  });
}

for (const [kind, name] of [[sqlite, "SQLite"], [etcd, "etcd"]] as const) {
  Deno.test(`${name}: what is there is written over by nobody who does not say so`, async () => {
    await kind(async (open) => {
      const old = open(), other = open();
      await fill(old);
      const text = await textOf(old);
      await fill(other);
      await other.transact([{ put: KEYS.node("extra"), value: "{}" }]);
      const before = await textOf(other);
      await assert.rejects(restoreFrom(text, other), NotEmptyError);
      assert.equal(await textOf(other), before);
      const { removed } = await restoreFrom(text, other, true);
      assert.ok(removed > 130, `${removed} were taken away`);
      assert.equal(await other.get(KEYS.node("extra")), undefined);
      assert.deepEqual(await lasting(other), await lasting(old));
    });
  });

  Deno.test(`${name}: an import that breaks off leaves a store that says so, and can be begun again`, async () => {
    await kind(async (open) => {
      const old = open(), young = open();
      await fill(old);
      const text = await textOf(old);
      let left = 4;
      const breaking: Store = Object.assign(Object.create(young), {
        transact(...args: Parameters<Store["transact"]>) {
          if (left-- > 0) return young.transact(...args);
          return Promise.reject(new StoreUnavailableError("the cable was pulled"));
        },
        list: (prefix: string) => young.list(prefix),
        get: (key: string) => young.get(key),
      });
      await assert.rejects(restoreFrom(text, breaking), StoreUnavailableError);
      assert.ok(isImporting((await young.get(KEYS.schema))!.value), "it does not say that it is half");
      assert.ok(
        (await young.list(PREFIXES.audit)).entries.length > 0,
        "it broke off too early to show anything",
      );
      await assert.rejects(textOf(young), /half of an import/);
      await restoreFrom(text, young);
      assert.deepEqual(await lasting(young), await lasting(old));
      assert.deepEqual(verifyAudit({ records: await recordsOf(young), keys: { fra: publicPem } }), []);
    });
  });
}

Deno.test("where a server lives nothing is imported, and of two imports one ends", async () => {
  await sqlite(async (open) => {
    const old = open(), young = open();
    await fill(old);
    const text = await textOf(old);
    const lease = await young.lease(15);
    await young.transact([{ put: KEYS.server("fra"), value: "{}", lease }]);
    await assert.rejects(restoreFrom(text, young, true), /fra lives by sqlite .*15 s/);
    await lease.end();
    // Another one begins when this one has written a little.
    let written = 0;
    const interrupted: Store = Object.assign(Object.create(young), {
      async transact(...args: Parameters<Store["transact"]>) {
        if (++written === 3) {
          await young.transact([{ put: KEYS.schema, value: `{"importing":"other","version":1}` }]);
        }
        return await young.transact(...args);
      },
      list: (prefix: string) => young.list(prefix),
      get: (key: string) => young.get(key),
    });
    await assert.rejects(restoreFrom(text, interrupted, true), StoreRefusedError);
    assert.match((await young.get(KEYS.schema))!.value, /other/);
  });
});

Deno.test("a dump that is not whole, or not as it was written, is found out before anything is written", async () => {
  await sqlite(async (open) => {
    const old = open(), young = open();
    await fill(old);
    const text = await textOf(old), lines = text.trimEnd().split("\n");
    const swapped = [lines[0], lines[2], lines[1], ...lines.slice(3)];
    const broken: Readonly<Record<string, [string, RegExp]>> = {
      "nothing": ["", /there is nothing/],
      "something else": [`{"hello":1}\n`, /line 1: this is no state that Meridian exported/],
      "a letter": [text.replace(`n7\\"`, `n8\\"`), /line \d+: it is not as it was written/],
      "the revision": [text.replace(/"revision":\d+/, '"revision":1'), /is not as it was written/],
      "a line less": [
        [...lines.slice(0, 5), ...lines.slice(6)].join("\n"),
        /there are \d+ entries, and were/,
      ],
      "two lines swapped": [swapped.join("\n"), /stands behind/],
      "no end": [lines.slice(0, -1).join("\n"), /the last line, with the digest, is missing/],
      "cut in a line": [text.slice(0, 3000), /no JSON/],
      "more behind the end": [`${text}{}\n`, /behind the end/],
      "a newer layout": [
        text.replace('"layout":1', '"layout":2'),
        /got layout 2: this program knows layout 1/,
      ],
      "newer data": [text.replace('"schema":1', '"schema":9'), /data of version 9/],
      "a key that would live": [text.replace('"audit-heads/fra"', '"alive/fra/1"'), /is no key of a dump/],
    };
    for (const [what, [wrong, message]] of Object.entries(broken)) {
      assert.notEqual(wrong, text, what);
      await assert.rejects(restoreFrom(wrong, young), (error: Error) => {
        assert.ok(error instanceof DumpError, `${what}: ${error}`);
        assert.match(error.message, message, what);
        return true;
      });
    }
    assert.deepEqual((await young.list("")).entries, []);
    for (const size of [1, 7, 1 << 20]) {
      assert.ok((await readDump(inParts(text, size), SCHEMA)).entries.length > 130);
    }
  });
});

Deno.test("a dump's lines are objects with sorted keys, in the order of what they say", async () => {
  await sqlite(async (open) => {
    const store = open();
    await fill(store);
    const lines = (await textOf(store)).trimEnd().split("\n");
    for (const line of lines) assert.equal(line, canonicalJson(JSON.parse(line)));
    const keys = lines.slice(1, -1).map((line) => JSON.parse(line).key as string);
    assert.deepEqual(keys, keys.toSorted());
    assert.match(
      lines[0]!,
      /^\{"at":"2026-12-01T02:00:00.000Z","format":"meridian-state","layout":1,"revision":\d+,"schema":1,"store":"sqlite /,
    );
  });
});
