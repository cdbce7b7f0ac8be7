import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { type AuditRecord, verifyAudit } from "../../../core/state/audit.ts";
import { keyPart, KEYS, namePart, PREFIXES } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { type Store, StoreUnavailableError } from "../../../core/state/store.ts";

const EVENT = { actor: "token:anna", action: "node.update", subject: "nodes/fra1" };

async function withStores(run: (open: () => Store) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), stores: Store[] = [];
  try {
    await run(() => stores[stores.push(openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK)) - 1]!);
  } finally {
    for (const store of stores) await store.close();
    await Deno.remove(folder, { recursive: true });
  }
}

const ledgerOf = (store: Store, server = "fra") =>
  new Ledger({ store, server, clock: new ManualClock(1000) });

async function recordsOf(store: Store): Promise<AuditRecord[]> {
  return (await store.list(PREFIXES.audit)).entries.map(({ value }) => JSON.parse(value));
}

Deno.test("a change and its record are one transaction, one record after the other", async () => {
  await withStores(async (open) => {
    const store = open(), ledger = ledgerOf(store);
    const results = await Promise.all(
      [1, 2, 3].map((value) =>
        ledger.write([EVENT, { ...EVENT, after: value }], [{ put: KEYS.node("fra1"), value: `${value}` }])
      ),
    );
    assert.deepEqual(results.map(({ succeeded }) => succeeded), [true, true, true]);
    const records = await recordsOf(store);
    assert.deepEqual(records.map(({ number }) => number), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(verifyAudit({ records, keys: {} }), []);
    const written = await store.get(KEYS.node("fra1"));
    assert.equal(written!.value, "3");
    assert.equal(written!.revision, (await store.get(KEYS.auditRecord("fra", 6)))!.revision);
  });
});

Deno.test("where a condition does not hold nothing is written, and nothing recorded", async () => {
  await withStores(async (open) => {
    const store = open(), ledger = ledgerOf(store);
    const { succeeded, records } = await ledger.write([EVENT], [{ put: "nodes/fra1", value: "1" }], [
      { key: "nodes/fra1", revision: 7 },
    ]);
    assert.deepEqual([succeeded, records], [false, []]);
    assert.deepEqual((await store.list("")).entries, []);
  });
});

Deno.test("a chain that went on elsewhere is followed: after a restart, or in another process", async () => {
  await withStores(async (open) => {
    const ledgers = [ledgerOf(open()), ledgerOf(open())], store = open();
    for (const i of [0, 1, 1, 0, 0, 1]) {
      assert.equal((await ledgers[i]!.write([EVENT], [])).succeeded, true);
    }
    const records = await recordsOf(store);
    assert.equal(records.length, 6);
    assert.deepEqual(verifyAudit({ records, keys: {} }), []);
  });
});

Deno.test("after a change of which it is not known whether it was done the chain has no gap, and nothing twice", async () => {
  await withStores(async (open) => {
    const store = open();
    let isLost = true;
    const shaky: Store = Object.create(store, {
      get: { value: (key: string) => store.get(key) },
      transact: {
        value: async (...change: Parameters<Store["transact"]>) => {
          const outcome = await store.transact(...change);
          if (isLost) throw new StoreUnavailableError("the answer was lost");
          return outcome;
        },
      },
    });
    const ledger = ledgerOf(shaky);
    await assert.rejects(ledger.write([EVENT], []), StoreUnavailableError);
    isLost = false;
    await ledger.write([EVENT], []);
    assert.deepEqual((await recordsOf(store)).map(({ number }) => number), [1, 2]);
  });
});

Deno.test("witness() signs the heads of every chain", async () => {
  await withStores(async (open) => {
    const store = open(), { privateKey, publicKey } = generateKeyPairSync("ed25519");
    await ledgerOf(store, "fra").write([EVENT, EVENT], []);
    await ledgerOf(store, "a/b").witness(privateKey);
    const records = await recordsOf(store),
      keys = { "a/b": publicKey.export({ type: "spki", format: "pem" }) as string };
    assert.deepEqual(verifyAudit({ records, keys }), []);
    const cut = records.filter(({ server, number }) => server !== "fra" || number < 2);
    assert.match(verifyAudit({ records: cut, keys })[0]!.what, /is missing: a\/b signed it/);
  });
});

Deno.test("witness() signs nothing where nothing but signatures is new, whoever else signs", async () => {
  await withStores(async (open) => {
    const store = open(), ledgers = ["fra", "ams"].map((server) => ledgerOf(store, server));
    const { privateKey } = generateKeyPairSync("ed25519");
    await ledgers[0]!.write([EVENT], []);
    for (let round = 0; round < 5; round++) for (const ledger of ledgers) await ledger.witness(privateKey);
    const witnesses = async () =>
      (await recordsOf(store)).filter(({ action }) => action === "audit.witness").length;
    const before = await witnesses();
    assert.ok(before <= 4, `${before}`);
    for (let round = 0; round < 5; round++) for (const ledger of ledgers) await ledger.witness(privateKey);
    assert.equal(await witnesses(), before);
    await ledgers[1]!.write([EVENT], []);
    for (const ledger of ledgers) await ledger.witness(privateKey);
    assert.equal(await witnesses(), before + 2);
  });
});

Deno.test("keys hold any name, and give it back", () => {
  for (const name of ["fra1", "*.example.org.", "a/b", "ä b", "it's(1)!", "%41", "\\000.example."]) {
    assert.match(keyPart(name), /^[!-~]+$/);
    assert.ok(!keyPart(name).includes("/"));
    assert.equal(namePart(keyPart(name)), name);
  }
});
