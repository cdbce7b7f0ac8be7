/** `meridian token`: who may ask a fleet's interface. @module */

import { parseDurationMs } from "../corefile/arguments.ts";
import { ASKING } from "./api_client.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatSpan, formatTable } from "./table.ts";
import { oneWord, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

const DAY_MS = 86_400_000;

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const { body: { items } } = await client.ask("GET", "/v1/tokens");
      print(values, items, () =>
        items.length === 0 ? "no tokens" : formatTable(
          ["ID", "NAME", "ROLES", "MADE BY", "STATE"],
          items.map(({ id, name, grants, createdBy, expiresMs, revoked }: any) => [
            ...[
              id,
              name,
              grants.map(({ role }: any) => role).join(" "),
              createdBy,
              stateOf(expiresMs, revoked),
            ],
          ]),
        ));
      return 0;
    },
  },
  create: {
    usage: "-name TEXT -role ROLE [-pool PATTERN]... [-zone PATTERN]... [-for DURATION] [-joins N]",
    async run(client, words, values) {
      if (words.length > 0) throw new UsageError(`token create takes flags alone: got ${words.join(" ")}`);
      const { body } = await client.ask("POST", "/v1/tokens", requestOf(values));
      print(values, body, () => body.token);
      if (!values.json) {
        console.error(
          `token ${body.id}, until ${new Date(body.expiresMs).toISOString()}; it is shown this once`,
        );
      }
      return 0;
    },
  },
  revoke: {
    usage: "ID",
    async run(client, words, values) {
      const id = oneWord(words, "the token's ID");
      const { body } = await client.ask("DELETE", `/v1/tokens/${encodeURIComponent(id)}`);
      print(values, body, () => `${id} is of no use any more`);
      return 0;
    },
  },
};

/** The command. */
export const token: Command = {
  usage: usageOf("token", verbs),
  summary: "make tokens for people, programs and nodes that join, and take them back",
  flags: {
    ...ASKING,
    name: { value: "TEXT", help: "what it is for" },
    role: { value: "ROLE", help: "viewer, operator, admin, approver or node" },
    pool: { value: "PATTERN", help: "only for pools of this pattern; may stand more than once", many: true },
    zone: { value: "PATTERN", help: "only for zones of this pattern; may stand more than once", many: true },
    person: { value: "NAME", help: "whose it is, if not yours" },
    for: { value: "DURATION", help: "how long it is good for (90 days, a year at most): 12h, 720h" },
    joins: { value: "N", help: "make it a join token, for so many nodes" },
  },
  wordsMax: 2,
  words: [Object.keys(verbs), "text"],
  run: (flags) => runVerb("token", verbs, flags),
};

/** @throws {UsageError} */
function requestOf(values: Flags["values"]) {
  const { name, role, person, joins } = values;
  if (name === undefined) throw new UsageError("token create wants -name: what it is for");
  const lastsMs = values.for === undefined ? 90 * DAY_MS : parseDurationMs(String(values.for));
  if (lastsMs === undefined) throw new UsageError(`-for must be a duration such as 720h: got ${values.for}`);
  const usesLeft = joins === undefined ? undefined : Number(joins);
  return {
    ...{ name, expires: new Date(Date.now() + lastsMs).toISOString() },
    grants: [{
      role: role ?? (joins === undefined ? "viewer" : "node"),
      ...values.pool !== undefined && { pools: values.pool },
      ...values.zone !== undefined && { zones: values.zone },
    }],
    ...person !== undefined && { person },
    ...usesLeft !== undefined && { join: { usesLeft } },
  };
}

function stateOf(expiresMs: number, revoked: { readonly by: string } | undefined): string {
  if (revoked) return `revoked by ${revoked.by}`;
  const leftMs = expiresMs - Date.now();
  return leftMs > 0 ? `good for ${formatSpan(leftMs)}` : "expired";
}
