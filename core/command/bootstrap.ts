/** `meridian bootstrap NAME`: what a machine that joins a fleet runs to find entry points. @module */

import {
  bootstrap as search,
  type BootstrapOptions,
  type BootstrapResult,
  type Considered,
  DEFAULTS,
  type Endpoint,
  formatHostPort,
  parseEndpoint,
  type Probe,
} from "../bootstrap/bootstrap.ts";
import { parseDurationMs } from "../corefile/arguments.ts";
import { nearest } from "../corefile/nearest.ts";
import { type Flags, type FlagTable, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatSpan, formatTable } from "./table.ts";
import { print } from "./verbs.ts";
import { visible } from "./visible.ts";

const PROBES = ["tcp", "https", "none"] as const;

/** The flags that say how to look, which `peers` has as well. */
export const LOOKING: FlagTable = {
  resolver: {
    value: "ADDRESS[:PORT]",
    help: "ask this resolver; may stand more than once (those of /etc/resolv.conf)",
    many: true,
  },
  race: { help: "ask all resolvers at once, and take the first good reply" },
  service: { value: "_SERVICE._PROTO", help: "what stands before NAME in its SRV records (_formation._tcp)" },
  port: { value: "PORT", help: "the port of addresses that come without one (51820)" },
  count: { value: "N", help: "how many are wanted (3)" },
  timeout: { value: "DURATION", help: "for everything together (10s)" },
  probe: { value: "tcp|https|none", help: "how to find out that one can be reached (tcp)" },
  path: { value: "PATH", help: "what -probe https asks for (/health)" },
  ca: { value: "FILE", help: "PEM certificates of authorities, beside the system's, for https" },
};

/** The command. */
export const bootstrap: Command = {
  usage: "bootstrap NAME [-resolver ADDRESS]... [-cache FILE] [-fallback FILE|ADDRESS]... [-why] [-json]",
  summary: "find entry points of a fleet by DNS, and say why these",
  flags: {
    ...LOOKING,
    cache: { value: "FILE", help: "keep those that answered here, for when DNS does not" },
    "max-age": { value: "DURATION", help: "use what is kept for so long (168h)" },
    fallback: {
      value: "FILE|ADDRESS[:PORT]",
      help: "for when nothing else helps: an address, or a file with one a line; may stand more than once",
      many: true,
    },
    why: { help: "print everyone who was considered, also where standard output is no terminal" },
    json: { help: "print a JSON object" },
  },
  wordsMax: 1,
  words: ["text"],
  async run({ values, words: [name] }) {
    if (name === undefined) throw new UsageError(`bootstrap needs a NAME: wanted ${this.usage}`);
    const result = await findEntryPoints(name, values);
    const isFound = result.entryPoints.length > 0;
    const isTold = values.json || values.why || Deno.stdout.isTerminal();
    if (values.json || isTold) print(values, result, () => formatBootstrap(result));
    else for (const one of result.entryPoints) console.log(formatHostPort(one));
    if (!isFound && !values.json) {
      console.error(visible([`Nobody can be reached by ${name}`, ...isTold ? [] : result.notes].join("\n")));
    }
    return isFound ? 0 : 1;
  },
};

/** Looks, as the flags say. @throws {UsageError} When they cannot be understood. */
export async function findEntryPoints(
  name: string,
  values: Flags["values"],
): Promise<BootstrapResult> {
  const port = numberOf("port", values, 65_535) ?? DEFAULTS.port;
  const count = numberOf("count", values, 100), timeoutMs = spanOf("timeout", values);
  const maxAgeMs = spanOf("max-age", values), ca = values.ca as string | undefined;
  const options: BootstrapOptions = {
    name,
    port,
    probe: probeOf(values.probe),
    resolvers: listOf(values.resolver).map((text) => endpointOf("resolver", text, 53)),
    raceResolvers: values.race === true,
    fallback: listOf(values.fallback).flatMap((text) => fallbackOf(text, port)),
    https: {
      ...values.path !== undefined && { path: pathOf(values.path as string) },
      ...ca !== undefined && { authority: readFile("ca", ca) },
    },
    ...values.service !== undefined && { service: values.service as string },
    ...count !== undefined && { count },
    ...timeoutMs !== undefined && { timeoutMs },
    ...values.cache !== undefined &&
      { cache: { file: values.cache as string, ...maxAgeMs !== undefined && { maxAgeMs } } },
  };
  try {
    return await search(options);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) throw new UsageError(error.message);
    throw error;
  }
}

/** A result for people. */
export function formatBootstrap(result: BootstrapResult): string {
  const parts: string[] = [];
  if (result.considered.length > 0) {
    parts.push(formatTable(
      ["ADDRESS", "PORT", "FAMILY", "FROM", "RTT", "", "WHY"],
      result.considered.toSorted((a, b) => rankOf(result, a) - rankOf(result, b)).map((one) => [
        one.address,
        String(one.port),
        `IPv${one.family}`,
        fromText(one),
        one.rttMs === undefined ? "-" : `${one.rttMs.toFixed(1)} ms`,
        one.verdict,
        one.why,
      ]),
    ));
  }
  if (result.asked.length > 0) {
    parts.push(formatTable(
      ["QUESTION", "RESOLVER", "TOOK", "REPLY"],
      result.asked.map((
        { question, resolver, tookMs, outcome },
      ) => [question, resolver, `${tookMs.toFixed(1)} ms`, outcome]),
    ));
  }
  if (result.notes.length > 0) parts.push(result.notes.join("\n"));
  return parts.join("\n\n");
}

/** Entry points first, the best of them above. */
function rankOf({ entryPoints }: BootstrapResult, one: Considered): number {
  const at = entryPoints.indexOf(one);
  return at < 0 ? entryPoints.length : at;
}

/** `SRV 10 fra1.example.org`, `AAAA`, `cache, 3 h 10 min old`, `fallback`. */
function fromText({ from, priority, host, ageMs = 0 }: Considered): string {
  if (from === "SRV") return `SRV ${priority} ${host}`;
  return from === "cache" ? `cache, ${formatSpan(ageMs)} old` : from;
}

function listOf(value: Flags["values"][string]): readonly string[] {
  return value as readonly string[] | undefined ?? [];
}

function endpointOf(flag: string, text: string, port: number): Endpoint {
  const endpoint = parseEndpoint(text, port);
  if (endpoint) return endpoint;
  throw new UsageError(`-${flag} must be an IP address, ADDRESS:PORT or [ADDRESS]:PORT: got ${text}`);
}

/** An address, or a file with one a line; `#` begins a comment. */
function fallbackOf(text: string, port: number): Endpoint[] {
  const endpoint = parseEndpoint(text, port);
  if (endpoint) return [endpoint];
  const lines = readFile("fallback", text).split("\n").map((line) => line.replace(/#.*/, "").trim());
  return lines.flatMap((line, i) => {
    if (line === "") return [];
    const endpoint = parseEndpoint(line, port);
    if (endpoint) return [endpoint];
    throw new UsageError(`${text}:${i + 1}: wanted an IP address, with a port or without: got ${line}`);
  });
}

function readFile(flag: string, path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const hint = flag === "fallback" ? "it is no IP address, and there is no such file" : "no such file";
    throw new UsageError(`Cannot read -${flag} ${path}: ${hint}`);
  }
}

function probeOf(value: Flags["values"][string]): Probe {
  const probe = PROBES.find((probe) => probe === (value ?? "tcp"));
  if (probe) return probe;
  const guess = nearest(String(value), PROBES);
  throw new UsageError(
    `-probe must be ${PROBES.join(", ")}: got ${value}${guess ? `; did you mean ${guess}?` : ""}`,
  );
}

function pathOf(text: string): string {
  if (/^\/[!-~]*$/.test(text)) return text;
  throw new UsageError(`-path must begin with / and have no blanks: got ${text}`);
}

function numberOf(flag: string, values: Flags["values"], max: number): number | undefined {
  const text = values[flag];
  if (text === undefined) return undefined;
  const number = /^\d{1,9}$/.test(String(text)) ? Number(text) : 0;
  if (number >= 1 && number <= max) return number;
  throw new UsageError(`-${flag} must be a whole number from 1 to ${max}: got ${text}`);
}

function spanOf(flag: string, values: Flags["values"]): number | undefined {
  const text = values[flag];
  if (text === undefined) return undefined;
  const ms = parseDurationMs(String(text));
  if (ms !== undefined && ms >= 1) return Math.round(ms);
  throw new UsageError(`-${flag} must be a duration such as 500ms, 10s or 1m30s: got ${text}`);
}
