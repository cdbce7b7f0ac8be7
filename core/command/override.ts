/** `meridian override`: a person's word on nodes, for a while. @module */

import { parseDurationMs } from "../corefile/arguments.ts";
import { askAll, ASKING } from "./api_client.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { OverrideBody, OverrideValue } from "../management/overrides.ts";
import type { Command } from "./mod.ts";
import { formatSpan, formatTable } from "./table.ts";
import { lookedAt, MOVING } from "./preview_text.ts";
import { oneWord, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const overrides = await askAll(client, "/v1/overrides?limit=1000");
      print(values, overrides, () =>
        overrides.length === 0 ? "no overrides" : formatTable(
          ["ID", "WHAT", "STATE", "ENDS", "DRAINED", "BY", "REASON"],
          overrides.map(({ id, target, state, weight, until, drained, actor, reason }) => [
            ...[id, targetText(target), state ?? `weight ${weight}`, ending(until), drainedText(drained)],
            ...[actor, reason],
          ]),
        ));
      return 0;
    },
  },
  show: {
    usage: "ID",
    async run(client, words, values) {
      const { body } = await client.ask("GET", pathOf(oneWord(words, "the override's ID")));
      print(values, body, () => overrideText(body));
      return 0;
    },
  },
  add: {
    usage:
      "up|drain|down|weight=N node=ID|pool=NAME|region=NAME|label=KEY=VALUE... -for DURATION -reason TEXT",
    async run(client, [what = "", ...targets], values) {
      const override = {
        ...{ ...whatOf(what), target: targetOf(targets), reason: values.reason ?? "" },
        ...spanOf(values),
      };
      const request = { method: "POST", path: "/v1/overrides", body: override };
      const ended = await lookedAt(client, request, values);
      if (ended !== undefined) return ended;
      const { body } = await client.ask("POST", "/v1/overrides", override);
      print(values, body, () => `${body.id}: ${what} ${targets.join(" ")} until ${body.until}`);
      return 0;
    },
  },
  end: {
    usage: "ID",
    async run(client, words, values) {
      const id = oneWord(words, "the override's ID"), path = pathOf(id);
      if (values.preview) return await lookedAt(client, { method: "DELETE", path }, values) ?? 0;
      await client.ask("DELETE", path);
      print(values, { id, ended: true }, () => `${id} has ended`);
      return 0;
    },
  },
};

/** The command. */
export const override: Command = {
  usage: usageOf("override", verbs),
  summary: "force nodes up, down, out or to another weight, for a while",
  flags: {
    ...ASKING,
    for: { value: "DURATION", help: "how long it lasts: 30m, 2h" },
    until: { value: "INSTANT", help: "when it ends, instead: 2026-12-01T03:00:00Z" },
    ...MOVING,
    from: { value: "INSTANT", help: "when it begins (now): maintenance that is known beforehand" },
  },
  wordsMax: 50,
  words: [Object.keys(verbs), "text"],
  run: (flags) => runVerb("override", verbs, flags),
};

/** @throws {UsageError} */
function whatOf(word: string): { state: string } | { weight: number } {
  if (["up", "drain", "down"].includes(word)) return { state: word };
  const [, weight] = /^weight=(.+)$/.exec(word) ?? [];
  if (weight !== undefined && Number.isFinite(Number(weight))) return { weight: Number(weight) };
  throw new UsageError(`override add wants up, drain, down or weight=N: got ${word || "nothing"}`);
}

/** @throws {UsageError} */
function targetOf(words: readonly string[]): Record<string, unknown> {
  const target: Record<string, unknown> = {}, labels: Record<string, string> = {};
  for (const word of words) {
    const [, kind, rest = ""] = /^(node|pool|region|label)=(.+)$/.exec(word) ?? [];
    const [, key, value = ""] = /^([^=]+)=(.*)$/.exec(rest) ?? [];
    if (kind === "label" && key !== undefined) labels[key] = value;
    else if (kind !== undefined && kind !== "label") target[kind] = rest;
    else {throw new UsageError(
        `override add wants node=ID, pool=NAME, region=NAME or label=KEY=VALUE: got ${word}`,
      );}
  }
  return Object.keys(labels).length > 0 ? { ...target, labels } : target;
}

/** @throws {UsageError} */
function spanOf(values: Flags["values"]): { from?: string; until?: string } {
  const from = values.from as string | undefined, until = values.until as string | undefined;
  const lastsMs = values.for === undefined ? undefined : parseDurationMs(String(values.for));
  if ((lastsMs === undefined) === (until === undefined)) {
    throw new UsageError("override add wants an end: -for DURATION, such as 2h, or -until INSTANT");
  }
  const startMs = from === undefined ? Date.now() : Date.parse(from);
  return { ...from !== undefined && { from }, until: until ?? new Date(startMs + lastsMs!).toISOString() };
}

function targetText(
  { labels, ...rest }: { labels?: Record<string, string> | undefined } & Record<string, unknown>,
): string {
  const words = [
    ...Object.entries(rest),
    ...Object.entries(labels ?? {}).map(([key, value]) => ["label", `${key}=${value}`]),
  ];
  return words.map(([kind, name]) => `${kind}=${name}`).join(" ");
}

function pathOf(id: string): string {
  return `/v1/overrides/${encodeURIComponent(id)}`;
}

/** How far a drain is, in short. */
export function drainedText(drained: OverrideBody["drained"], nowMs = Date.now()): string {
  if (!drained) return "-";
  const { state, waitingFor = [], drainedAt = "" } = drained;
  if (state === "spreading") return waitingFor.length > 0 ? `waits for ${waitingFor.join(" ")}` : "unknown";
  const inMs = Date.parse(drainedAt) - nowMs;
  return inMs > 0 ? `in ${formatSpan(inMs)}` : `at ${drainedAt.replace(/\.\d+Z$/, "Z")}`;
}

function overrideText(override: OverrideValue & Pick<OverrideBody, "drained">): string {
  const { id, target, state, weight, from, until, actor, reason, drained } = override;
  const { unheard = [], exceptNodes = [], emptyPools = [] } = drained ?? {};
  const lines = [
    ["what", `${targetText(target)} ${state ?? `weight ${weight}`}`],
    ["from", from],
    ["until", `${until} (${ending(until)})`],
    ["by", `${actor}: ${reason}`],
    ...drained ? [["drained", drainedText(drained)]] : [],
    ...unheard.length > 0
      ? [["", `unless ${unheard.join(", ")} still answers, which nobody hears and which has not left`]]
      : [],
    ...exceptNodes.length > 0 ? [["", `another override keeps in answers: ${exceptNodes.join(", ")}`]] : [],
    ...emptyPools.map((pool) => ["", `${pool} has no other node: its all-down policy may name these`]),
  ];
  return [id, ...lines.map(([what, text]) => `  ${what!.padEnd(8)} ${text}`)].join("\n");
}

function ending(until: string): string {
  const inMs = Date.parse(until) - Date.now();
  return inMs > 0 ? `in ${formatSpan(inMs)}` : "ended";
}
