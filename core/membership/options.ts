/**
 * The global options by which a server is one of several.
 *
 *     state sqlite FILE
 *     state etcd URL… { user NAME; password FILE; ca FILE; certificate FILE KEYFILE }
 *     server ID { region NAME; url URL }
 *     lease DURATION [HEARTBEAT]
 *     vantages quorum|any|all [N] { fresh DURATION; hold DURATION; regions on|off }
 *
 * @module
 */

import { Arguments, type Options, readOptions } from "../corefile/arguments.ts";
import { CorefileError, type Directive, type Problems, type Token } from "../corefile/directive.ts";
import type { Agreement } from "../fleet/vantages.ts";
import type { NodeLease } from "../registry/lease.ts";
import type { EtcdChoice, MembershipConfiguration } from "./protocol.ts";

/** What is read of the Corefile; the rest comes from where it is served. */
export type MembershipOptions = Pick<
  MembershipConfiguration,
  "store" | "server" | "region" | "url" | "lease" | "agreement"
>;

/** What {@linkcode readMembership} needs. */
export interface MembershipContext {
  readonly problems: Problems;
  /** A path as the file of a token means it. */
  resolvePath(token: Token): string;
  /** What the server is called where nothing says so. */
  hostname(): string;
}

/** The words after `state` by which it is a store that several servers share, not a folder. */
export const STORES = ["sqlite", "etcd"] as const;

/** How long a server's word stands without a sign of it, and how long it is held where others are too few. */
const FRESH_MS = 15_000, HOLD_MS = 300_000;

/** The options that there may be, as they stand. */
export type MembershipDirectives = Readonly<
  Partial<Record<"store" | "server" | "vantages" | "lease", Directive>>
>;

/** What the options say; undefined where there is no store, and the server is alone. */
export function readMembership(
  directives: MembershipDirectives,
  context: MembershipContext,
): MembershipOptions | undefined {
  const { problems } = context;
  if (!directives.store) {
    warnOfNoStore([directives.server, directives.vantages, directives.lease], problems);
    return undefined;
  }
  const store = problems.attempt(() => readStore(directives.store!, context));
  const server = problems.attempt(() => readServer(directives.server, context));
  const agreement = problems.attempt(() => readVantages(directives.vantages, problems));
  const lease = directives.lease && problems.attempt(() => readLease(directives.lease!));
  return store && server && agreement && { store, ...server, agreement, ...lease && { lease } };
}

function warnOfNoStore(directives: readonly (Directive | undefined)[], problems: Problems): void {
  for (const directive of directives) {
    if (!directive) continue;
    const { name } = directive;
    problems.error(
      name,
      `${name.text}: is for servers that share their state: want \`state sqlite FILE\` or \`state etcd URL...\` too`,
    );
  }
}

function readStore(directive: Directive, context: MembershipContext): MembershipOptions["store"] {
  const args = new Arguments(directive);
  if (args.oneOf("STORE", STORES) === "sqlite") {
    const file = context.resolvePath(args.token("FILE"));
    args.end();
    return { kind: "sqlite", file };
  }
  const urls = [args.token("URL"), ...args.rest()].map(readUrl);
  return { kind: "etcd", urls, ...readEtcdOptions(directive, context) };
}

/** An origin: etcd's paths are its own. */
function readUrl(token: Token): string {
  const url = URL.parse(token.text);
  if (url && /^https?:$/.test(url.protocol) && url.pathname === "/" && !url.search) return url.origin;
  throw new CorefileError(token, `state: got '${token.text}', want a URL such as https://192.0.2.1:2379`);
}

const etcdOptions = {
  user: { usage: "user NAME", read: (args: Arguments) => args.token("NAME") },
  password: { usage: "password FILE", read: (args: Arguments) => args.token("FILE") },
  ca: { usage: "ca FILE", read: (args: Arguments) => args.token("FILE") },
  certificate: {
    usage: "certificate FILE KEYFILE",
    read: (args: Arguments) => ({ file: args.token("FILE"), key: args.token("KEYFILE") }),
  },
} satisfies Options;

function readEtcdOptions(
  directive: Directive,
  { problems, resolvePath }: MembershipContext,
): Omit<EtcdChoice, "kind" | "urls"> {
  const { user, password, ca, certificate } = readOptions(
    { ...directive, args: [] },
    etcdOptions,
    problems,
  );
  if (user && !password) problems.error(user, "state: user wants a password too: `password FILE`");
  return {
    ...user && { user: user.text },
    ...password && { passwordFile: resolvePath(password) },
    ...ca && { caFile: resolvePath(ca) },
    ...certificate &&
      { certificateFile: resolvePath(certificate.file), keyFile: resolvePath(certificate.key) },
  };
}

const serverOptions = {
  region: { usage: "region NAME", read: (args: Arguments) => args.word("NAME") },
  url: { usage: "url URL", read: (args: Arguments) => readUrl(args.token("URL")) },
} satisfies Options;

function readServer(
  directive: Directive | undefined,
  { problems, hostname }: MembershipContext,
): Pick<MembershipOptions, "server" | "region" | "url"> {
  if (!directive) return { server: hostname(), region: "", url: "" };
  const args = new Arguments(directive), id = args.token("ID");
  args.end();
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(id.text)) {
    throw new CorefileError(id, `server: got '${id.text}', want letters, digits, '.', '_' and '-'`);
  }
  const { region = "", url = "" } = readOptions({ ...directive, args: [] }, serverOptions, problems);
  return { server: id.text, region, url };
}

const vantagesOptions = {
  fresh: { usage: "fresh DURATION", read: (args: Arguments) => args.durationMs("DURATION", { min: 1000 }) },
  hold: { usage: "hold DURATION", read: (args: Arguments) => args.durationMs("DURATION", { min: 1000 }) },
  regions: {
    usage: "regions on|off",
    read: (args: Arguments) => args.oneOf("WORD", ["on", "off"]) === "on",
  },
} satisfies Options;

function readVantages(directive: Directive | undefined, problems: Problems): Agreement {
  const byDefault: Agreement = { mode: "quorum", vantages: 2, freshMs: FRESH_MS, holdMs: HOLD_MS };
  if (!directive) return byDefault;
  const args = new Arguments(directive);
  const mode = args.oneOf("MODE", ["quorum", "any", "all"]);
  const vantages = args.more ? args.whole("N", { min: 1, max: 1000 }) : byDefault.vantages;
  args.end();
  const { fresh = FRESH_MS, hold = HOLD_MS, regions = true } = readOptions(
    { ...directive, args: [] },
    vantagesOptions,
    problems,
  );
  if (hold < fresh) problems.error(directive.name, "vantages: hold must not be shorter than fresh");
  return { mode, vantages, freshMs: fresh, holdMs: hold, ...!regions && { regions } };
}

/** Shorter than this, what is heard would come to the other servers too late; longer, nobody would call it a lease. */
const LEASE_MS = { min: 10_000, max: 3_600_000 };

/** One heartbeat may be lost, and five seconds go by until that is clear. */
function readLease(directive: Directive): NodeLease {
  const args = new Arguments(directive), leaseMs = args.durationMs("DURATION", LEASE_MS);
  const most = Math.floor(leaseMs / 3);
  const beatMs = args.more ? args.durationMs("HEARTBEAT", { min: 1000, max: most }) : most;
  args.end();
  return { leaseMs, beatMs };
}
