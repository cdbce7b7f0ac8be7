/**
 * What expressions can ask about a query: the functions of CoreDNS's `view` and `template`.
 *
 * @module
 */

import { both, type Dependence, INDEPENDENT, type MemoKey } from "../answer.ts";
import { BY_NAME } from "../dependence.ts";
import { formatName } from "../dns/name.ts";
import { classToText, typeToText } from "../dns/types.ts";
import {
  contains,
  formatAddress,
  parseAddress,
  parseNetwork,
  parsePrefix,
  type Prefix,
} from "../net/address.ts";
import type { QueryContext } from "../query.ts";
import { type Expression, parts, type Signature, type Value } from "./syntax.ts";
import { EvaluationError } from "./evaluate.ts";

/** One function of a query without arguments. */
interface QueryFunction {
  readonly returns: "boolean" | "number" | "string";
  /** What an answer that hangs on it depends on, beside the question. */
  readonly key?: MemoKey;
  of(context: QueryContext): Value;
}

// What has no key of its own is under `port`, which makes an answer not worth remembering.
const OF_QUERY: Readonly<Record<string, QueryFunction>> = {
  bufsize: { returns: "number", key: "port", of: bufferSize },
  class: { returns: "string", of: ({ question }) => classToText(question.class) },
  client_ip: { returns: "string", key: "source", of: ({ source }) => formatAddress(source.address) },
  do: { returns: "boolean", key: "do", of: ({ edns }) => edns?.dnssecOk ?? false },
  id: { returns: "number", key: "port", of: ({ messageId }) => messageId },
  name: { returns: "string", of: ({ name }) => formatName(name) },
  // Every other opcode is answered before any plugin is asked.
  opcode: { returns: "number", of: () => 0 },
  port: { returns: "string", key: "port", of: ({ source }) => String(source.port) },
  proto: { returns: "string", key: "transport", of: ({ transport }) => transport },
  server_ip: { returns: "string", key: "server", of: ({ server }) => formatAddress(server.address) },
  server_port: { returns: "string", key: "server", of: ({ server }) => String(server.port) },
  size: { returns: "number", key: "port", of: ({ sizeOctets }) => sizeOctets },
  type: { returns: "string", of: ({ question }) => typeToText(question.type) },
};

/** The signatures of every function of a query. */
export const QUERY_FUNCTIONS: Readonly<Record<string, Signature>> = {
  ...Object.fromEntries(
    Object.entries(OF_QUERY).map(([name, { returns }]) => [name, { parameters: [], returns }] as const),
  ),
  incidr: { parameters: ["string", "string"], returns: "boolean" },
  metadata: { parameters: ["string"], returns: "string" },
};

/** What a function of a query comes to. @throws {EvaluationError} When `incidr` is given what is no address or network. */
export function callQueryFunction(context: QueryContext, name: string, args: readonly Value[]): Value {
  if (Object.hasOwn(OF_QUERY, name)) return OF_QUERY[name]!.of(context);
  if (name === "incidr") return isInNetwork(String(args[0]), String(args[1]));
  if (name === "metadata") return context.label?.(String(args[0])) ?? "";
  throw new EvaluationError(`there is no function ${name}`);
}

/** What an answer that hangs on an expression depends on, whatever the expression comes to. */
export function dependenceOf(expression: Expression, context: QueryContext): Dependence {
  const own = expression.kind === "call" ? dependenceOfCall(expression, context) : INDEPENDENT;
  return parts(expression).reduce((sum, part) => both(sum, dependenceOf(part, context)), own);
}

/** What an answer that hangs on a label depends on: for where the client is, the network that it is known by. */
export function dependenceOfLabel(label: string | undefined, context: QueryContext): Dependence {
  if (label !== undefined && /^view\//.test(label)) return INDEPENDENT;
  if (label === undefined || !/^geo(ip)?\//.test(label)) return onKey("port");
  const network = parsePrefix(context.label?.("geo/network") ?? "");
  return { ...INDEPENDENT, scopePrefixLength: network?.length ?? 0, keys: ["tailored"] };
}

/** What an answer depends on that hangs on one more property of the query. */
export function onKey(key: MemoKey): Dependence {
  return { ...INDEPENDENT, keys: [key] };
}

function dependenceOfCall(
  { name, args }: Extract<Expression, { kind: "call" }>,
  context: QueryContext,
): Dependence {
  if (name === "metadata") {
    const [label] = args;
    const known = label?.kind === "literal" && typeof label.value === "string";
    return dependenceOfLabel(known ? label.value as string : undefined, context);
  }
  if (name === "name") return BY_NAME;
  const key = Object.hasOwn(OF_QUERY, name) ? OF_QUERY[name]!.key : undefined;
  return key ? onKey(key) : INDEPENDENT;
}

/** What the client takes, as CoreDNS tells it: never less than 512, and 65535 over TCP. */
function bufferSize({ transport, edns }: QueryContext): number {
  return transport === "tcp" ? 65535 : Math.max(512, edns?.payloadSize ?? 0);
}

/** Networks that were read before: mostly the few that stand in the Corefile. */
const known = new Map<string, Prefix | undefined>();

function knownNetwork(text: string): Prefix | undefined {
  let prefix = known.get(text);
  if (prefix || known.has(text)) return prefix;
  // A text may be made of what strangers ask for.
  if (known.size >= 1000) known.clear();
  known.set(text, prefix = parseNetwork(text));
  return prefix;
}

function isInNetwork(ip: string, network: string): boolean {
  const address = parseAddress(ip.replace(/^\[(.*)\]$/, "$1"));
  if (!address) throw new EvaluationError(`incidr: '${ip}' is no IP address`);
  const prefix = knownNetwork(network);
  if (!prefix) throw new EvaluationError(`incidr: '${network}' is no network`);
  return contains(prefix, address);
}
