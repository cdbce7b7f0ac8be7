/** cookie: DNS cookies (RFC 7873, RFC 9018). Syntax and examples: README.md. @module */

import { reasonOf } from "../../core/files.ts";
import { type Cookies, decodeCookie, encodeCookie, findOption } from "../../core/dns/edns.ts";
import { NO_QUESTION } from "../../core/dns/query.ts";
import { OPTION, RCODE } from "../../core/dns/types.ts";
import {
  type Answer,
  type AnswerScope,
  Arguments,
  type ControlScope,
  type CookieState,
  CorefileError,
  type Directive,
  emptyAnswer,
  INDEPENDENT,
  isDeferred,
  type Next,
  onlyOne,
  type Options,
  type ParseScope,
  type Plugin,
  type PluginModule,
  type QueryContext,
  readOptions,
  type Series,
  then,
} from "../../core/plugin.ts";
import { ownSecret, readSecret, readSecretsFile, watchSecrets } from "./secrets.ts";
import { CookiesAgain } from "./again.ts";
import { judgeServerCookie, makeServerCookie } from "./server_cookie.ts";

/** Where the secrets are, and what becomes of clients without a good cookie. */
export interface CookieConfig {
  /** The first is in use, the others are still good; none = they come from elsewhere. */
  readonly secrets: readonly Uint8Array[];
  /** The file that has them. */
  readonly path?: string;
  /** Whether a client that does cookies is made to return a good one. */
  readonly require: boolean;
}

const options = {
  secret: {
    usage: "secret HEX [PREVIOUS...]",
    read: (args: Arguments) =>
      args.take("file") ? { path: args.token("PATH") } : { secrets: secretsIn(args) },
  },
  require: { usage: "require", read: () => true },
} satisfies Options;

const metrics = {
  meridian_cookie_queries_total: {
    kind: "counter",
    help: "Queries with a COOKIE option, by what it was worth.",
    labels: ["state"],
  },
} as const;

export default {
  name: "cookie",
  usage: "cookie",
  options,
  metrics,
  // Of a reply it gives to a query without a cookie it leaves everything as it is; for the others see CookiesAgain.
  repeats: "absence",
  parse,
  start,
  answerer,
} satisfies PluginModule<CookieConfig>;

/** Reads `cookie { ... }`, and the file of secrets, so that `check` shows what is wrong in it. */
export function parse(
  directives: readonly Directive[],
  { problems, path }: Pick<ParseScope, "problems" | "path">,
): CookieConfig {
  const directive = onlyOne(directives, problems);
  new Arguments(directive).end();
  const { secret, require = false } = readOptions(directive, options, problems);
  if (!secret || "secrets" in secret) return { secrets: secret?.secrets ?? [], require };
  const file = path(secret.path);
  try {
    readSecretsFile(file);
  } catch (error) {
    throw new CorefileError(secret.path, `cookie: cannot use the secrets in ${file}: ${reasonOf(error)}`);
  }
  return { secrets: [], path: file, require };
}

function secretsIn(args: Arguments): Uint8Array[] {
  const tokens = [args.token("HEX, or file PATH"), ...args.rest()];
  if (tokens.length > 4) throw new CorefileError(tokens[4]!, "cookie: secret takes at most 4 secrets");
  return tokens.map((token) => {
    const secret = readSecret(token.text);
    if (secret) return secret;
    throw new CorefileError(
      token,
      `cookie: a secret must be 32 hexadecimal digits: got ${token.text.length} characters`,
    );
  });
}

function start({ secrets, path }: CookieConfig, scope: ControlScope): void {
  if (path !== undefined) watchSecrets(path, scope);
  else scope.publish(secrets.length > 0 ? secrets : [ownSecret(scope)]);
}

/** Tells the plugins below what a query's cookie is worth, and gives each client that has one a good one. */
export function answerer({ require }: CookieConfig, scope: AnswerScope): Plugin {
  const secretsIn = ({ snapshot }: QueryContext) =>
    scope.published(snapshot) as readonly Uint8Array[] | undefined;
  const judgeNow = (context: QueryContext) => judge(context, secretsIn(context));
  const series = new Map<string, Series>();
  const count = (state: string) => {
    let found = series.get(state);
    if (!found) series.set(state, found = scope.series("meridian_cookie_queries_total", { state }));
    found.record(1);
  };
  return {
    name: "cookie",
    givesCookies: true,
    labels: { "cookie/state": (context) => judgeNow(context)?.state },
    answer(context, next) {
      const judged = judgeNow(context);
      if (!judged) return next(context);
      const answer = answerJudged(judged, context, next, require);
      if (!context.rehearsed && !isDeferred(answer)) count(judged.state);
      return answer;
    },
    cookies(context) {
      const secrets = secretsIn(context);
      return secrets && new CookiesAgain(secrets, require && context.transport === "udp", count);
    },
  };
}

function answerJudged(
  judged: Judgement,
  context: QueryContext,
  next: Next,
  require: boolean,
): Answer | Promise<Answer> {
  if (judged.state === "malformed") return emptyAnswer(RCODE.FORMERR, { dependence: UNIQUE });
  const { state, reply } = judged;
  if (require && state !== "valid" && context.transport === "udp") {
    context.record?.({ plugin: "cookie", what: `a cookie is required, and this one is ${state}` });
    return withCookie(emptyAnswer(RCODE.BADCOOKIE, { dependence: UNIQUE }), reply);
  }
  if (context.question === NO_QUESTION) {
    const rcode = state === "invalid" ? RCODE.BADCOOKIE : RCODE.NOERROR;
    return withCookie(emptyAnswer(rcode, { dependence: UNIQUE }), reply);
  }
  return then(next(Object.freeze({ ...context, cookie: state })), (answer) => withCookie(answer, reply));
}

/** What a query's COOKIE option is worth, and both cookies of the reply. */
export type Judgement =
  | { readonly state: Exclude<CookieState, "absent">; readonly reply: Uint8Array }
  | { readonly state: "malformed" };

/** Judges the first COOKIE option (RFC 7873 section 5.2); undefined when there is none, or no secret to judge it by. */
export function judge(
  { edns, source: { address }, nowMs }: QueryContext,
  secrets: readonly Uint8Array[] | undefined,
): Judgement | undefined {
  const option = edns && findOption(edns.options, OPTION.COOKIE);
  const [secret] = secrets ?? [];
  if (!option || !secret) return undefined;
  const cookies = decodeCookie(option.data);
  if (!cookies) return { state: "malformed" };
  const { client, server } = cookies;
  const now = Math.floor(nowMs / 1000);
  const worth = server ? judgeServerCookie(secrets!, client, server, address, now) : "bad";
  if (worth === "good") return { state: "valid", reply: option.data };
  const fresh = { client, server: makeServerCookie(secret, client, address, now) };
  return { state: worth === "renew" ? "valid" : server ? "invalid" : "client", reply: joined(fresh) };
}

function joined({ client, server = new Uint8Array() }: Cookies): Uint8Array {
  const octets = new Uint8Array(client.length + server.length);
  octets.set(client);
  octets.set(server, client.length);
  return octets;
}

/**
 * What a reply depended on that was made for what is wrong with a cookie, and not worth remembering, which the key `port` says.
 * Of what the chain says, the cookie alone is this client's own: the key `cookie` says so. The reply to a query without the
 * option is left as it is, for whoever remembers answers: what makes the two apart, the option, such a one has to look at in
 * the query.
 */
const UNIQUE = Object.freeze({ ...INDEPENDENT, keys: Object.freeze(["source", "port"] as const) });

/** The answer with our cookie in place of any that it had, as from an upstream. */
export function withCookie(answer: Answer, reply: Uint8Array): Answer {
  const others = (answer.options ?? []).filter(({ code }) => code !== OPTION.COOKIE);
  const { dependence } = answer;
  // First, for it is what a truncated reply is worth most with.
  return {
    ...answer,
    options: [encodeCookie(reply), ...others],
    dependence: { ...dependence, keys: [...dependence.keys, "cookie"] },
  };
}
