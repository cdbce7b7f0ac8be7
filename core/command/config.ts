/** `meridian config`: the configuration that the servers of a fleet share, version by version. @module */

import { isVersionPath } from "../management/version_path.ts";
import { type ApiClient, askAll, ASKING } from "./api_client.ts";
import { approveOne, type Told } from "./approval.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { confirmed, oneWord, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

const BASE = "/v1/configuration";

const verbs: Verbs = {
  validate: {
    usage: "FOLDER|COREFILE",
    async run(client, words, values) {
      const { body } = await client.ask("POST", `${BASE}/validate`, readVersion(words));
      print(values, body, () => withWarnings("nothing is wrong with it", body.warnings));
      return 0;
    },
  },
  propose: {
    usage: "FOLDER|COREFILE",
    async run(client, words, values) {
      const { reason } = values, version = readVersion(words);
      const { body } = await client.ask("POST", `${BASE}/versions`, {
        ...version,
        ...reason !== undefined && { reason },
      });
      print(
        values,
        body,
        () => withWarnings(`version ${body.number} is there, and nobody runs it yet`, body.warnings),
      );
      return 0;
    },
  },
  diff: {
    usage: "FROM TO",
    async run(client, [from, to, ...rest], values) {
      if (rest.length > 0) throw new UsageError(`wanted two versions: got ${[from, to, ...rest].join(" ")}`);
      const { text } = await client.ask("GET", `${BASE}/diff?from=${numberOf(from)}&to=${numberOf(to)}`);
      print(values, { diff: text }, () => text.trimEnd());
      return 0;
    },
  },
  apply: {
    usage: "VERSION [-server ID]... [-anyway]",
    async run(client, words, values) {
      const version = numberOf(oneWord(words, "the number of a VERSION"));
      const { server: servers, anyway } = values;
      const whom = servers === undefined ? "all servers" : (servers as string[]).join(", ");
      if (!confirmed(values, `Have ${whom} run version ${version}`)) return 1;
      const { body } = await client.ask("POST", `${BASE}/apply`, {
        ...{ version },
        ...servers !== undefined && { servers },
        ...anyway && { acknowledged: true },
      });
      print(values, body, () => `${whom}: version ${version}; \`config status\` shows what they made of it`);
      return 0;
    },
  },
  approve: {
    usage: "VERSION|rollback",
    async run(client, words, values) {
      const word = oneWord(words, "the number of a VERSION, or rollback");
      const version = word === "rollback" ? undefined : numberOf(word);
      const approval = await waitingFor(client, version);
      return await approveOne(client, approval, values, await changesOf(client, version));
    },
  },
  rollback: {
    usage: "",
    async run(client, words, values) {
      if (words.length > 0) throw new UsageError(`config rollback takes no word: got ${words.join(" ")}`);
      if (!confirmed(values, "Go back to what was run before")) return 1;
      const { body } = await client.ask("POST", `${BASE}/rollback`, {});
      print(
        values,
        body ?? {},
        () => `all servers: ${body ? `version ${body.number}` : "what is on their disks"}`,
      );
      return 0;
    },
  },
  history: {
    usage: "",
    async run(client, _words, values) {
      const versions = await askAll(client, `${BASE}/versions?limit=1000`);
      print(values, versions, () =>
        versions.length === 0 ? "no versions" : formatTable(
          ["VERSION", "AT", "BY", "IS", "REASON"],
          versions.map(({ number, at, actor, isCurrent, isStaged, reason = "" }) => [
            ...[`${number}`, at, actor, isStaged ? "tried" : isCurrent ? "current" : "-", reason],
          ]),
        ));
      return 0;
    },
  },
  status: {
    usage: "",
    async run(client, _words, values) {
      const { body } = await client.ask("GET", BASE);
      print(values, body, () => statusText(body));
      return Object.keys(body.refused).length > 0 ? 1 : 0;
    },
  },
};

/** The command. */
export const config: Command = {
  usage: usageOf("config", verbs),
  summary: "propose, apply and roll back the configuration that the servers of a fleet share",
  flags: {
    ...ASKING,
    server: { value: "ID", help: "only this one tries it; may stand more than once", many: true },
    anyway: { help: "apply to all though a server that was to try it does not run it" },
    digest: {
      value: "TEXT",
      help: "approve: of the request that was looked at before, where that was elsewhere",
    },
    yes: { help: "do not ask before something is applied" },
  },
  wordsMax: 3,
  words: [Object.keys(verbs), "file", "text"],
  run: (flags: Flags) => runVerb("config", verbs, flags),
};

/** The one request that waits for a second person to have a version run, or without one to go back. @throws {UsageError} */
async function waitingFor(client: ApiClient, version: number | undefined): Promise<Told> {
  const approvals: Told[] = await askAll(client, "/v1/approvals?limit=1000&state=pending");
  const path = `${BASE}/${version === undefined ? "rollback" : "apply"}`;
  const [one, ...others] = approvals.filter(({ request: { change } }) => {
    const asked = change.input as { readonly path: string; readonly body?: { readonly version?: unknown } };
    return asked.path.split("?")[0] === path && (version === undefined || asked.body?.version === version);
  });
  const what = version === undefined ? "to go back" : `to have version ${version} run`;
  if (!one) throw new UsageError(`Nobody has asked ${what}, or it waits no more`);
  if (others.length === 0) return one;
  const ids = [one, ...others].map(({ id }) => id).join(", ");
  throw new UsageError(`${ids}: several ask ${what}; want \`meridian approval approve ID\` of one of them`);
}

/** In what a version differs from the current one: who agrees is to have seen it. */
async function changesOf(client: ApiClient, version: number | undefined): Promise<string> {
  if (version === undefined) return "";
  const { body: { current } } = await client.ask("GET", BASE) as { readonly body: Rollout };
  if (!current) return "\n\nNo version is current: there is none to compare it with.";
  const { text } = await client.ask("GET", `${BASE}/diff?from=${current.number}&to=${version}`);
  return `\n\nFrom version ${current.number}, which is current:\n${text.trimEnd() || "nothing differs"}`;
}

/** A Corefile alone, or a folder with one and all the files beside it. @throws {UsageError} */
function readVersion(words: readonly string[]): { corefile: string; files: Record<string, string> } {
  const path = oneWord(words, "a FOLDER with a Corefile, or a Corefile");
  if (!Deno.statSync(path).isDirectory) return { corefile: readText(path), files: {} };
  const files: Record<string, string> = {};
  for (const file of filesBelow(path)) {
    if (file === "Corefile") continue;
    if (!isVersionPath(file)) {
      throw new UsageError(`${path}/${file}: wanted a name of letters, digits, '.', '_' and '-'`);
    }
    files[file] = readText(`${path}/${file}`);
  }
  return { corefile: readText(`${path}/Corefile`), files };
}

/** Paths relative to a folder; what is hidden is no part of a version. */
function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(folder)].filter(({ name }) => !name.startsWith(".")).flatMap(
    ({ name, isDirectory }) =>
      isDirectory ? filesBelow(`${folder}/${name}`).map((path) => `${name}/${path}`) : [name],
  ).sort();
}

/** @throws {UsageError} What is no text cannot be in a version. */
function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (error) {
    if (error instanceof TypeError) throw new UsageError(`${path} is no text: a version has text alone`);
    throw error;
  }
}

/** @throws {UsageError} */
function numberOf(word = ""): number {
  if (/^\d{1,12}$/.test(word)) return Number(word);
  throw new UsageError(`wanted the number of a version: got ${word || "nothing"}`);
}

function withWarnings(text: string, warnings: readonly string[]): string {
  return [text, ...warnings.map((warning) => `warning: ${warning}`)].join("\n");
}

function statusText({ current, stage, seen }: Rollout): string {
  const lines = [
    current
      ? `current: version ${current.number}, by ${current.actor}, ${current.at}`
      : "no version is current",
    ...stage ? [`tried by ${stage.servers.join(", ")}: version ${stage.number}`] : [],
  ];
  const servers = Object.entries(seen).sort(([a], [b]) => a < b ? -1 : 1);
  if (servers.length === 0) return lines.join("\n");
  const table = formatTable(
    ["SERVER", "RUNS", "STATE", "REASON"],
    servers.map(([id, { number, runs, state, reason = "" }]) => [
      ...[id, runs === 0 ? "its own" : `${runs}`],
      ...[state === "refused" ? `refused ${number}` : state, reason.replaceAll("\n", "; ")],
    ]),
  );
  return [...lines, table].join("\n");
}

interface Rollout {
  readonly current?: { readonly number: number; readonly actor: string; readonly at: string };
  readonly stage?: { readonly number: number; readonly servers: readonly string[] };
  readonly seen: Readonly<
    Record<string, {
      readonly number: number;
      readonly runs: number;
      readonly state: string;
      readonly reason?: string;
    }>
  >;
}
