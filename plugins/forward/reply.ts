/**
 * From what upstreams said, or failed to say, to an answer.
 *
 * @module
 */

import { decodeExtendedError } from "../../core/dns/edns.ts";
import type { Message, ResourceRecord } from "../../core/dns/message.ts";
import { CLASS, isMetaType, OPTION, RCODE, TYPE } from "../../core/dns/types.ts";
import {
  type Answer,
  type Dependence,
  emptyAnswer,
  type ExtendedError,
  fold,
  INDEPENDENT,
  type RRset,
} from "../../core/plugin.ts";
import type { ExchangeError } from "./failure.ts";
import { type Question, scopeOf } from "./question.ts";

const TTL_MAX = 2 ** 31 - 1;

/** RFC 8914 sections 4.23 and 4.24. */
const NO_REACHABLE_AUTHORITY = 22;
const NETWORK_ERROR = 23;

/** Upstreams are told DO and CD, and, unless the rule says otherwise, nothing of the client. */
const UPSTREAM: Dependence = { ...INDEPENDENT, keys: ["do", "cd"] };

/** Where upstreams hear of the client's network, what was said without one is tailored as well: to ourselves. */
const TAILORED: Dependence = { ...INDEPENDENT, keys: ["do", "cd", "tailored"] };

/** How an answer came about. */
export interface Origin {
  /** The label of the upstream. */
  readonly upstream: string;
  /** Whether upstreams are told the client's network. */
  readonly passesSubnet: boolean;
  readonly question: Question;
}

/** The same answer as ours: records as RRsets, flags, RCODE, extended errors. No other EDNS option is passed on. */
export function answerFrom(reply: Message, { upstream, passesSubnet, question }: Origin): Answer {
  const extendedErrors = extendedErrorsOf(reply);
  const dependence = passesSubnet ? tailored(reply, question) : UPSTREAM;
  return emptyAnswer(reply.rcode, {
    authoritative: reply.authoritative,
    momentary: true,
    dependence,
    recursionAvailable: reply.recursionAvailable,
    authenticData: reply.authenticData,
    answer: rrsetsOf(reply.answer),
    authority: rrsetsOf(reply.authority),
    additional: rrsetsOf(reply.additional),
    labels: { "forward/upstream": upstream },
    ...(extendedErrors.length > 0 && { extendedErrors }),
  });
}

/** SERVFAIL, with the reason for the client and the details for the operator. */
export function failureAnswer(failures: readonly ExchangeError[], passesSubnet: boolean): Answer {
  const silent = failures.every(({ kind }) => kind === "timeout");
  const message = failures.map((failure) => failure.message).join("; ") || "every upstream is down";
  return emptyAnswer(RCODE.SERVFAIL, {
    momentary: true,
    dependence: passesSubnet ? TAILORED : UPSTREAM,
    extendedErrors: [{ infoCode: silent ? NO_REACHABLE_AUTHORITY : NETWORK_ERROR }],
    fault: { plugin: "forward", message },
  });
}

/** Whether an answer is good and yet has none of the records asked for. */
export function isNodata({ rcode, answer }: Answer, type: number): boolean {
  return rcode === RCODE.NOERROR &&
    !answer.some((rrset) => rrset.type === type || type === TYPE.ANY);
}

/** A scope of 0 means any client (RFC 7871 section 7.3.1), unless it was the client that told nothing. */
function tailored(reply: Message, { subnet }: Question): Dependence {
  const scopePrefixLength = subnet && subnet.sourcePrefixLength > 0 ? scopeOf(reply) : 0;
  return subnet && subnet.sourcePrefixLength > 0 && scopePrefixLength === 0
    ? UPSTREAM
    : { ...TAILORED, scopePrefixLength };
}

/**
 * Records gathered into RRsets in the order in which each first occurs, each with the least of its TTLs (RFC 2181
 * section 5.2); one of 2³¹ or more is none at all (section 8). Signatures are gathered by the type they cover. Records of another class or of a meta-type are left out.
 */
export function rrsetsOf(records: readonly ResourceRecord[]): RRset[] {
  const sets = new Map<string, { first: ResourceRecord; ttl: number; rdata: Uint8Array[] }>();
  for (const record of records) {
    if (record.class !== CLASS.IN || isMetaType(record.type)) continue;
    const covered = record.type === TYPE.RRSIG ? record.rdata.subarray(0, 2).join(".") : "";
    const key = `${record.type} ${covered} ${fold(record.name)}`;
    const set = sets.get(key);
    const ttl = record.ttl > TTL_MAX ? 0 : record.ttl;
    if (!set) {
      sets.set(key, { first: record, ttl, rdata: [record.rdata] });
      continue;
    }
    set.ttl = Math.min(set.ttl, ttl);
    set.rdata.push(record.rdata);
  }
  return [...sets.values()].map(({ first: { name, type }, ttl, rdata }) => ({ name, type, ttl, rdata }));
}

function extendedErrorsOf({ edns }: Message): ExtendedError[] {
  return (edns?.options ?? []).flatMap(({ code, data }) =>
    code === OPTION.EDE ? decodeExtendedError(data) ?? [] : []
  );
}
