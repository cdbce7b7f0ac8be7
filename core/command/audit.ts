/** `meridian audit`: who changed what in a fleet, and whether the log is whole. @module */

import { askAll, ASKING } from "./api_client.ts";
import { UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { print, runVerb, usageOf, type Verbs } from "./verbs.ts";

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
};

/** The command. */
export const audit: Command = {
  usage: usageOf("audit", verbs),
  summary: "who changed what in a fleet, and whether the log of it is whole",
  flags: ASKING,
  wordsMax: 5,
  words: [Object.keys(verbs), "text"],
  run: (flags) => runVerb("audit", verbs, flags),
};
