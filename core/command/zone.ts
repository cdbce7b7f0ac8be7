/** `meridian zone`: the zones that a fleet manages. @module */

import { askAll, ASKING } from "./api_client.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { confirmed, oneWord, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const zones = await askAll(client, "/v1/zones?limit=1000");
      print(values, zones, () =>
        zones.length === 0 ? "no zones" : formatTable(
          ["ZONE", "SERIAL", "TTL"],
          zones.map(({ name, serial, ttl }) => [name, `${serial}`, `${ttl.min}-${ttl.max}`]),
        ));
      return 0;
    },
  },
  add: {
    usage: "ZONE NAME-SERVER...",
    async run(client, [name = "", ...nameServers], values) {
      const { body } = await client.ask("POST", "/v1/zones", {
        ...{ name, nameServers, ...boundsOf(values) },
        ...values.mailbox !== undefined && { mailbox: values.mailbox },
      });
      print(values, body, () => `${body.name} is there, serial ${body.serial}`);
      return 0;
    },
  },
  remove: {
    usage: "ZONE",
    async run(client, words, values) {
      const name = oneWord(words, "the ZONE");
      if (!confirmed(values, `Take zone ${name} away with all its records`)) return 1;
      await client.ask("DELETE", zonePath(name));
      print(values, { name, removed: true }, () => `${name} is gone`);
      return 0;
    },
  },
};

/** The command. */
export const zone: Command = {
  usage: usageOf("zone", verbs),
  summary: "list, add and remove the zones that a fleet manages",
  flags: {
    ...ASKING,
    mailbox: { value: "NAME", help: "of whoever is responsible, as a domain name (hostmaster.ZONE)" },
    "ttl-min": { value: "SECONDS", help: "the least TTL that a record may have (0)" },
    "ttl-max": { value: "SECONDS", help: "the longest (2147483647)" },
    yes: { help: "do not ask before something is removed" },
  },
  wordsMax: 15,
  words: [Object.keys(verbs), "text"],
  run: (flags) => runVerb("zone", verbs, flags),
};

/** Where the interface has a zone. */
export function zonePath(name: string): string {
  return `/v1/zones/${encodeURIComponent(name)}`;
}

/** @throws {UsageError} */
function boundsOf(values: Flags["values"]): { ttl?: { min?: number; max?: number } } {
  const min = secondsIn(values, "ttl-min"), max = secondsIn(values, "ttl-max");
  if (min === undefined && max === undefined) return {};
  return { ttl: { ...min !== undefined && { min }, ...max !== undefined && { max } } };
}

function secondsIn(values: Flags["values"], flag: string): number | undefined {
  const text = values[flag];
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(String(text))) return Number(text);
  throw new UsageError(`-${flag} wants seconds: got ${text}`);
}
