/**
 * Checks: what is asked of an address, how a Corefile writes it, and the key that a target goes by.
 *
 * @module
 */

import { typeFromText, typeToText } from "../../core/dns/types.ts";
import type { TargetKey } from "../../core/fleet/verdict.ts";
import {
  type Arguments,
  CorefileError,
  formatName,
  type Name,
  nearest,
  parseName,
  type Token,
} from "../../core/plugin.ts";
import type { Timing } from "./state.ts";

/** What is asked of an address. Plain data. */
export type Check = TcpCheck | HttpCheck | DnsCheck | IcmpCheck | ExecCheck;

/** A TCP connection is accepted. */
export interface TcpCheck {
  readonly kind: "tcp";
  readonly port: number;
}

/** A GET gets a status that is wanted, and a text in the first 64 KiB of the body where one is wanted. */
export interface HttpCheck {
  readonly kind: "http" | "https";
  readonly port: number;
  /** Path and query, as they stand in the request line. */
  readonly path: string;
  /** For the Host header and, under TLS, the server name; absent = the address. */
  readonly host?: string;
  readonly status: readonly StatusRange[];
  readonly body?: string;
  /** Authorities to trust in place of the system's. */
  readonly ca?: { readonly path: string; readonly pem: string };
  /** Whether any certificate will do. */
  readonly insecure: boolean;
}

/** HTTP status codes, both ends included. */
export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

/** A UDP query gets NOERROR. */
export interface DnsCheck {
  readonly kind: "dns";
  readonly port: number;
  readonly name: Name;
  readonly type: number;
}

/** An echo request is answered. */
export interface IcmpCheck {
  readonly kind: "icmp";
}

/** A command exits with 0. */
export interface ExecCheck {
  readonly kind: "exec";
  readonly command: string;
  readonly args: readonly string[];
}

/** A check with the name that pools know it by, and where that stands. */
export interface NamedCheck {
  readonly name: string;
  readonly check: Check;
}

/** The ways of checking. */
export const KINDS = ["tcp", "http", "https", "dns", "icmp", "exec"] as const;

const ANY_GOOD_STATUS: readonly StatusRange[] = [{ from: 200, to: 399 }];

/**
 * Reads `[NAME] KIND …`. One without a name is named by its kind and port, as `tcp:8443`.
 *
 * @param readFile The text of the file that a token names.
 * @throws {CorefileError} At the word that is wrong.
 */
export function readCheck(args: Arguments, readFile: (token: Token) => HttpCheck["ca"]): NamedCheck {
  const first = args.token("a kind of check");
  const isKind = (text: string | undefined) => (KINDS as readonly string[]).includes(text ?? "");
  if (isKind(first.text)) {
    const check = readKind(first.text as Check["kind"], args, readFile);
    return { name: defaultName(check), check };
  }
  const guess = nearest(first.text, KINDS);
  const second = args.peek()?.text;
  const isMistyped = guess !== undefined && !isKind(second) && !nearest(second ?? "", KINDS);
  if (second === undefined || isMistyped) {
    const hint = guess ? `; did you mean '${guess}'?` : "";
    throw new CorefileError(
      first,
      `check: '${first.text}' is no kind of check: want ${KINDS.join(", ")}${hint}`,
    );
  }
  return { name: first.text, check: readKind(args.oneOf("the kind", KINDS), args, readFile) };
}

/** The check in the words of the Corefile: equal for equal checks. */
export function checkText(check: Check): string {
  switch (check.kind) {
    case "tcp":
      return `tcp ${check.port}`;
    case "dns":
      return `dns ${check.port} ${formatName(check.name)} type ${typeToText(check.type)}`;
    case "icmp":
      return "icmp";
    case "exec":
      return ["exec", check.command, ...check.args].map(quoted).join(" ");
    default:
      return httpText(check);
  }
}

/** What a target goes by: address, check, and what its timing has that is not the default. */
export function targetKey(address: string, check: Check, timing: Timing, defaults: Timing): TargetKey {
  const text = (of: Timing, name: string) => JSON.stringify(of[name as keyof Timing]) ?? "off";
  const differences = Object.keys({ ...defaults, ...timing })
    .filter((name) => text(timing, name) !== text(defaults, name))
    .map((name) => `${name}=${text(timing, name)}`);
  return [address, checkText(check), ...differences].join(" ");
}

function readKind(
  kind: Check["kind"],
  args: Arguments,
  readFile: (token: Token) => HttpCheck["ca"],
): Check {
  switch (kind) {
    case "tcp":
      return { kind, port: port(args) };
    case "dns":
      return { kind, port: port(args), name: dnsName(args), type: args.take("type") ? dnsType(args) : 1 };
    case "icmp":
      return { kind };
    case "exec":
      return { kind, command: args.word("COMMAND"), args: args.rest().map(({ text }) => text) };
    default:
      return readHttp(kind, args, readFile);
  }
}

function readHttp(
  kind: "http" | "https",
  args: Arguments,
  readFile: (token: Token) => HttpCheck["ca"],
): HttpCheck {
  let check: HttpCheck = {
    kind,
    port: port(args),
    path: path(args),
    status: ANY_GOOD_STATUS,
    insecure: false,
  };
  while (args.more) {
    const word = args.peek()!;
    const option = args.oneOf("the next word", ["host", "status", "body", "ca", "insecure"]);
    if (kind === "http" && (option === "ca" || option === "insecure")) {
      throw new CorefileError(word, `check: ${option} needs https: http has no certificates`);
    }
    if (option === "host") check = { ...check, host: host(args) };
    if (option === "status") check = { ...check, status: statusRanges(args.token("STATUS")) };
    if (option === "body") check = { ...check, body: bodyText(args) };
    if (option === "ca") check = { ...check, ...caOf(readFile(args.token("FILE"))) };
    if (option === "insecure") check = { ...check, insecure: true };
  }
  return check;
}

function caOf(ca: HttpCheck["ca"]): { ca?: NonNullable<HttpCheck["ca"]> } {
  return ca ? { ca } : {};
}

function port(args: Arguments): number {
  return args.whole("PORT", { min: 1, max: 65535 });
}

function path(args: Arguments): string {
  const token = args.token("PATH");
  if (/^\/[!-~]*$/.test(token.text)) return token.text;
  throw new CorefileError(token, `check: PATH must begin with / and have no blanks: got '${token.text}'`);
}

function host(args: Arguments): string {
  const token = args.token("HOST");
  if (/^([A-Za-z0-9_-]+\.)*[A-Za-z0-9_-]+$/.test(token.text)) return token.text;
  throw new CorefileError(token, `check: host must be a host name without a port: got '${token.text}'`);
}

function bodyText(args: Arguments): string {
  const token = args.token("TEXT");
  if (token.text !== "") return token.text;
  throw new CorefileError(token, "check: body must be a text of at least one character: got ''");
}

function statusRanges(token: Token): StatusRange[] {
  return token.text.split(",").map((part) => {
    const found = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(part);
    const range = found && { from: Number(found[1]), to: Number(found[2] ?? found[1]) };
    if (range && range.from <= range.to) return range;
    throw new CorefileError(
      token,
      `check: status must be codes and ranges such as 200-299,401: got '${token.text}'`,
    );
  });
}

function dnsName(args: Arguments): Name {
  const token = args.token("NAME");
  try {
    return parseName(token.text);
  } catch (error) {
    throw new CorefileError(token, `check: ${(error as Error).message}`);
  }
}

function dnsType(args: Arguments): number {
  const token = args.token("TYPE");
  const type = typeFromText(token.text);
  if (type !== undefined) return type;
  throw new CorefileError(
    token,
    `check: type must be an RR type such as A or TYPE65280: got '${token.text}'`,
  );
}

function defaultName(check: Check): string {
  if (check.kind === "exec") return `exec:${check.command}`;
  return check.kind === "icmp" ? "icmp" : `${check.kind}:${check.port}`;
}

function httpText({ kind, port, path, host, status, body, ca, insecure }: HttpCheck): string {
  const words = [kind, `${port}`, path];
  if (host) words.push("host", host.toLowerCase());
  const text = status.map(({ from, to }) => from === to ? `${from}` : `${from}-${to}`).join(",");
  if (text !== "200-399") words.push("status", text);
  if (body !== undefined) words.push("body", JSON.stringify(body));
  if (ca) words.push("ca", quoted(ca.path));
  if (insecure) words.push("insecure");
  return words.join(" ");
}

function quoted(word: string): string {
  return /^[!#-~]+$/.test(word) ? word : JSON.stringify(word);
}
