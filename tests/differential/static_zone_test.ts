/**
 * A made-up zone, asked of NSD, of Knot DNS and of ourselves: what all say must be the same, but for the entries
 * in `allowed.ts`. The environment variable SEEDS (numbers with blanks between) asks other zones than usual.
 *
 * @module
 */

import assert from "node:assert/strict";
import { decodeMessage, type Message } from "../../core/dns/message.ts";
import { fold, parseName } from "../../core/dns/name.ts";
import { decodeQuery } from "../../core/dns/query.ts";
import { respond } from "../../core/responder.ts";
import { lookup } from "../../core/zone/lookup.ts";
import { makeZone } from "../../core/zone/make_zone.ts";
import { parseMasterFile } from "../../core/zone/master_file.ts";
import type { Zone } from "../../core/zone/zone.ts";
import { havePackages } from "../../scripts/packages.ts";
import { ALLOWED } from "./allowed.ts";
import { askAll, encodeQuestion } from "./ask.ts";
import { type Daemon, startKnot, startNsd } from "./daemons.ts";
import { type Asked, type MadeUpZone, makeUpQuestions, makeUpZone } from "./make_zone_file.ts";
import { type Reply, replyOf, sameLines } from "./reply.ts";

const OWNERS = 500;
const QUESTIONS = 8000;

for (const seed of (Deno.env.get("SEEDS") ?? "1 2").split(" ").map(Number)) {
  Deno.test(`lookup() answers as NSD and Knot do: zone ${seed}`, async () => {
    if (!await havePackages(["nsd", "knot"])) return;
    const made = makeUpZone(seed, OWNERS);
    const questions = makeUpQuestions(made, seed + 1000, QUESTIONS);
    const { nsd, knot } = await askOthers(made, questions);
    const zone = zoneOf(made);
    const owners = new Set([...made.types.keys()].map((name) => name.toLowerCase()));
    const differences: string[] = [];
    const used = new Map<string, number>();
    const seen = new Map<string, number>();
    let truncated = 0;
    for (const [i, asked] of questions.entries()) {
      const ours = replyOf(askOurs(zone, asked));
      count(seen, outcomeOf(ours));
      if (ours.answer.some((line) => !owners.has(line.split(" ")[0]!))) count(seen, "synthesized");
      if (ours.truncated || nsd[i]!.truncated || knot[i]!.truncated) {
        truncated++;
        continue;
      }
      const theirs = { nsd: nsd[i]!, knot: knot[i]! };
      const left = {
        nsd: leftOf("nsd", theirs.nsd, ours, asked, used),
        knot: leftOf("knot", theirs.knot, ours, asked, used),
      };
      for (const who of ["nsd", "knot"] as const) {
        if (!agree(left[who], ours)) differences.push(describe(asked, who, theirs[who], ours));
      }
      // Without EDNS there may be no room for additional records.
      if (!asked.edns || !sameLines(left.nsd.additional, left.knot.additional)) continue;
      if (left.nsd.additional.length > 0) count(seen, "additional");
      if (!sameLines(left.nsd.additional, ours.additional)) {
        differences.push(describe(asked, "both", left.nsd, ours));
      }
    }
    const show = (counts: Map<string, number>) => [...counts].map(([what, n]) => `${n} ${what}`).join(", ");
    console.log(
      `${questions.length} questions: ${show(seen)}; ${truncated} truncated; set aside: ${show(used)}`,
    );
    for (const outcome of OUTCOMES) {
      assert.ok((seen.get(outcome) ?? 0) >= 10, `too few answers are ${outcome}`);
    }
    const first = differences.slice(0, 8).join("\n");
    assert.equal(differences.length, 0, `${differences.length} replies differ; the first:\n${first}`);
  });
}

/** What the questions must bring about, each several times, for the comparison to mean something. */
const OUTCOMES = [
  "answer",
  "alias and answer",
  "alias alone",
  "NODATA",
  "alias and NODATA",
  "NXDOMAIN",
  "alias and NXDOMAIN",
  "YXDOMAIN",
  "referral",
  "alias and referral",
  "additional",
  "synthesized",
];

function outcomeOf({ rcode, answer, authority }: Reply): string {
  const aliased = answer.some((line) => line.includes(" CNAME ")) ? "alias and " : "";
  if (rcode === "YXDOMAIN") return rcode;
  if (rcode !== "NOERROR") return aliased + rcode;
  if (authority.some((line) => line.includes(" NS "))) return aliased + "referral";
  if (authority.some((line) => line.includes(" SOA "))) return aliased + "NODATA";
  if (aliased && answer.every((line) => / (CNAME|DNAME) /.test(line))) return "alias alone";
  return aliased + "answer";
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** Their reply without the differences that are allowed. */
function leftOf(
  who: "nsd" | "knot",
  theirs: Reply,
  ours: Reply,
  asked: Asked,
  used: Map<string, number>,
): Reply {
  return ALLOWED.filter((one) => one.who.includes(who)).reduce((before, one) => {
    const after = one.setAside(before, ours, asked);
    if (after !== before) count(used, one.id);
    return after;
  }, theirs);
}

/** Whether all but the additional section is the same. */
function agree(theirs: Reply, ours: Reply): boolean {
  return theirs.rcode === ours.rcode && theirs.authoritative === ours.authoritative &&
    sameLines(theirs.answer, ours.answer) && sameLines(theirs.authority, ours.authority);
}

async function askOthers(made: MadeUpZone, questions: readonly Asked[]) {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/zone`;
  await Deno.writeTextFile(file, made.text);
  const daemons: Daemon[] = [];
  try {
    daemons.push(await startNsd(folder, made.origin, file));
    daemons.push(await startKnot(folder, made.origin, file));
    const [nsd, knot] = await Promise.all(daemons.map(({ port }) => askAll(port, questions)));
    return { nsd: nsd!.map(replyOf), knot: knot!.map(replyOf) };
  } finally {
    for (const daemon of daemons) await daemon.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

function zoneOf(made: MadeUpZone): Zone {
  const origin = parseName(made.origin);
  const { records, errors } = parseMasterFile(made.text, { file: "zone", origin });
  assert.deepEqual(errors, []);
  const { zone, errors: zoneErrors } = makeZone(origin, records);
  assert.deepEqual(zoneErrors, []);
  return zone!;
}

function askOurs(zone: Zone, asked: Asked): Message {
  const query = decodeQuery(encodeQuestion(1, asked));
  assert.equal(query.kind, "query");
  if (query.kind !== "query") throw new Error("unreachable");
  const { name, type } = query.question;
  const answer = lookup(zone, { name, folded: fold(name), type, chaseToPools: true, dnssecOk: false });
  return decodeMessage(respond(query, answer, { transport: "udp" }));
}

function describe({ name, type, edns }: Asked, who: string, theirs: Reply, ours: Reply): string {
  const show = (reply: Reply) => JSON.stringify(reply, null, 1).replaceAll('"', "");
  return `${name} ${type}${edns ? " +edns" : ""}\n${who}: ${show(theirs)}\nours: ${show(ours)}`;
}
