import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { EventSource } from "../../../core/management/events.ts";
import { nodeKind } from "../../../core/management/nodes.ts";
import { readerOf } from "../../../core/management/reader.ts";
import { Records } from "../../../core/management/records.ts";
import { Resources } from "../../../core/management/resource.ts";
import { exportZone, importZone } from "../../../core/management/zone_transfer.ts";
import { type AuditRecord, verifyAudit } from "../../../core/state/audit.ts";
import { PREFIXES } from "../../../core/state/keys.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { Replica } from "../../../core/state/replica.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { ANNA } from "./support.ts";

const LOG = { debug() {}, info() {}, warn() {}, error() {} };

Deno.test("over a store on disk: changes come back by the replica as events, and the log is whole", async () => {
  const folder = await Deno.makeTempDir(), store = openSqliteStore(`${folder}/fleet.db`, SYSTEM_CLOCK);
  const ledger = new Ledger({ store, server: "fra", clock: SYSTEM_CLOCK });
  const pulse = async () => (await store.transact([{ put: "servers/fra", value: "{}" }])).revision;
  const replica = new Replica({ store, clock: SYSTEM_CLOCK, log: LOG, random: () => 0.5, pulse });
  const end = new AbortController();
  try {
    await replica.start();
    const management = {
      store,
      ledger,
      clock: SYSTEM_CLOCK,
      newId: () => crypto.randomUUID(),
      reader: readerOf(replica),
    };
    const events = new EventSource(replica), types: string[] = [];
    const told = (async () => {
      for await (
        const { type } of events.follow(undefined, end.signal, ({ type }) => !type.startsWith("server"))
      ) {
        if (types.push(type) >= 4) break;
      }
    })();
    const nodes = new Resources(management, nodeKind());
    const node = { id: "fra1", addresses: ["192.0.2.1"], location: { latitude: 50, longitude: 8 } };
    await Promise.all([1, 2, 3].map(() => nodes.put("fra1", node, { ...ANNA, idempotencyKey: "same" })));
    const { etag } = await nodes.patch("fra1", { weight: 2 }, ANNA);
    await told;
    assert.deepEqual(types, ["audit.created", "node.created", "audit.created", "node.changed"]);
    await replica.reached(Number(etag!.slice(1, -1)), 60_000);
    assert.equal((await nodes.get("fra1")).etag, etag);
    const lines = Array.from({ length: 300 }, (_, i) => `h${i} 60 A 192.0.2.${i % 256}`);
    const text = ["@ 60 SOA ns.example.net. h. 1 2 3 4 5", "@ 60 NS ns.example.net.", ...lines, ""].join(
      "\n",
    );
    await importZone(management, "example.org", text, ANNA);
    await new Records(management).put(
      "example.org",
      "h7.example.org",
      "A",
      { ttl: 9, rdata: ["192.0.2.9"] },
      ANNA,
    );
    assert.match(
      await exportZone(store, "example.org"),
      /SOA ns\.example\.net\. h\. 2 2 3 4 5\n[^]*h7\S* 9 IN A 192\.0\.2\.9\n/,
    );
    const records = (await store.list(PREFIXES.audit)).entries.map(({ value }) =>
      JSON.parse(value) as AuditRecord
    );
    assert.deepEqual(records.map(({ action }) => action), [
      "node.create",
      "node.update",
      "zone.import",
      "records.change",
    ]);
    assert.deepEqual(verifyAudit({ records, keys: {} }), []);
  } finally {
    end.abort();
    await replica.close();
    await store.close();
    await Deno.remove(folder, { recursive: true });
  }
});
