import { DatabaseSync } from "node:sqlite";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { openSqliteStore } from "../../../core/state/sqlite_store.ts";
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
