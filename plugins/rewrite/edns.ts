/**
 * Rules for the EDNS options of a query.
 *
 * @module
 */

import { encodeClientSubnet, queryEdns } from "../../core/dns/edns.ts";
import { formatName } from "../../core/dns/name.ts";
import { OPTION } from "../../core/dns/types.ts";
import { dependenceOfLabel, onKey } from "../../core/expression/query_functions.ts";
import { prefixOf } from "../../core/net/address.ts";
import {
  type Dependence,
  type EdnsOption,
  INDEPENDENT,
  type MemoKey,
  type QueryContext,
} from "../../core/plugin.ts";
import type { EdnsData, Rule } from "./rules.ts";

type EdnsRule = Extract<Rule, { readonly field: "edns0" }>;

/** What a rule came to: the query's options, and what an answer now depends on. */
export interface EdnsOutcome {
  readonly context: QueryContext;
  readonly dependence: Dependence;
}

/** The query with its options as a rule wants them; undefined when the rule is not for it. */
export function applyEdnsRule(rule: EdnsRule, context: QueryContext): EdnsOutcome | undefined {
  const made = rule.action === "unset" ? NOTHING : makeOption(rule, context);
  if (!made) return undefined;
  const { edns = PLAIN } = context;
  const changed = changeOptions(rule, made.option, edns.options);
  if (!changed) return undefined;
  // An ECS option that was made here is well-formed, so there is a value.
  const options = queryEdns({ ...edns, extendedRcode: 0 }, changed)!;
  return { context: Object.freeze({ ...context, edns: options }), dependence: made.dependence };
}

/** What a query without OPT record gets when it is to have an option. */
const PLAIN = { version: 0, payloadSize: 1232, dnssecOk: false, options: [] };

const NOTHING = { option: undefined, dependence: INDEPENDENT };

/** The code of the option that a rule is about. */
export function codeOf(rule: EdnsRule): number {
  if (rule.option === "local") return rule.code;
  return rule.option === "nsid" ? OPTION.NSID : OPTION.CLIENT_SUBNET;
}

/** Some options with one set, replaced, appended or left out; undefined where the action has nothing to do. */
export function changeOptions(
  rule: EdnsRule,
  option: EdnsOption | undefined,
  options: readonly EdnsOption[],
): readonly EdnsOption[] | undefined {
  const code = codeOf(rule);
  const at = options.findIndex((one) => one.code === code);
  if (rule.action === "unset" || !option) return options.filter((one) => one.code !== code);
  if (at < 0) return rule.action === "replace" ? undefined : [...options, option];
  return rule.action === "append" ? undefined : options.with(at, option);
}

function makeOption(
  rule: EdnsRule,
  context: QueryContext,
): { option: EdnsOption; dependence: Dependence } | undefined {
  if (rule.option === "nsid") {
    return { option: { code: OPTION.NSID, data: new Uint8Array() }, dependence: INDEPENDENT };
  }
  if (rule.option === "subnet") {
    const { address } = context.source;
    const sourcePrefixLength = address.family === 4 ? rule.ipv4Length : rule.ipv6Length;
    const option = encodeClientSubnet({ address: prefixOf(address, sourcePrefixLength), sourcePrefixLength });
    return { option, dependence: onKey("source") };
  }
  const data = dataFor(rule.data, context);
  return data && { option: { code: rule.code, data }, dependence: dependenceOf(rule.data, context) };
}

/** What it hangs on that a rule is not for a query: a label may be known of one client and not of another. */
export function dependenceOfRule(rule: EdnsRule, context: QueryContext): Dependence {
  const mayDiffer = context.label && rule.option === "local" && rule.action !== "unset";
  return mayDiffer ? dependenceOf(rule.data, context) : INDEPENDENT;
}

const KEYS: Readonly<Record<string, MemoKey>> = {
  // In the case in which it was asked for, which nothing tells apart.
  qname: "port",
  client_ip: "source",
  client_port: "port",
  protocol: "transport",
  server_ip: "server",
  server_port: "server",
};

function dependenceOf(data: EdnsData, context: QueryContext): Dependence {
  if ("octets" in data) return INDEPENDENT;
  if (data.variable.includes("/")) return dependenceOfLabel(data.variable, context);
  const key = KEYS[data.variable];
  return key ? onKey(key) : INDEPENDENT;
}

/** The octets of an option; undefined for a label that nobody set. */
function dataFor(data: EdnsData, context: QueryContext): Uint8Array | undefined {
  if ("octets" in data) return data.octets;
  const { question, source, server, transport, label } = context;
  switch (data.variable) {
    case "qname":
      return encode(formatName(question.name));
    case "qtype":
      return uint16(question.type);
    case "client_ip":
      return source.address.octets;
    case "client_port":
      return uint16(source.port);
    case "protocol":
      return encode(transport);
    case "server_ip":
      return server.address.octets;
    case "server_port":
      return uint16(server.port);
    default: {
      const text = label?.(data.variable);
      return text ? encode(text) : undefined;
    }
  }
}

function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
