/**
 * dnstap: hands every query and reply to a collector, in dnstap's binary form. Syntax and examples: README.md.
 *
 * @module
 */

import { VERSION } from "../../core/command/version.ts";
import { parseHostPort } from "../../core/net/host_port.ts";
import {
  type Answer,
  type AnswerScope,
  Arguments,
  type Clock,
  CorefileError,
  type Directive,
  type Log,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  type Sent,
  type Token,
} from "../../core/plugin.ts";
import { encodeFrame, type Event, MESSAGE, type Origin } from "./message.ts";
import { type Connection, Sender } from "./sender.ts";

/** Where a collector listens. */
export type Collector =
  | { readonly transport: "unix"; readonly path: string }
  | { readonly transport: "tcp"; readonly hostname: string; readonly port: number };

/** One `dnstap`. Plain data. */
export interface Tap {
  readonly collector: Collector;
  /** Whether messages are told whole. */
  readonly full: boolean;
  /** Absent = the machine's name, and this program with its version. */
  readonly identity?: string;
  readonly version?: string;
  readonly extra?: string;
}

const options = {
  identity: { usage: "identity TEXT", read: (args: Arguments) => args.token("TEXT").text },
  version: { usage: "version TEXT", read: (args: Arguments) => args.token("TEXT").text },
  extra: { usage: "extra TEXT", read: (args: Arguments) => args.token("TEXT").text },
} satisfies Options;

const metrics = {
  meridian_dnstap_sent_total: { kind: "counter", help: "Messages sent to a collector.", labels: ["to"] },
  meridian_dnstap_dropped_total: {
    kind: "counter",
    help: "Messages dropped because a collector did not take them in time.",
    labels: ["to"],
  },
} satisfies PluginModule["metrics"];

export default {
  name: "dnstap",
  usage: "dnstap SOCKET [full]",
  options,
  metrics,
  // It hears of each reply, also of those that are repeated.
  repeats: "absence",
  parse: (directives, scope) =>
    directives.flatMap((directive) => scope.problems.attempt(() => parse(directive, scope)) ?? []),
  answerer: (taps, scope) => {
    const all = taps.map((tap) =>
      makeTap(tap, scope, () => Deno.connect(tap.collector as Deno.ConnectOptions))
    );
    return {
      name: "dnstap",
      answer: (context, next) => next(context),
      observe: (context, answer, sent) => all.forEach((tap) => tap(context, answer, sent)),
    };
  },
} satisfies PluginModule<readonly Tap[]>;

function parse(directive: Directive, { problems, path }: ParseScope): Tap {
  const args = new Arguments(directive);
  const collector = readCollector(args.token("SOCKET"), path);
  const full = args.more ? args.oneOf("the word behind SOCKET", ["full"]) === "full" : false;
  args.end();
  return { collector, full, ...readOptions(directive, options, problems) };
}

/** Reads `unix:///PATH`, `/PATH` or `tcp://HOST:PORT`. */
function readCollector(token: Token, path: ParseScope["path"]): Collector {
  const [, scheme, rest] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(token.text)!;
  const { host = "", port = 0 } = parseHostPort(rest!) ?? {};
  if (scheme === "tcp" && host !== "" && port > 0) return { transport: "tcp", hostname: host, port };
  if ((scheme ?? "unix") === "unix" && rest !== "") {
    return { transport: "unix", path: path({ ...token, text: rest! }) };
  }
  throw new CorefileError(
    token,
    `dnstap: SOCKET must be unix:///PATH or tcp://HOST:PORT: got '${token.text}'`,
  );
}

/** What a tap works with. */
export interface TapScope extends Pick<AnswerScope, "count" | "own"> {
  readonly clock: Clock;
  readonly log: Log;
}

/** The function that tells a collector of a reply and of the query before it. */
export function makeTap(
  tap: Tap,
  { clock, log, count, own }: TapScope,
  connect: () => Promise<Connection>,
): (context: QueryContext, answer: Answer, sent: Sent) => void {
  const to = collectorText(tap.collector);
  const origin = originOf(tap);
  const dropped = (number: number) => count("meridian_dnstap_dropped_total", { to }, number);
  const sender = own(
    new Sender({
      ...{ to, connect, clock, log },
      onSent: (number) => count("meridian_dnstap_sent_total", { to }, number),
      onDropped: dropped,
    }),
  );
  return (context, answer, sent) => {
    const events = eventsOf(context, answer, sent, tap.full);
    // What has no room is not worth the work.
    if (sender.isFull) return dropped(events.length);
    for (const event of events) sender.send(encodeFrame(origin, event));
  };
}

/** The query, and the reply where there was one. What was resolved elsewhere was asked by a client, the rest by a resolver. */
export function eventsOf(context: QueryContext, answer: Answer, sent: Sent, full: boolean): Event[] {
  const { transport, source, server, nowMs: queryMs, octets } = context;
  const forClient = answer.recursionAvailable || answer.momentary;
  const common = { transport, source, server, queryMs };
  const query: Event = {
    ...common,
    type: forClient ? MESSAGE.CLIENT_QUERY : MESSAGE.AUTH_QUERY,
    ...full && { query: octets },
  };
  if (sent.octets === 0) return [query];
  return [query, {
    ...common,
    type: forClient ? MESSAGE.CLIENT_RESPONSE : MESSAGE.AUTH_RESPONSE,
    responseMs: queryMs + sent.durationMs,
    ...full && sent.message && { response: sent.message },
  }];
}

function originOf({ identity = hostname(), version = `Meridian-${VERSION}`, extra = "" }: Tap): Origin {
  const encode = (text: string) => new TextEncoder().encode(text);
  return { identity: encode(identity), version: encode(version), extra: encode(extra) };
}

function hostname(): string {
  try {
    return Deno.hostname();
  } catch {
    return "";
  }
}

function collectorText(collector: Collector): string {
  if (collector.transport === "unix") return `unix://${collector.path}`;
  const { hostname, port } = collector;
  return `tcp://${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}
