/**
 * BIND's named-compilezone takes the zone files that we take, refuses those that we refuse, and reads the same
 * records in them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fold, formatName, parseName } from "../../core/dns/name.ts";
import { canonicalRdata, formatRdata } from "../../core/dns/rdata.ts";
import { typeToText } from "../../core/dns/types.ts";
import { makeZone } from "../../core/zone/make_zone.ts";
import { parseMasterFile, type ZoneFileError } from "../../core/zone/master_file.ts";
import type { Zone } from "../../core/zone/zone.ts";
import { commandPath, havePackages } from "../../scripts/packages.ts";
import { makeUpZone } from "./make_zone_file.ts";
import { BAD, DIFFERENT, GOOD, type ZoneFileCase } from "./zone_files.ts";

const ORIGIN = parseName("example.org.");

/** What is left out: checks that are about taste, and about other zones. */
const LENIENT = [
  "-i",
  "none",
  ...["-k", "-n", "-m", "-r", "-M", "-S", "-T", "-W"].flatMap((flag) => [flag, "ignore"]),
];

Deno.test("named-compilezone reads the same records in good zone files", async (t) => {
  const made = [11, 12, 13].map((seed) => ({ text: makeUpZone(seed, 200).text }));
  await eachCase(t, [...GOOD, ...made], ({ ours, theirs }) => {
    assert.deepEqual(ours.errors, []);
    assert.equal(theirs.accepted, true, theirs.said);
    assert.deepEqual(linesOf(ours.zone!), linesOf(theirs.zone!));
  });
});

Deno.test("named-compilezone refuses bad zone files too", async (t) => {
  await eachCase(t, BAD, ({ ours, theirs }) => {
    assert.notDeepEqual(ours.errors, []);
    assert.equal(theirs.accepted, false, "BIND takes it");
  });
});

Deno.test("named-compilezone judges otherwise where we mean to differ", async (t) => {
  await eachCase(t, DIFFERENT, ({ ours, theirs }, { ours: wanted }) => {
    assert.equal(ours.errors.length === 0, wanted === "good");
    assert.equal(theirs.accepted, wanted === "bad");
  });
});

interface Read {
  readonly zone?: Zone;
  readonly errors: readonly ZoneFileError[];
}

interface Judged {
  readonly ours: Read;
  readonly theirs: { readonly accepted: boolean; readonly said: string; readonly zone?: Zone };
}

async function eachCase<C extends ZoneFileCase>(
  t: Deno.TestContext,
  cases: readonly C[],
  check: (judged: Judged, one: C) => void,
): Promise<void> {
  if (!await havePackages(["bind9-utils"])) return;
  for (const one of cases) {
    await t.step(
      one.text.split("\n").slice(4).join(" / ").slice(0, 60) || one.text.slice(0, 60),
      async () => {
        const folder = await Deno.makeTempDir();
        try {
          check(await judge(folder, one), one);
        } finally {
          await Deno.remove(folder, { recursive: true });
        }
      },
    );
  }
}

async function judge(folder: string, { text, files = {} }: ZoneFileCase): Promise<Judged> {
  for (const [name, content] of Object.entries({ ...files, zone: text })) {
    await Deno.writeTextFile(`${folder}/${name}`, content);
  }
  const { success, stdout, stderr } = await new Deno.Command((await commandPath("named-compilezone"))!, {
    args: [...LENIENT, "-F", "text", "-s", "full", "-o", "compiled", "example.org", "zone"],
    cwd: folder,
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const compiled = success ? read(`${folder}/compiled`) : undefined;
  return {
    ours: read(`${folder}/zone`),
    theirs: { accepted: success, said, ...(compiled?.zone && { zone: compiled.zone }) },
  };
}

function read(file: string): Read {
  const text = Deno.readTextFileSync(file);
  const { records, errors } = parseMasterFile(text, { file, origin: ORIGIN, read: Deno.readTextFileSync });
  return errors.length > 0 ? { errors } : makeZone(ORIGIN, records);
}

/** What a zone holds, as sorted lines. */
function linesOf({ nodes }: Zone): string[] {
  return [...nodes].flatMap(([name, { rrsets }]) =>
    [...rrsets.values()].flatMap(({ type, ttl, rdata }) =>
      rdata.map((one) =>
        `${formatName(fold(name))} ${ttl} ${typeToText(type)} ${formatRdata(type, canonicalRdata(type, one))}`
      )
    )
  ).sort();
}
