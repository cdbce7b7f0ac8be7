/**
 * Reads tables of questions and documented answers; their form is in README.md.
 *
 * @module
 */

import assert from "node:assert/strict";
import { decodeExtendedError } from "../../core/dns/edns.ts";
import { formatName } from "../../core/dns/name.ts";
import type { Message, ResourceRecord } from "../../core/dns/message.ts";
import { formatRdata } from "../../core/dns/rdata.ts";
import {
  classFromText,
  classToText,
  OPTION,
  rcodeToText,
  typeFromText,
  typeToText,
} from "../../core/dns/types.ts";
import type { Asked, CompatServer } from "./compat_server.ts";
import { until } from "../support/until.ts";

/** One line of a table. */
export interface Case {
  readonly line: number;
  readonly text: string;
  /** What is asked, if it is a question. */
  readonly asked?: Asked;
  /** @throws {AssertionError} When it is not as documented. */
  check(server: CompatServer): Promise<void>;
}

/** The lines of a table. @throws {Error} When one cannot be read. */
export function readCases(text: string): Case[] {
  return text.split("\n").flatMap((line, i) => {
    const said = line.trim();
    if (said === "" || said.startsWith("#")) return [];
    const [left, right] = said.split(/\s+->\s*/, 2) as [string, string?];
    if (right === undefined) throw new Error(`line ${i + 1}: wanted QUESTION -> ANSWER`);
    return [{ line: i + 1, text: said, ...checkOf(left, right) }];
  });
}

function checkOf(left: string, right: string): Pick<Case, "asked" | "check"> {
  if (left === "logged") return { check: (server) => checkLogged(server, new RegExp(right)) };
  const [, port, path] = /^GET :(\d+)(\/\S*)$/.exec(left) ?? [];
  if (port !== undefined) {
    const [status, pattern] = right.split(/\s+(.*)/s);
    return {
      check: (server) => checkGet(server, port, path!, Number(status), new RegExp(pattern ?? "", "m")),
    };
  }
  const asked = readQuestion(left), expected = readExpected(right);
  return { asked, check: async (server) => checkAnswer(await server.ask(asked), expected) };
}

/** A line of the log may come a moment later than the answer. */
async function checkLogged(server: CompatServer, pattern: RegExp): Promise<void> {
  await until(`${pattern} in the log`, () => server.lines.some((line) => pattern.test(line)))
    .catch((error) => assert.fail(`${error.message}; logged was\n${server.lines.join("\n")}`));
}

async function checkGet(server: CompatServer, port: string, path: string, status: number, body: RegExp) {
  const got = await server.get(port, path);
  assert.equal(got.status, status);
  assert.match(got.body, body);
}

function readQuestion(text: string): Asked {
  const words = text.split(/\s+/);
  const from = words[0] === "from" ? words.splice(0, 2)[1]! : "127.0.0.1";
  const dnsClass = words[0] === "CH" || words[0] === "HS" ? classFromText(words.shift()!)! : 1;
  const dnssecOk = words[0] === "DO" && words.shift() === "DO";
  const [name, type] = words;
  const number = typeFromText(type ?? "");
  if (name === undefined || number === undefined || words.length > 2) {
    throw new Error(`cannot read '${text}'`);
  }
  return { name, type: number, class: dnsClass, from, dnssecOk };
}

interface Expected {
  /** `silent` when nothing may be said. */
  readonly rcode: string;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly codes: readonly number[];
}

function readExpected(text: string): Expected {
  const [first, ...others] = text.split(/\s*;\s+(?=authority |additional |code )/);
  const [rcode, ...answer] = first!.split(/\s+\|\s+/);
  const behind = (word: string) =>
    others.filter((part) => part.startsWith(`${word} `)).map((part) => part.slice(word.length + 1));
  return {
    rcode: rcode!,
    answer,
    authority: behind("authority"),
    additional: behind("additional"),
    codes: behind("code").map(Number),
  };
}

function checkAnswer(message: Message | undefined, expected: Expected): void {
  if (!message) return assert.equal("silent", expected.rcode);
  const answer = message.answer.map(formatRecord);
  assert.equal([rcodeToText(message.rcode), ...answer].join(" | "), matched(message, answer, expected));
  for (const section of ["authority", "additional"] as const) {
    const there: string[] = message[section].map(formatRecord);
    for (const record of expected[section]) {
      assert.ok(there.some((one) => isLike(one, record)), `${section} was ${there.join(" | ")}`);
    }
  }
  const options = message.edns?.options.filter(({ code }) => code === OPTION.EDE) ?? [];
  const codes = options.map(({ data }) => decodeExtendedError(data)?.infoCode);
  for (const code of expected.codes) assert.ok(codes.includes(code), `codes were ${codes}`);
}

/** What the answer must read like: as it does, where every record has its own match. */
function matched(message: Message, found: readonly string[], { rcode, answer }: Expected): string {
  const left = [...answer];
  for (const record of found) {
    const at = left.findIndex((pattern) => isLike(record, pattern));
    if (at < 0) return [rcode, ...answer].join(" | ");
    left.splice(at, 1);
  }
  const isWhole = left.length === 0 && rcodeToText(message.rcode) === rcode;
  return [rcode, ...isWhole ? found : answer].join(" | ");
}

function isLike(record: string, pattern: string): boolean {
  const literal = pattern.split("...").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${literal.join(".*")}$`).test(record);
}

function formatRecord({ name, type, class: dnsClass, ttl, rdata }: ResourceRecord): string {
  return `${formatName(name)} ${ttl} ${classToText(dnsClass)} ${typeToText(type)} ${
    formatRdata(type, rdata)
  }`;
}
