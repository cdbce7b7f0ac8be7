import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  type AuditFault,
  type AuditRecord,
  type Head,
  headOf,
  NO_RECORD,
  recordAfter,
  verifyAudit,
  witnessEvent,
} from "../../../core/state/audit.ts";
import { canonicalJson } from "../../../core/state/canonical.ts";

const SERVERS = ["ams", "fra", "sin"];
const PAIRS = Object.fromEntries(SERVERS.map((server) => [server, generateKeyPairSync("ed25519")]));
const KEYS = Object.fromEntries(
  SERVERS.map((
    server,
  ) => [server, PAIRS[server]!.publicKey.export({ type: "spki", format: "pem" }) as string]),
);

/** Three chains of thirty records; every fifth signs what its server sees. */
function written(): AuditRecord[] {
  const records: AuditRecord[] = [], heads: Record<string, Head> = {};
  for (let i = 0; i < 90; i++) {
    const server = SERVERS[i % 3]!, own = heads[server] ?? NO_RECORD;
    const event = own.number % 5 === 4
      ? witnessEvent(server, own, { ...heads }, PAIRS[server]!.privateKey as KeyObject)
      : {
        ...{ actor: "token:anna", action: "override.create", subject: `nodes/n${i}`, reason: "kernel" },
        after: { state: "drain", untilMs: i },
      };
    const record = recordAfter(own, server, event, 1000 + i);
    records.push(record);
    heads[server] = headOf(record);
  }
  return records;
}

const faultsOf = (records: readonly AuditRecord[]) => verifyAudit({ records, keys: KEYS });
const told = (faults: readonly AuditFault[]) =>
  faults.map(({ server, number, what }) => `${server}/${number} ${what}`);

Deno.test("canonicalJson() does not depend on the order in which an object was made", () => {
  assert.equal(
    canonicalJson({ b: [1, null, "ü"], a: { d: true, c: undefined, b: -0 } }),
    `{"a":{"b":0,"d":true},"b":[1,null,"ü"]}`,
  );
  assert.throws(() => canonicalJson({ a: NaN }), TypeError);
});

Deno.test("verifyAudit() finds nothing in a log as it was written, whatever the order of its records", () => {
  assert.deepEqual(faultsOf(written()), []);
  assert.deepEqual(faultsOf(written().toReversed()), []);
  assert.deepEqual(faultsOf(JSON.parse(JSON.stringify(written()))), []);
});

Deno.test("verifyAudit() finds every record that is taken out", () => {
  const records = written();
  for (let i = 0; i < records.length; i++) {
    const { server, number } = records[i]!;
    const isSeen = i < records.length - 3 || witnessed(records, server, number);
    const faults = faultsOf(records.toSpliced(i, 1));
    // The newest of each chain nobody has signed yet.
    assert.equal(faults.length > 0, isSeen, `${server}/${number}`);
  }
});

/** Whether some other record tells of it. */
function witnessed(records: readonly AuditRecord[], server: string, number: number): boolean {
  return records.some(({ after }) =>
    (after as { heads?: Record<string, Head> })?.heads?.[server]?.number === number
  );
}

Deno.test("verifyAudit() finds every change of any field of a record that something follows", () => {
  const records = written();
  for (let i = 0; i < records.length - 3; i++) {
    for (
      const [field, value] of Object.entries({
        actor: "token:eve",
        reason: "none",
        atMs: 7,
        action: "x.y",
        subject: "nodes/z",
      })
    ) {
      const changed = records.with(i, { ...records[i]!, [field]: value });
      assert.ok(faultsOf(changed).length > 0, `${field} of ${records[i]!.server}/${records[i]!.number}`);
    }
  }
});

Deno.test("verifyAudit() finds any two records of a chain that have changed places", () => {
  const records = written();
  for (let i = 0; i < records.length - 6; i++) {
    const [a, b] = [records[i]!, records[i + 3]!];
    const swapped = records.with(i, { ...b, number: a.number }).with(i + 3, { ...a, number: b.number });
    assert.ok(faultsOf(swapped).length > 0, `${a.server}/${a.number}`);
  }
});

Deno.test("verifyAudit() finds a record that was added in the middle", () => {
  const records = written(), fourth = records.find(({ server, number }) => server === "fra" && number === 4)!;
  assert.deepEqual(told(faultsOf([...records, { ...fourth, reason: "another" }])).slice(0, 1), [
    "fra/4 is there twice",
  ]);
});

/** The chain of a server from `number` on made anew, sound in itself, as who may write everything but has no key would. */
function rewritten(
  records: readonly AuditRecord[],
  server: string,
  number: number,
  until = Infinity,
): AuditRecord[] {
  let head: Head | undefined;
  return records.filter((record) => record.server !== server || record.number <= until).map((record) => {
    if (record.server !== server || record.number < number) return record;
    const made: AuditRecord = {
      ...record,
      ...record.number === number ? { reason: "another" } : { previous: head!.hash },
    };
    head = headOf(made);
    return made;
  });
}

Deno.test("verifyAudit() finds a chain that was written anew, by what others have signed", () => {
  const faults = told(faultsOf(rewritten(written(), "fra", 12)));
  assert.ok(
    faults.some((text) => /^fra\/\d+ is not what it was: (ams|sin) signed it in record \d+$/.test(text)),
    faults.join(),
  );
});

Deno.test("verifyAudit() finds a tail that was cut off, by what others have signed", () => {
  const records = written().filter(({ server, number }) => server !== "fra" || number < 24);
  assert.deepEqual(told(faultsOf(records)).filter((text) => text.startsWith("fra/")).slice(0, 1), [
    "fra/24 is missing: ams signed it in record 25",
  ]);
});

Deno.test("verifyAudit() finds a signature that is not the server's", () => {
  const records = written(), at = records.findIndex(({ action }) => action === "audit.witness");
  const { server, number, after } = records[at]!;
  const { heads } = after as unknown as { heads: Record<string, Head> };
  const forged = witnessEvent(
    server,
    { number: number - 1, hash: "" },
    heads,
    generateKeyPairSync("ed25519").privateKey,
  );
  const faults = told(faultsOf(records.with(at, { ...records[at]!, after: forged.after! })));
  assert.ok(faults.includes(`${server}/${number} has a signature that is not its server's`));
  for (const after of [undefined, null, "heads", { signature: "" }]) {
    const { after: _, ...rest } = records[at]!;
    const emptied = told(faultsOf(records.with(at, { ...rest, ...after !== undefined && { after } })));
    assert.ok(emptied.includes(`${server}/${number} has a signature that is not its server's`), `${after}`);
  }
  const unknown = verifyAudit({ records, keys: { ams: KEYS.ams!, fra: KEYS.fra! } });
  assert.ok(told(unknown).some((text) => /^sin\/5 is signed by a server whose key is not known$/.test(text)));
});

Deno.test("verifyAudit() takes a chain whose oldest records have been put away from where it begins", () => {
  const records = written(), tenth = records.find(({ server, number }) => server === "fra" && number === 10)!;
  const kept = records.filter(({ server, number }) => server !== "fra" || number > 10);
  assert.deepEqual(verifyAudit({ records: kept, keys: KEYS, begins: { fra: headOf(tenth) } }), []);
  assert.ok(
    verifyAudit({ records: kept, keys: KEYS, begins: { fra: { number: 10, hash: "1" } } }).length > 0,
  );
  assert.ok(faultsOf(kept).length > 0);
});
