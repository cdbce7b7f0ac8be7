import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
import { StoreRefusedError, StoreUnavailableError } from "../../../core/state/store.ts";
import { type Opened, testContract } from "./contract.ts";

const files = new WeakMap<Opened, string>();

async function open(): Promise<Opened> {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/fleet.db`, stores = [openSqliteStore(file, SYSTEM_CLOCK)];
  const opened: Opened = {
    store: stores[0]!,
    again() {
      stores.push(openSqliteStore(file, SYSTEM_CLOCK));
      return Promise.resolve(stores.at(-1)!);
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
  files.set(opened, file);
  return opened;
}

/** As the hour that changes are kept for would. */
function compact(opened: Opened): Promise<void> {
  const database = new DatabaseSync(files.get(opened)!);
  database.exec(`
    DELETE FROM changes; DELETE FROM revisions;
    UPDATE heads SET revision = (SELECT revision FROM heads WHERE name = 'current') WHERE name = 'compacted';
  `);
  database.close();
  return Promise.resolve();
}

testContract({ kind: "sqlite", open, compact });

async function withFile(
  make: (file: string) => void,
  run: (file: string) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    make(`${folder}/fleet.db`);
    await run(`${folder}/fleet.db`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function execute(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

function refused(file: string, why: RegExp): void {
  assert.throws(() => openSqliteStore(file, SYSTEM_CLOCK), (error) => {
    assert.ok(error instanceof StoreRefusedError, `${error}`);
    assert.match(error.message, why);
    return true;
  });
}

Deno.test("sqlite: a file that is something else is refused, and stays as it was", async () => {
  const text = "# not a database\n".repeat(100);
  await withFile((file) => Deno.writeTextFileSync(file, text), (file) => {
    refused(file, /is not a database of SQLite/);
    assert.equal(Deno.readTextFileSync(file), text);
  });
  await withFile((file) => execute(file, "CREATE TABLE t (a)"), (file) => {
    refused(file, /is a database of another program/);
    execute(file, "INSERT INTO t VALUES (1)");
  });
});

Deno.test("sqlite: a file of a newer program is refused", async () => {
  const make = (file: string) => {
    openSqliteStore(file, SYSTEM_CLOCK).close();
    execute(file, "PRAGMA user_version = 2");
  };
  await withFile(
    make,
    (file) => refused(file, /was written by a newer Meridian: got layout 2, this one knows layouts up to 1/),
  );
});

Deno.test("sqlite: a file is its owner's alone, and what is beside it too", async () => {
  await withFile(() => {}, async (file) => {
    const store = openSqliteStore(file, SYSTEM_CLOCK);
    await store.transact([{ put: "a", value: "1" }]);
    for (const name of [file, `${file}-wal`]) assert.equal(Deno.statSync(name).mode! & 0o777, 0o600, name);
    await store.close();
  });
});

Deno.test("sqlite: where no file can be, the store is unavailable, and one that is closed says so", async () => {
  assert.throws(() => openSqliteStore("/dev/null/at/all/fleet.db", SYSTEM_CLOCK), StoreUnavailableError);
  await withFile(() => {}, async (file) => {
    const store = openSqliteStore(file, SYSTEM_CLOCK);
    await store.close();
    await assert.rejects(store.get("a"), StoreUnavailableError);
  });
});

Deno.test("sqlite: a store in a folder that is not there makes it, for its owner alone", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const store = openSqliteStore(`${folder}/state/fleet.db`, SYSTEM_CLOCK);
    await store.close();
    assert.equal((await Deno.stat(`${folder}/state`)).mode! & 0o777, 0o700);
    assert.equal((await Deno.stat(`${folder}/state/fleet.db`)).mode! & 0o777, 0o600);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
