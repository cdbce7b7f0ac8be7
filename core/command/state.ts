/** `meridian state`: the whole of what a fleet shares as a file, for backups and for moves, straight from its store and into it. @module */

import { SYSTEM_CLOCK } from "../clock.ts";
import { openStore } from "../membership/open_store.ts";
import { SCHEMA_VERSION } from "../membership/member.ts";
import type { MembershipOptions } from "../membership/options.ts";
import { type Dump, dump, DumpError, readDump } from "../state/dump.ts";
import { Ledger } from "../state/ledger.ts";
import { NotEmptyError, restore } from "../state/restore.ts";
import { type Store, StoreRefusedError, StoreUnavailableError } from "../state/store.ts";
import { type Flags, UsageError } from "./flags.ts";
import { findCorefile, loadGlobals, showProblems } from "./load.ts";
import type { Command } from "./mod.ts";
import { confirmed, oneWord } from "./verbs.ts";

type Verb = (file: string, values: Flags["values"]) => Promise<number>;

const verbs: Readonly<Record<string, Verb>> = {
  async export(file, values) {
    const { store } = await opened(values);
    try {
      const lines = dump(store, new Date().toISOString());
      const { entries, sha256 } = await (file === "-" ? write(lines, Deno.stdout) : toFile(lines, file));
      console.error(`${entries} entries of ${store.name}, sha256 ${sha256}`);
      return 0;
    } finally {
      await store.close();
    }
  },
  async import(file, values) {
    const dump = await read(file), { store, options } = await opened(values, true);
    try {
      const question = `Make ${store.name} what ${file} says of ${dump.at}, in place of what is there`;
      if (values.replace && !confirmed(values, question)) return 1;
      const restored = await restore(store, dump, {
        ledger: new Ledger({ store, server: options.server, clock: SYSTEM_CLOCK }),
        ...{ actor: `local:${Deno.env.get("USER") ?? "root"}`, replaces: values.replace === true },
        ...values.reason !== undefined && { reason: String(values.reason) },
      });
      const { entries, removed } = restored, instead = removed > 0 ? `, in place of ${removed}` : "";
      console.error(`${entries} entries are in ${store.name}${instead}`);
      return 0;
    } finally {
      await store.close();
    }
  },
  async check(file) {
    const { entries, sha256, at, store, revision } = await read(file);
    console.log(`${entries.length} entries of ${store} at revision ${revision}, ${at}, sha256 ${sha256}`);
    return 0;
  },
};

/** The command. */
export const state: Command = {
  usage:
    "state export FILE|- [-conf FILE] | import FILE|- [-conf FILE] [-replace] [-yes] [-reason TEXT] | check FILE|-",
  summary: "back up what a fleet shares, and put it back, by the store that a Corefile names",
  flags: {
    conf: { value: "FILE", help: "the Corefile whose store it is (Corefile)" },
    replace: { help: "import: take away what is there first" },
    yes: { help: "do not ask before that" },
    reason: { value: "TEXT", help: "why, for the audit log" },
  },
  wordsMax: 2,
  words: [Object.keys(verbs), "file"],
  async run({ values, words: [verb, ...rest] }) {
    if (verb === undefined || !Object.hasOwn(verbs, verb)) {
      throw new UsageError(`state wants ${Object.keys(verbs).join(", ")}: got ${verb ?? "nothing"}`);
    }
    try {
      return await verbs[verb]!(oneWord(rest, "a FILE, or - for a pipe"), values);
    } catch (error) {
      if (!REFUSALS.some((kind) => error instanceof kind)) throw error;
      console.error((error as Error).message);
      return 1;
    }
  },
};

/** What says it all. */
const REFUSALS = [DumpError, NotEmptyError, StoreRefusedError, StoreUnavailableError];

/** The store of the Corefile. @throws {UsageError} */
async function opened(
  { conf }: Flags["values"],
  mayBeNew = false,
): Promise<{ readonly store: Store; readonly options: MembershipOptions }> {
  const source = findCorefile(conf as string | undefined);
  const { globals: { membership }, problems } = loadGlobals(source, ["state", "server"]);
  if (problems.errors.length > 0) {
    throw new UsageError(
      showProblems({ problems, sources: new Map([[source.file, source.text]]) }, Deno.stderr),
    );
  }
  if (!membership) {
    throw new UsageError(
      `${source.file} names no store: want \`state sqlite FILE\` or \`state etcd URL...\` in it`,
    );
  }
  const { store } = membership;
  if (store.kind === "sqlite" && !mayBeNew) await Deno.stat(store.file);
  return { store: await openStore(membership), options: membership };
}

/** What the last line says. */
type Ending = { readonly entries: number; readonly sha256: string };

/** So much is gathered before it is written. */
const CHUNK_CHARACTERS = 1 << 16;

/** Something that takes octets, as many at once as it likes. */
interface Sink {
  write(octets: Uint8Array): Promise<number>;
}

/** @returns What the last line says. */
async function write(lines: AsyncIterable<string>, sink: Sink): Promise<Ending> {
  let last = "", chunk = "";
  for await (const line of lines) {
    last = line;
    chunk += line;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    await writeAll(chunk, sink);
    chunk = "";
  }
  await writeAll(chunk, sink);
  return JSON.parse(last);
}

async function writeAll(text: string, sink: Sink): Promise<void> {
  for (let octets = new TextEncoder().encode(text); octets.length > 0;) {
    octets = octets.subarray(await sink.write(octets));
  }
}

/** Beside it first, so that there is never half of a backup under its name. Nobody else may read it: tokens' hashes lie there. */
async function toFile(lines: AsyncIterable<string>, path: string): Promise<Ending> {
  const aside = `${path}.part`;
  await Deno.remove(aside).catch(() => {});
  const file = await Deno.open(aside, { write: true, createNew: true, mode: 0o600 });
  try {
    const ending = await write(lines, file);
    await file.sync();
    await Deno.rename(aside, path);
    return ending;
  } catch (error) {
    await Deno.remove(aside).catch(() => {});
    throw error;
  } finally {
    file.close();
  }
}

/** @throws {DumpError} */
async function read(path: string): Promise<Dump> {
  if (path === "-") {
    return await readDump(Deno.stdin.readable.pipeThrough(new TextDecoderStream()), SCHEMA_VERSION);
  }
  const file = await Deno.open(path);
  try {
    return await readDump(file.readable.pipeThrough(new TextDecoderStream()), SCHEMA_VERSION);
  } catch (error) {
    if (error instanceof DumpError) throw new DumpError(`${path}: ${error.message}`);
    throw error;
  }
}
