/** `meridian audit`: who changed what in a fleet, and whether the log is whole. @module */

import { askAll, ASKING } from "./api_client.ts";
import type { AuditFault } from "../state/audit.ts";
import { ArchiveError, readArchive } from "../state/audit_archive.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { confirmed, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

const FILTERS = ["actor", "action", "subject", "server"];

const verbs: Verbs = {
  list: {
    usage: `[${FILTERS.map((filter) => `${filter}=TEXT`).join("] [")}]`,
    async run(client, words, values) {
      const query = new URLSearchParams({ limit: "1000" });
      for (const word of words) {
        const [, filter, text] = /^(\w+)=(.+)$/.exec(word) ?? [];
        if (filter === undefined || !FILTERS.includes(filter)) {
          throw new UsageError(
            `audit list wants ${FILTERS.join(", ")} and what it must be, actor=token:ada: got ${word}`,
          );
        }
        query.set(filter, text!);
      }
      const records = await askAll(client, `/v1/audit?${query}`);
      print(values, records, () =>
        records.length === 0 ? "nothing is recorded" : formatTable(
          ["RECORD", "WHEN", "WHO", "WHAT", "TO", "WHY"],
          records.map(({ server, number, atMs, actor, action, subject, reason = "" }) => [
            ...[`${server}/${number}`, new Date(atMs).toISOString(), actor, action, subject, reason],
          ]),
        ));
      return 0;
    },
  },
  verify: {
    usage: "",
    async run(client, _words, values) {
      const { body } = await client.ask("GET", "/v1/audit/verification");
      print(
        values,
        body,
        () =>
          body.isWhole
            ? `${body.records} records, all of them as they were written`
            : body.faults.map(({ server, number, what }: any) => `${server}/${number} ${what}`).join("\n"),
      );
      return body.isWhole ? 0 : 1;
    },
  },
  archive: {
    usage: "BEFORE FILE",
    async run(client, words, values) {
      const [before, file, ...more] = words;
      if (before === undefined || file === undefined || more.length > 0) {
        throw new UsageError(
          `audit archive wants BEFORE and FILE, 2026-12-01T00:00:00Z log.jsonl: got ${words.join(" ")}`,
        );
      }
      const { text } = await client.ask("GET", `/v1/audit/archive?before=${encodeURIComponent(before)}`);
      const { ends, sha256, records, faults } = await readArchive(oneText(text));
      if (faults.length > 0) {
        throw new UsageError(`nothing is put away of a log at fault:\n${faultsText(faults)}`);
      }
      if (!confirmed(values, `Put ${records} records into ${file}, and out of the log`)) return 1;
      await keep(text, file);
      console.error(`${records} records are in ${file}, sha256 ${sha256}`);
      await client.ask("POST", "/v1/audit/archive", { ends, sha256 });
      print(values, { records, sha256, ends }, () => "the log begins after them");
      return 0;
    },
  },
};

/** Looks at archives alone: asks nobody. */
async function check(files: readonly string[], values: Flags["values"]): Promise<number> {
  if (files.length === 0) throw new UsageError("audit check wants FILE...: got nothing");
  let worst = 0;
  for (const file of files) {
    try {
      const { records, before, sha256, faults } = await readArchive(oneText(await Deno.readTextFile(file)));
      if (faults.length > 0) worst = 1;
      print(
        values,
        { file, records, before, sha256, faults },
        () =>
          faults.length > 0
            ? `${file}: ${faultsText(faults)}`
            : `${file}: ${records} records before ${before}, all of them as they were written, sha256 ${sha256}`,
      );
    } catch (error) {
      if (!(error instanceof ArchiveError)) throw error;
      console.error(`${file}: ${error.message}`);
      worst = 1;
    }
  }
  return worst;
}

async function* oneText(text: string): AsyncGenerator<string> {
  yield await Promise.resolve(text);
}

function faultsText(faults: readonly AuditFault[]): string {
  return faults.map(({ server, number, what }) => `${server}/${number} ${what}`).join("\n");
}

/** It is on the disk, and nobody's file is written over, before anything is taken out of the log. */
async function keep(text: string, path: string): Promise<void> {
  using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 }).catch((error) => {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new UsageError(`${path} is there already: nothing is written over`);
  });
  for (let octets = new TextEncoder().encode(text); octets.length > 0;) {
    octets = octets.subarray(await file.write(octets));
  }
  await file.sync();
}

/** The command. */
export const audit: Command = {
  usage: `${usageOf("audit", verbs)} | check FILE...`,
  summary: "who changed what in a fleet, and whether the log of it is whole",
  flags: { ...ASKING, yes: { help: "do not ask before records are taken out of the log" } },
  wordsMax: 100,
  words: [[...Object.keys(verbs), "check"], "text", "file"],
  run: (flags) =>
    flags.words[0] === "check" ? check(flags.words.slice(1), flags.values) : runVerb("audit", verbs, flags),
};
