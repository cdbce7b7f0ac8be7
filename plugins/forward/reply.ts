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
import type { ExchangeError } from "./transport.ts";

/** RFC 8914 sections 4.23 and 4.24. */
const NO_REACHABLE_AUTHORITY = 22;
const NETWORK_ERROR = 23;

/** Upstreams are told DO and CD, and nothing of the client. */
const UPSTREAM: Dependence = { ...INDEPENDENT, keys: ["do", "cd"] };

/** The same answer as ours: records as RRsets, flags, RCODE, extended errors. No other EDNS option is passed on. */
export function answerFrom(reply: Message): Answer {
  const extendedErrors = extendedErrorsOf(reply);
  return emptyAnswer(reply.rcode, {
    authoritative: reply.authoritative,
    momentary: true,
    dependence: UPSTREAM,
    recursionAvailable: reply.recursionAvailable,
    authenticData: reply.authenticData,
    answer: rrsetsOf(reply.answer),
    authority: rrsetsOf(reply.authority),
    additional: rrsetsOf(reply.additional),
    ...(extendedErrors.length > 0 && { extendedErrors }),
  });
}

/** SERVFAIL, with the reason for the client and the details for the operator. */
export function failureAnswer(failures: readonly ExchangeError[]): Answer {
  const silent = failures.every(({ kind }) => kind === "timeout");
  const message = failures.map((failure) => failure.message).join("; ") || "every upstream is down";
  return emptyAnswer(RCODE.SERVFAIL, {
    momentary: true,
    dependence: UPSTREAM,
    extendedErrors: [{ infoCode: silent ? NO_REACHABLE_AUTHORITY : NETWORK_ERROR }],
    fault: { plugin: "forward", message },
  });
}

/**
 * Records gathered into RRsets in the order in which each first occurs, each with the least of its TTLs (RFC 2181
 * section 5.2). Signatures are gathered by the type they cover. Records of another class or of a meta-type are left out.
 */
export function rrsetsOf(records: readonly ResourceRecord[]): RRset[] {
  const sets = new Map<string, { first: ResourceRecord; ttl: number; rdata: Uint8Array[] }>();
  for (const record of records) {
    if (record.class !== CLASS.IN || isMetaType(record.type)) continue;
    const covered = record.type === TYPE.RRSIG ? record.rdata.subarray(0, 2).join(".") : "";
    const key = `${record.type} ${covered} ${fold(record.name)}`;
    const set = sets.get(key);
    if (!set) {
      sets.set(key, { first: record, ttl: record.ttl, rdata: [record.rdata] });
      continue;
    }
    set.ttl = Math.min(set.ttl, record.ttl);
    set.rdata.push(record.rdata);
  }
  return [...sets.values()].map(({ first: { name, type }, ttl, rdata }) => ({ name, type, ttl, rdata }));
}

function extendedErrorsOf({ edns }: Message): ExtendedError[] {
  return (edns?.options ?? []).flatMap(({ code, data }) =>
    code === OPTION.EDE ? decodeExtendedError(data) ?? [] : []
  );
}
