import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { Member } from "../../../core/membership/member.ts";
import type { MembershipConfiguration } from "../../../core/membership/protocol.ts";
import { KEYS, PREFIXES } from "../../../core/state/keys.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import type { Keeper, Kept } from "../../../core/state/replica.ts";
import { until } from "../../support/until.ts";

const CONFIGURATION: MembershipConfiguration = {
  store: { kind: "sqlite", file: "" },
  ...{ server: "fra", region: "eu", url: "", stateDirectory: "", version: "test" },
  agreement: { mode: "quorum", vantages: 2, freshMs: 15_000, holdMs: 300_000 },
};

const SEALED = { put: KEYS.schema, value: `{"version":1}` },
  HALF = { put: KEYS.schema, value: `{"importing":"ab","version":1}` };
const NODE = { put: KEYS.node("n1"), value: `{"id":"n1"}` };

function memberOf(file: string, keeper?: Keeper): { member: Member; warned: string[] } {
  const warned: string[] = [], tell = () => {}, warn = (message: string) => void warned.push(message);
  const member = new Member({
    ...{ configuration: CONFIGURATION, clock: SYSTEM_CLOCK, random: Math.random, tell },
    ...{
      log: { debug: tell, info: tell, warn, error: warn },
      key: generateKeyPairSync("ed25519").privateKey,
    },
    store: openSqliteStore(file, SYSTEM_CLOCK),
    ...keeper && { keeper },
  });
  return { member, warned };
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const nodesOf = ({ replica }: Member) => Array.from(replica.below(PREFIXES.nodes), ({ key }) => key);

Deno.test("while half of an import lies in the store a server goes on by what it knew, then by what was imported", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/fleet.db`,
      other = openSqliteStore(file, SYSTEM_CLOCK),
      { member, warned } = memberOf(file);
    await member.start();
    await other.transact([NODE]);
    await until("the node", () => nodesOf(member).length === 1);
    await other.transact([HALF]);
    await other.transact([{ remove: NODE.put }]);
    await until("the fault", () => /half of an import/.test(member.replica.fault?.message ?? ""));
    assert.deepEqual(nodesOf(member), ["nodes/n1"]);
    assert.ok(warned.some((one) => /half of an import lies there/.test(one)), warned.join("; "));
    await other.transact([{ put: KEYS.node("n2"), value: `{"id":"n2"}` }]);
    await other.transact([SEALED]);
    await until("what was imported", () => nodesOf(member).join() === "nodes/n2");
    assert.equal(member.replica.fault, undefined);
    await member.close();
    await other.close();
  });
});

Deno.test("a store that is empty though the fleet was not takes nothing away from a server that starts", async () => {
  await withFolder(async (folder) => {
    let kept: Kept | undefined = {
      ...{ confirmedMs: Date.now() - 60_000, revision: 7 },
      entries: [SEALED, NODE].map(({ put: key, value }) => ({ key, value, revision: 7, version: 1 })),
    };
    const keeper: Keeper = { read: () => Promise.resolve(kept), keep: (value) => void (kept = value) };
    const file = `${folder}/fleet.db`, { member } = memberOf(file, keeper);
    await member.start();
    await until(
      "the fault",
      () => /nothing in it, though there was/.test(member.replica.fault?.message ?? ""),
    );
    assert.deepEqual(nodesOf(member), ["nodes/n1"]);
    const other = openSqliteStore(file, SYSTEM_CLOCK);
    assert.deepEqual((await other.list("")).entries, [], "it has written into a store that may be another's");
    await other.transact([SEALED, { put: KEYS.node("n2"), value: `{"id":"n2"}` }]);
    await until("what was imported", () => nodesOf(member).join() === "nodes/n2");
    await member.close();
    await other.close();
  });
});

Deno.test("a new store is a new fleet's, and newer data is not taken over by a server that runs", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/fleet.db`,
      other = openSqliteStore(file, SYSTEM_CLOCK),
      { member } = memberOf(file);
    await member.start();
    await until("the schema", async () => (await other.get(KEYS.schema))?.value === SEALED.value);
    await other.transact([NODE]);
    await until("the node", () => nodesOf(member).length === 1);
    await other.transact([{ put: KEYS.schema, value: `{"version":99}` }, { remove: NODE.put }]);
    await until("the fault", () => /data of version 99/.test(member.replica.fault?.message ?? ""));
    assert.deepEqual(nodesOf(member), ["nodes/n1"]);
    await member.close();
    await other.close();
  });
});
