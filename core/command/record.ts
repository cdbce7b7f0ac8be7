/** `meridian record`: the records of the zones that a fleet manages. @module */

import { askAll, ASKING } from "./api_client.ts";
import { UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { confirmed, oneWord, print, runVerb, usageOf, type Verbs } from "./verbs.ts";
import { zonePath } from "./zone.ts";

/** An RRset as the interface has it. */
interface RRset {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly rdata: readonly string[];
}

const verbs: Verbs = {
  list: {
    usage: "ZONE [name=NAME] [type=TYPE]",
    async run(client, [zone = "", ...filters], values) {
      const query = new URLSearchParams({ limit: "1000", ...filtersOf(zone, filters) });
      const rrsets: RRset[] = await askAll(client, `${zonePath(zone)}/records?${query}`);
      print(
        values,
        rrsets,
        () =>
          rrsets.length === 0
            ? "no records"
            : formatTable(["NAME", "TTL", "TYPE", "DATA"], rrsets.flatMap(rowsOf)),
      );
      return 0;
    },
  },
  set: {
    usage: "ZONE NAME TYPE TTL RDATA...",
    async run(client, [zone = "", name = "", type = "", ttl = "", ...rdata], values) {
      if (rdata.length === 0) throw new UsageError("record set wants ZONE NAME TYPE TTL RDATA...");
      if (!/^\d{1,10}$/.test(ttl)) throw new UsageError(`record set wants a TTL in seconds: got ${ttl}`);
      const { body, status } = await client.ask("PUT", rrsetPath(zone, name, type), {
        ttl: Number(ttl),
        rdata,
      });
      const what = status === 201 ? "is there" : "is changed";
      print(values, body, () => `${body.type} at ${body.name} ${what}`);
      return 0;
    },
  },
  remove: {
    usage: "ZONE NAME TYPE",
    async run(client, words, values) {
      const [zone, name, type, ...more] = words;
      if (zone === undefined || name === undefined || type === undefined || more.length > 0) {
        throw new UsageError(`record remove wants ZONE NAME TYPE: got ${words.join(" ") || "nothing"}`);
      }
      const whole = wholeName(name, zone);
      if (!confirmed(values, `Take ${type} at ${whole} away`)) return 1;
      await client.ask("DELETE", rrsetPath(zone, name, type));
      print(values, { name: whole, type, removed: true }, () => `${type} at ${whole} is gone`);
      return 0;
    },
  },
  import: {
    usage: "ZONE FILE",
    async run(client, [zone = "", ...words], values) {
      const file = oneWord(words, "a FILE, or - for standard input");
      const text = file === "-"
        ? await new Response(Deno.stdin.readable).text()
        : await Deno.readTextFile(file);
      if (!confirmed(values, `Make all of zone ${zone} what ${file} says`)) return 1;
      const { body } = await client.ask("PUT", `${zonePath(zone)}/file`, text, {
        "Content-Type": "text/dns",
      });
      for (const warning of body.warnings) console.error(`${file}:${warning}`);
      print(values, body, () => `${body.name}: ${body.rrsets} RRsets, serial ${body.serial}`);
      return 0;
    },
  },
  export: {
    usage: "ZONE",
    async run(client, words, _values) {
      const { text } = await client.ask("GET", `${zonePath(oneWord(words, "the ZONE"))}/file`);
      await Deno.stdout.write(new TextEncoder().encode(text));
      return 0;
    },
  },
};

/** The command. */
export const record: Command = {
  usage: usageOf("record", verbs),
  summary: "list, set, remove, import and export the records of managed zones",
  flags: { ...ASKING, yes: { help: "do not ask before records are removed or exchanged" } },
  wordsMax: 200,
  words: [Object.keys(verbs), "text", "file"],
  run: (flags) => runVerb("record", verbs, flags),
};

function rowsOf({ name, ttl, type, rdata }: RRset): string[][] {
  return rdata.map((one) => [name, `${ttl}`, type, one]);
}

function rrsetPath(zone: string, name: string, type: string): string {
  const [owner, what] = [wholeName(name, zone), type].map(encodeURIComponent);
  return `${zonePath(zone)}/records/${owner}/${what}`;
}

/** `@` is the zone itself; a name without a dot at its end that is not within the zone is one below it. */
function wholeName(name: string, zone: string): string {
  const apex = zone.replace(/\.$/, "").toLowerCase(), asked = name.toLowerCase();
  if (name === "@") return `${apex}.`;
  if (name.endsWith(".") || asked === apex || asked.endsWith(`.${apex}`)) return name;
  return apex === "" ? `${name}.` : `${name}.${apex}.`;
}

/** @throws {UsageError} */
function filtersOf(zone: string, words: readonly string[]): Record<string, string> {
  return Object.fromEntries(words.map((word) => {
    const [, key, value] = /^(name|type)=(.+)$/.exec(word) ?? [];
    if (key === undefined) throw new UsageError(`record list wants name=NAME or type=TYPE: got ${word}`);
    return [key, key === "name" ? wholeName(value!, zone) : value!];
  }));
}
