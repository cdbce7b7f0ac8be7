/**
 * The file of a {@link sqlite_store.ts}: how it is laid out, and how it is known to be one.
 *
 * @module
 */

import { dirname } from "node:path/posix";
import { DatabaseSync } from "node:sqlite";
import { StoreRefusedError, StoreUnavailableError } from "./store.ts";

/** How a file is laid out (PRAGMA user_version). */
const LAYOUT = 1;

/** Tells a file of ours from other programs' (PRAGMA application_id): "MERI". */
const APPLICATION_ID = 0x4d455249;

/** How long a write of another process is waited for. */
const BUSY_MS = 2000;

const TABLES = `
CREATE TABLE entries (
  key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL, version INTEGER NOT NULL, lease TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
CREATE TABLE changes (
  revision INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, version INTEGER NOT NULL, PRIMARY KEY (revision, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE revisions (revision INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL) STRICT;
CREATE TABLE leases (id TEXT PRIMARY KEY, seconds REAL NOT NULL, ends_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE heads (name TEXT PRIMARY KEY, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO heads VALUES ('current', 0), ('compacted', 0);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${LAYOUT};
`;

/**
 * Opens the database in `file`; a new one gets its tables. Only its owner may read it: tokens' hashes lie there.
 *
 * @throws {StoreRefusedError} The file is another program's, or a newer one's, or damaged.
 * @throws {StoreUnavailableError} It cannot be opened, for a reason that may pass.
 */
export function openDatabase(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    makePrivate(file);
    database = new DatabaseSync(file);
    database.exec(`PRAGMA busy_timeout = ${BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL`);
    layOut(database, file);
    return database;
  } catch (error) {
    database?.close();
    throw explained(error as Error, file);
  }
}

/** SQLite makes the files beside it (-wal, -shm) with the mode of the file itself. A new fleet's folder may not be there. */
function makePrivate(file: string): void {
  Deno.mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  Deno.openSync(file, { create: true, append: true, mode: 0o600 }).close();
}

/** Under a lock, as two processes may start at once. */
function layOut(database: DatabaseSync, file: string): void {
  database.exec("BEGIN IMMEDIATE");
  const id = pragma(database, "application_id"), layout = pragma(database, "user_version");
  const isNew = pragma(database, "schema_version") === 0;
  if (isNew) database.exec(TABLES);
  database.exec("COMMIT");
  if (isNew) return;
  if (id !== APPLICATION_ID) throw new StoreRefusedError(`${file} is a database of another program`);
  if (layout > LAYOUT) {
    throw new StoreRefusedError(
      `${file} was written by a newer Meridian: got layout ${layout}, this one knows layouts up to ${LAYOUT}`,
    );
  }
}

function pragma(database: DatabaseSync, name: string): number {
  return (database.prepare(`PRAGMA ${name}`).get() as Record<string, number>)[name]!;
}

/** The runtime tells of SQLite's result code only by its words: SQLITE_NOTADB and SQLITE_CORRUPT (sqlite.org/rescode.html). */
const NOT_A_DATABASE = /file is not a database/, CORRUPT = /disk image is malformed/;

function explained(error: Error, file: string): Error {
  if (error instanceof StoreRefusedError) return error;
  const { message } = error;
  if (NOT_A_DATABASE.test(message)) {
    return new StoreRefusedError(`${file} is not a database of SQLite`, { cause: error });
  }
  if (CORRUPT.test(message)) return new StoreRefusedError(`${file} is damaged: ${message}`, { cause: error });
  return new StoreUnavailableError(`Cannot open ${file}: ${message}`, { cause: error });
}
