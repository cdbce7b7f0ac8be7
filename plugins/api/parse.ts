/**
 * Reads `api ADDRESS { ... }`.
 *
 * @module
 */

import {
  type CertificateRule,
  checkCertificateConfig,
  fingerprintsIn,
} from "../../core/access/certificates.ts";
import { AccessError } from "../../core/access/error.ts";
import type { Grant } from "../../core/access/actor.ts";
import { readGrant } from "../../core/access/grants.ts";
import { type KeySource, readSecretKeys, thisMachine } from "../../core/access/key_source.ts";
import { SecretError } from "../../core/access/secrets.ts";
import { checkOidcConfig, type OidcConfig, SKEW_SECONDS_MAX } from "../../core/access/oidc.ts";
import { parseHostPort } from "../../core/net/host_port.ts";
import { contains, parseAddress, parsePrefix } from "../../core/net/address.ts";
import {
  Arguments,
  CorefileError,
  type Directive,
  onlyOne,
  type Options,
  type ParseScope,
  readOptions,
  type Token,
} from "../../core/plugin.ts";

/** What is served, and how. Plain data; files are paths. */
export interface ApiConfig {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Whose certificates clients may show. */
  readonly clientCa?: string;
  /** Whom these stand for. */
  readonly certificates: readonly CertificateRule[];
  /** Fingerprints of those that count no more, and files with more of them. */
  readonly revoked?: readonly string[];
  readonly revokedFiles?: readonly string[];
  /** Issuers whose tokens are taken. */
  readonly oidc: readonly OidcConfig[];
  /** The most octets that a request's body may have. */
  readonly bodyOctetsMax: number;
  /** How many requests an address may make in a second, and at once. */
  readonly rate: { readonly perSecond: number; readonly burst: number };
  /** Where the keys for secrets are; absent = they lie in the store as they are. */
  readonly secrets?: KeySource;
  /** Whose critical changes wait for a second person. */
  readonly approvals: "off" | "on" | "all";
}

/** A configuration version with its files takes the most. */
const BODY_OCTETS_MAX = 1 << 20;

export const options = {
  tls: {
    usage: "tls CERTIFICATE KEY",
    read: (args: Arguments) => ({ certificate: args.token("CERTIFICATE"), key: args.token("KEY") }),
  },
  "client-ca": { usage: "client-ca FILE", read: (args: Arguments) => args.token("FILE") },
  certificate: {
    usage: "certificate common-name|dns|uri|email PATTERN ROLE [pool PATTERN...] [zone PATTERN...]",
    repeats: true,
    read: readCertificateRule,
  },
  revoked: {
    usage: "revoked FINGERPRINT...|file FILE",
    repeats: true,
    read: (args: Arguments): { readonly tokens: readonly Token[]; readonly file?: Token } => {
      if (args.peek()?.text !== "file") return { tokens: [args.token("FINGERPRINT"), ...args.rest()] };
      args.word("file");
      return { tokens: [], file: args.token("FILE") };
    },
  },
  oidc: { usage: "oidc ISSUER", repeats: true, opensBlock: true, read: readWhole },
  "body-max": {
    usage: "body-max OCTETS",
    read: (args: Arguments) => args.whole("OCTETS", { min: 1024, max: 64 << 20 }),
  },
  approvals: {
    usage: "approvals on|off [all]",
    read: (args: Arguments): ApiConfig["approvals"] => {
      const word = args.oneOf("STATE", ["on", "off"]);
      if (word === "off" || !args.more) return word;
      return args.oneOf("WHOSE", ["all"]);
    },
  },
  secrets: {
    usage: "secrets file|environment|credential NAME",
    read: (args: Arguments) => {
      return { from: args.oneOf("SOURCE", ["file", "environment", "credential"]), name: args.token("NAME") };
    },
  },
  rate: {
    usage: "rate PER_SECOND [BURST]",
    read: (args: Arguments) => {
      const perSecond = args.whole("PER_SECOND", { min: 1, max: 1_000_000 });
      return {
        perSecond,
        burst: args.more ? args.whole("BURST", { min: 1, max: 1_000_000 }) : 2 * perSecond,
      };
    },
  },
} satisfies Options;

/** Read with its block. */
function readWhole(args: Arguments, directive: Directive): Directive {
  args.rest();
  return directive;
}

const SECOND_MS = 1000;

const oidcOptions = {
  algorithms: { usage: "algorithms NAME...", read: (args: Arguments) => args.rest().map(({ text }) => text) },
  skew: {
    usage: "skew DURATION",
    read: (args: Arguments) =>
      args.durationMs("DURATION", { min: 0, max: SKEW_SECONDS_MAX * SECOND_MS }) / SECOND_MS,
  },
  "max-age": {
    usage: "max-age DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: SECOND_MS }) / SECOND_MS,
  },
  audience: { usage: "audience TEXT...", read: (args: Arguments) => args.rest().map(({ text }) => text) },
  jwks: { usage: "jwks URL", read: (args: Arguments) => args.word("URL") },
  person: { usage: "person CLAIM", read: (args: Arguments) => args.word("CLAIM") },
  claim: {
    usage: "claim CLAIM VALUE ROLE [pool PATTERN...] [zone PATTERN...]",
    repeats: true,
    read: (args: Arguments) => {
      const claim = args.word("CLAIM"), value = args.word("VALUE");
      return { claim, value, grant: readRole(args.rest(), args.directive.name) };
    },
  },
} satisfies Options;

function readOidc(directive: Directive, problems: ParseScope["problems"]): OidcConfig {
  const args = new Arguments(directive), issuer = args.token("ISSUER");
  args.end();
  const { audience = [], jwks, person, claim = [], algorithms, skew, "max-age": maxAge } = readOptions(
    { ...directive, args: [] },
    oidcOptions,
    problems,
  );
  const config: OidcConfig = {
    ...{ issuer: issuer.text, audience, grants: claim },
    ...jwks !== undefined && { jwksUrl: jwks },
    ...person !== undefined && { person },
    ...algorithms && { algorithms },
    ...skew !== undefined && { skewSeconds: skew },
    ...maxAge !== undefined && { maxAgeSeconds: maxAge },
  };
  try {
    checkOidcConfig(config);
    return config;
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    throw new CorefileError(issuer, `api: oidc: ${error.message}`);
  }
}

/** @throws {CorefileError} At the word at fault. */
function readRole(words: readonly Token[], directive: Token): Grant {
  try {
    return readGrant(words.map(({ text }) => text));
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    throw new CorefileError(
      words[Number(error.field)] ?? words[0] ?? directive,
      `api: ${directive.text}: ${error.message}`,
    );
  }
}

/** Whose certificates stand for whom. */
function readCertificateRule(args: Arguments): CertificateRule {
  const by = args.oneOf("KIND", ["common-name", "dns", "uri", "email"]), pattern = args.token("PATTERN");
  const words = args.rest();
  try {
    const rule = { by, pattern: pattern.text, grants: [readRole(words, args.directive.name)] };
    checkCertificateConfig({ rules: [rule] });
    return rule;
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    throw new CorefileError(pattern, `api: certificate: ${error.message}`);
  }
}

/** Looked at once, so that what is wrong shows before anything is served. @throws {CorefileError} */
function readRevoked(
  { tokens, file }: { readonly tokens: readonly Token[]; readonly file?: Token },
  path: ParseScope["path"],
): { readonly fingerprints: readonly string[]; readonly file?: string } {
  for (const token of tokens) {
    blaming(token, "revoked", () => checkCertificateConfig({ rules: [], revoked: [token.text] }));
  }
  if (!file) return { fingerprints: tokens.map(({ text }) => text) };
  const whole = path(file);
  blaming(file, "revoked", () => fingerprintsIn(Deno.readTextFileSync(whole), whole));
  return { fingerprints: [], file: whole };
}

/** @throws {CorefileError} At the token, what went wrong. */
function blaming(token: Token, option: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (error instanceof AccessError) {
      throw new CorefileError(token, `api: ${option}: ${error.message}`);
    }
    if (error instanceof Deno.errors.NotFound) {
      throw new CorefileError(token, `api: ${option}: cannot read ${token.text}: there is no such file`);
    }
    throw error;
  }
}

/** Read once, so that what is wrong with them shows before anything is served. @throws {CorefileError} */
function readKeySource(
  { from, name }: { readonly from: KeySource["from"]; readonly name: Token },
  path: ParseScope["path"],
): KeySource {
  const source: KeySource = from === "file"
    ? { from, path: path(name) }
    : from === "environment"
    ? { from, variable: name.text }
    : { from, name: name.text };
  try {
    readSecretKeys(source, thisMachine());
    return source;
  } catch (error) {
    if (!(error instanceof SecretError)) throw error;
    throw new CorefileError(name, `api: secrets: ${error.message}`);
  }
}

/** @throws {CorefileError} */
export function parse(directives: readonly Directive[], { problems, path }: ParseScope): ApiConfig {
  const directive = onlyOne(directives, problems), args = new Arguments(directive);
  const address = args.token("ADDRESS");
  args.end();
  const read = readOptions(directive, options, problems);
  const { tls, "client-ca": clientCa, certificate: certificates = [], rate, approvals = "off" } = read;
  const { "body-max": bodyOctetsMax = BODY_OCTETS_MAX } = read;
  const secrets = read.secrets && problems.attempt(() => readKeySource(read.secrets!, path));
  const revoked = (read.revoked ?? []).flatMap((one) => problems.attempt(() => readRevoked(one, path)) ?? []);
  const oidc = (read.oidc ?? []).flatMap((one) => problems.attempt(() => readOidc(one, problems)) ?? []);
  const { hostname, port } = readAddress(address);
  if (!tls && !isLoopback(hostname)) {
    problems.error(
      address,
      `api: '${address.text}' can be reached from other machines: want \`tls CERTIFICATE KEY\`, or an address such as localhost:8443`,
    );
  }
  const [first] = read.revoked ?? [];
  if (first && !clientCa) {
    const token = first.file ?? first.tokens[0]!;
    problems.error(token, "api: revoked wants client-ca too: without it no certificate counts");
  }
  for (const [i, one] of (read.oidc ?? []).entries()) {
    const [issuer] = one.args, isSame = (other: Directive) => other.args[0]?.text === issuer?.text;
    if (!issuer || !read.oidc!.slice(0, i).some(isSame)) continue;
    problems.error(issuer, `api: oidc: issuer ${issuer.text} stands twice: want one block for it`);
  }
  if (clientCa && !tls) {
    problems.error(clientCa, "api: client-ca wants tls too: clients show certificates only there");
  }
  return {
    ...{
      hostname,
      port,
      bodyOctetsMax,
      certificates,
      oidc,
      approvals,
      rate: rate ?? { perSecond: 100, burst: 200 },
    },
    ...tls && { tls: { certificate: path(tls.certificate), key: path(tls.key) } },
    ...clientCa && { clientCa: path(clientCa) },
    ...secrets && { secrets },
    ...revoked.length > 0 && {
      revoked: revoked.flatMap(({ fingerprints }) => fingerprints),
      revokedFiles: revoked.flatMap(({ file }) => file ?? []),
    },
  };
}

function readAddress(token: Token): { hostname: string; port: number } {
  const address = parseHostPort(token.text);
  if (address?.port) return { hostname: address.host || "::", port: address.port };
  throw new CorefileError(
    token,
    `api: ADDRESS must be [HOST]:PORT such as localhost:8443: got '${token.text}'`,
  );
}

const LOOPBACK = ["127.0.0.0/8", "::1/128"].map((text) => parsePrefix(text)!);

/** Whether only the machine itself reaches it. */
export function isLoopback(hostname: string): boolean {
  if (hostname === "localhost") return true;
  const address = parseAddress(hostname);
  return address !== undefined && LOOPBACK.some((prefix) => contains(prefix, address));
}
