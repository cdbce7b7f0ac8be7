/** `meridian approval`: changes that wait for a second person. @module */

import type { ApprovalView } from "../access/approval_request.ts";
import type { Counted } from "../management/counted.ts";
import { type ApiClient, askAll, ASKING } from "./api_client.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { countedText, countedWord } from "./preview_text.ts";
import { formatSpan, formatTable } from "./table.ts";
import { confirmed, oneWord, print, runVerb, usageOf, type Verbs } from "./verbs.ts";
import { visible, visibleLine } from "./visible.ts";

/** An approval as the interface tells it. */
export type Told = ApprovalView & { readonly id: string };

const verbs: Verbs = {
  list: {
    usage: "[STATE]",
    async run(client, words, values) {
      const state = words.length > 0 ? `&state=${encodeURIComponent(oneWord(words, "a STATE"))}` : "";
      const approvals: Told[] = await askAll(client, `/v1/approvals?limit=1000${state}`);
      print(values, approvals, () =>
        approvals.length === 0 ? "nothing waits" : formatTable(
          ["ID", "WHAT", "BECAUSE IT", "MOVES", "ASKED BY", "STATE", "REASON"],
          approvals.map(({ id, request, recounted, state }) => [
            ...[id, request.change.operation, request.critical.map(({ what }) => what).join("; ")],
            wordOf(countedIn({ request, recounted })),
            ...[request.requestedBy, stateText(state, request.expiresMs), request.reason],
          ]),
        ));
      return 0;
    },
  },
  show: {
    usage: "ID",
    async run(client, words, values) {
      const approval = await read(client, words);
      print(values, approval, () => textOf(approval));
      return 0;
    },
  },
  approve: {
    usage: "ID [-digest TEXT]",
    async run(client, words, values) {
      return await approveOne(client, await read(client, words), values);
    },
  },
  reject: {
    usage: "ID -reason TEXT",
    async run(client, words, values) {
      const id = oneWord(words, "the approval's ID"), { reason } = values;
      if (reason === undefined) throw new UsageError("approval reject wants -reason: why not");
      const { body } = await client.ask("POST", `${pathOf(id)}/reject`, { reason });
      print(values, body, () => `${id} is rejected`);
      return 0;
    },
  },
  withdraw: {
    usage: "ID",
    async run(client, words, values) {
      const id = oneWord(words, "the approval's ID"), { body } = await client.ask("DELETE", pathOf(id));
      print(values, body, () => `${id} is withdrawn`);
      return 0;
    },
  },
  execute: {
    usage: "ID",
    async run(client, words, values) {
      const id = oneWord(words, "the approval's ID");
      const { body } = await client.ask("POST", `${pathOf(id)}/execute`);
      print(values, body, () => body.result?.token ?? `${id} is carried out`);
      if (!values.json && body.result?.token) console.error(`token ${body.result.id}; it is shown this once`);
      return 0;
    },
  },
};

/** The command. */
export const approval: Command = {
  usage: usageOf("approval", verbs),
  summary: "changes that wait for a second person: agree, refuse, carry out",
  flags: {
    ...ASKING,
    digest: { value: "TEXT", help: "of the request that was looked at before, where that was elsewhere" },
    yes: { help: "do not ask before it is approved" },
  },
  wordsMax: 2,
  words: [Object.keys(verbs), "text"],
  run: (flags: Flags) => runVerb("approval", verbs, flags),
};

/** Shows what is asked for, and what belongs to it, and agrees when that is confirmed. @returns The exit code. */
export async function approveOne(
  client: ApiClient,
  approval: Told,
  values: Flags["values"],
  besides = "",
): Promise<number> {
  const { digest = approval.digest, reason } = values;
  if (!values.json) console.error(visible(textOf(approval) + besides));
  if (!confirmed(values, "Approve it")) return 1;
  const { body } = await client.ask("POST", `${pathOf(approval.id)}/approve`, {
    ...{ digest },
    ...reason !== undefined && { comment: reason },
  });
  print(values, body, () => approvedText(body));
  return body.outcome?.status >= 400 ? 1 : 0;
}

async function read(client: ApiClient, words: readonly string[]): Promise<Told> {
  return (await client.ask("GET", pathOf(oneWord(words, "the approval's ID")))).body;
}

function pathOf(id: string): string {
  return `/v1/approvals/${encodeURIComponent(id)}`;
}

/** All that somebody has to see who is to agree. */
function textOf({ id, digest, state, request, recounted, decided, executed, outcome }: Told): string {
  const { change, critical, reason, requestedBy, expiresMs } = request;
  const { method, path, body } = change.input as { method: string; path: string; body?: unknown };
  const lines: readonly (readonly [string, string])[] = [
    ["approval", `${id}, ${stateText(state, expiresMs)}`],
    ["asked by", `${requestedBy}${reason ? `: ${reason}` : ""}`],
    ["what", `${method} ${path}`],
    ...critical.map(({ what }) => ["which", what] as const),
    ...body === undefined ? [] : [["with", JSON.stringify(body)] as const],
    ["digest", digest],
    ...decided ? [["decided", `${decided.by}${decided.comment ? `: ${decided.comment}` : ""}`] as const] : [],
    ...executed ? [["done", instant(executed.atMs)] as const] : [],
    ...outcome && outcome.status >= 400 ? [["failed", detailOf(outcome.value)] as const] : [],
  ];
  // Each in a line of its own: none of it is to look like another, which the server says.
  const text = lines.map(([word, text]) => `${word.padEnd(10)}${visibleLine(text)}`).join("\n");
  const counted = countedIn({ request, recounted });
  if (!counted) return text;
  const when = recounted
    ? `What it has come to do, ${instant(recounted.atMs)}, is more than when it was asked for:`
    : `What it would do, as of ${counted.at}:`;
  return `${text}\n\n${when}\n${countedText(counted)}`;
}

/** What was counted last of what it would move; undefined where it is about no pool. */
function countedIn(
  { request, recounted }: { request: Told["request"]; recounted: Told["recounted"] },
): Counted | undefined {
  return (recounted?.counted ?? request.counted) as unknown as Counted | undefined;
}

function wordOf(counted: Counted | undefined): string {
  return counted ? countedWord(counted) : "-";
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

function approvedText({ id, state, outcome, request }: Told): string {
  if (state === "executed") return `${id} is approved and carried out`;
  if (outcome) return `${id} is approved, and could not be carried out: ${detailOf(outcome.value)}`;
  return `${id} is approved: ${request.requestedBy} carries it out by \`meridian approval execute ${id}\``;
}

function detailOf(value: unknown): string {
  return (value as { detail?: string } | undefined)?.detail ?? "it was refused";
}

function stateText(state: Told["state"], expiresMs: number): string {
  const isOpen = state === "pending" || state === "approved";
  return isOpen ? `${state} for ${formatSpan(Math.max(0, expiresMs - Date.now()))}` : state;
}
