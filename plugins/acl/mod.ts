/** acl: who may ask for what. Syntax and examples: README.md. @module */

import { readNames } from "../../core/dns/corefile_names.ts";
import { RCODE, TYPE, typeFromText } from "../../core/dns/types.ts";
import {
  alsoOn,
  type Answer,
  type AnswerScope,
  CorefileError,
  type Directive,
  emptyAnswer,
  formatName,
  INDEPENDENT,
  nearest,
  parseNetwork,
  parsePrefix,
  type ParseScope,
  type Plugin,
  type PluginModule,
  type Prefix,
  type QueryContext,
  type Series,
  serverLabel,
  Tally,
  then,
  type Token,
  undivided,
} from "../../core/plugin.ts";
import { type Action, makeJudge, type Rule, type RuleSet } from "./rules.ts";

const ACTIONS: readonly Action[] = ["allow", "block", "filter", "drop"];

/** RFC 8914 sections 4.16 and 4.18. */
const BLOCKED = 15, FILTERED = 17;

/** What `local` stands for: this machine, and networks that only those inside them can come from. */
const LOCAL: readonly Prefix[] = [
  ...["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"],
  ...["::1/128", "fc00::/7", "fe80::/10"],
].map((text) => parsePrefix(text)!);

const metric = (what: string) =>
  ({ kind: "counter", help: `Queries that were ${what}.`, labels: ["server", "zone", "view"] }) as const;

const METRICS: Readonly<Record<Action, string>> = {
  allow: "coredns_acl_allowed_requests_total",
  block: "coredns_acl_blocked_requests_total",
  filter: "coredns_acl_filtered_requests_total",
  drop: "coredns_acl_dropped_requests_total",
};

export default {
  name: "acl",
  usage: "acl [ZONES...]",
  options: Object.fromEntries(ACTIONS.map((action) => [
    action,
    { usage: `${action} [type TYPE...] [net NETWORK...]`, repeats: true, read: () => undefined },
  ])),
  metrics: {
    [METRICS.allow]: metric("allowed"),
    [METRICS.block]: metric("answered REFUSED"),
    [METRICS.filter]: metric("answered without records"),
    [METRICS.drop]: metric("not answered"),
  },
  repeats: "absence",
  parse,
  answerer,
} satisfies PluginModule<readonly RuleSet[]>;

/** Reads every `acl [ZONES...] { ... }` of a block. */
export function parse(
  directives: readonly Directive[],
  { problems }: Pick<ParseScope, "problems">,
): readonly RuleSet[] {
  return directives.map((directive) => {
    const zones = directive.args.flatMap((token) => problems.attempt(() => readNames(token, problems)) ?? []);
    const rules = (directive.block ?? []).flatMap((line) => problems.attempt(() => readRule(line)) ?? []);
    if (!directive.block?.length) {
      problems.error(directive.name, `acl: wants a block of rules, each ${ACTIONS.join(", ")}`);
    }
    return { zones, rules };
  });
}

/** Reads `ACTION [type TYPE...] [net NETWORK...]`. */
function readRule({ name, args, block }: Directive): Rule {
  const action = ACTIONS.find((action) => action === name.text.toLowerCase());
  if (!action) {
    const guess = nearest(name.text, ACTIONS);
    const hint = guess ? `; did you mean '${guess}'?` : "";
    throw new CorefileError(
      name,
      `acl: a rule must begin with ${ACTIONS.join(", ")}: got '${name.text}'${hint}`,
    );
  }
  if (block) throw new CorefileError(name, `acl: ${name.text} takes no block`);
  const types: Token[] = [], networks: Token[] = [];
  let section: Token[] | undefined;
  for (const [i, token] of args.entries()) {
    const word = token.text.toLowerCase();
    if (word === "type" || word === "net") {
      section = word === "type" ? types : networks;
      const next = args[i + 1]?.text.toLowerCase();
      if (next === undefined || next === "type" || next === "net") {
        throw new CorefileError(token, `acl: nothing stands behind '${token.text}'`);
      }
    } else if (section) {
      section.push(token);
    } else {
      throw new CorefileError(token, `acl: wanted 'type' or 'net': got '${token.text}'`);
    }
  }
  return {
    action,
    ...(isSome(types) && { types: types.map(readType) }),
    ...(isSome(networks) && { networks: networks.flatMap(readNetwork) }),
  };
}

/** Whether a section says anything: `*` is the same as to leave it out. */
function isSome(tokens: readonly Token[]): boolean {
  return tokens.length > 0 && !tokens.some(({ text }) => text === "*");
}

function readType(token: Token): number {
  const type = typeFromText(token.text);
  if (type !== undefined) return type;
  const guess = nearest(token.text.toUpperCase(), Object.keys(TYPE));
  const hint = guess ? `; did you mean '${guess}'?` : "";
  throw new CorefileError(token, `acl: TYPE must be a record type or *: got '${token.text}'${hint}`);
}

/** Bits past the length are let be, as in CoreDNS. */
function readNetwork(token: Token): readonly Prefix[] {
  if (token.text.toLowerCase() === "local") return LOCAL;
  const prefix = parsePrefix(token.text) ?? parseNetwork(token.text);
  if (prefix) return [prefix];
  throw new CorefileError(
    token,
    `acl: NETWORK must be such as 192.0.2.0/24, an address, local or *: got '${token.text}'`,
  );
}

/** Passes on what is allowed, and answers the rest. */
export function answerer(sets: readonly RuleSet[], scope: AnswerScope): Plugin {
  const judge = makeJudge(sets), seriesFor = makeSeries(scope), tally = new Tally();
  const zones = sets.flatMap(({ zones }) => zones);
  return {
    name: "acl",
    answer(context, next) {
      const { action, bySource } = judge(context);
      const answer = action === "allow" ? next(context) : denied(context, action, bySource);
      if (!context.rehearsed) tally.add(context, { series: seriesFor(context, action), value: 1 });
      if (!bySource && zones.length === 0) return answer;
      return then(answer, (answer) => undivided(bySource ? dependingOnSource(answer) : answer, zones));
    },
    tallies: (context) => tally.of(context),
    untimed: true,
  };
}

/** What counts queries by what became of them, under the labels that CoreDNS gives. */
function makeSeries({ facts: { view = "", plugins }, series }: AnswerScope) {
  const bound = new Map<string, Series>(), isBound = plugins.includes("bind");
  return ({ server, zone }: QueryContext, action: Action) => {
    const { address, port } = server;
    const key = `${action}${port} ${isBound ? address.octets.toHex() : ""}${zone}`;
    let counted = bound.get(key);
    if (!counted) {
      counted = series(METRICS[action], {
        server: serverLabel(server, isBound),
        zone: formatName(zone),
        view,
      });
      bound.set(key, counted);
    }
    return counted;
  };
}

function denied(
  { record, source }: QueryContext,
  action: Exclude<Action, "allow">,
  bySource: boolean,
): Answer {
  const what = `${action}, by ${bySource ? "the source" : "the type"}`;
  record?.({ plugin: "acl", what, facts: { source } });
  return DENIED[action];
}

const DENIED: Readonly<Record<Exclude<Action, "allow">, Answer>> = {
  block: emptyAnswer(RCODE.REFUSED, { extendedErrors: [{ infoCode: BLOCKED }] }),
  filter: emptyAnswer(RCODE.NOERROR, { extendedErrors: [{ infoCode: FILTERED }] }),
  drop: emptyAnswer(RCODE.NOERROR, { silent: true }),
};

const BY_SOURCE = { ...INDEPENDENT, keys: ["source"] } as const;

/** The address of the packet decided, not the client's network that it may tell of: that one anybody can write. */
function dependingOnSource(answer: Answer): Answer {
  return alsoOn(answer, BY_SOURCE);
}
