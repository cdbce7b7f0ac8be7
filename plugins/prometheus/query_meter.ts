/**
 * Counts a block's queries and replies. At every query: so series are bound when they are first needed, found again by
 * number, and nothing makes a string.
 *
 * @module
 */

import { METRIC_TYPES, metricTypeOf } from "../../core/dns/metric_type.ts";
import { rcodeToText } from "../../core/dns/types.ts";
import {
  type Answer,
  type AnswerScope,
  formatName,
  type Name,
  type QueryContext,
  type Sent,
  type Series,
  serverLabel,
} from "../../core/plugin.ts";

/** What it is handed. */
export type MeterScope = Pick<AnswerScope, "facts" | "series">;

/** Counts the queries of one block. */
export class QueryMeter {
  readonly #scope: MeterScope;
  /** Whether the block serves named addresses only, which then are part of the label. */
  readonly #isBound: boolean;
  readonly #zones = new Map<Name, ZoneMeter[]>();

  constructor(scope: MeterScope) {
    this.#scope = scope;
    this.#isBound = scope.facts.plugins.includes("bind");
  }

  /** Counts one. */
  count(context: QueryContext, _answer: Answer, sent: Sent): void {
    this.#meterOf(context).count(context, sent);
  }

  #meterOf({ zone, server }: QueryContext): ZoneMeter {
    const there = this.#zones.get(zone);
    if (there) {
      for (const meter of there) if (meter.serves(server)) return meter;
    }
    const meter = new ZoneMeter(zone, server, this.#isBound, this.#scope);
    this.#zones.set(zone, [...there ?? [], meter]);
    return meter;
  }
}

type Server = QueryContext["server"];

/** Counts the queries for one zone at one of the server's addresses. */
class ZoneMeter {
  readonly #port: number;
  /** Undefined where all addresses are one. */
  readonly #octets: Uint8Array | undefined;
  readonly #labels: Readonly<Record<"server" | "zone" | "view", string>>;
  readonly #series: MeterScope["series"];
  /** By transport, family, type. */
  readonly #requests: (Series | undefined)[] = Array(4 * METRIC_TYPES.length);
  /** By plugin, then RCODE. */
  readonly #responses = new Map<string, (Series | undefined)[]>();
  readonly #duration: Series;
  readonly #dnssecOk: Series;
  readonly #sizes: readonly { readonly request: Series; readonly response: Series }[];

  constructor(zone: Name, server: Server, isBound: boolean, { facts, series }: MeterScope) {
    this.#port = server.port;
    this.#octets = isBound ? server.address.octets : undefined;
    this.#series = series;
    const labels = this.#labels = {
      server: serverLabel(server, isBound),
      zone: formatName(zone),
      view: facts.view ?? "",
    };
    this.#duration = series("coredns_dns_request_duration_seconds", labels);
    this.#dnssecOk = series("coredns_dns_do_requests_total", labels);
    this.#sizes = ["udp", "tcp"].map((proto) => ({
      request: series("coredns_dns_request_size_bytes", { ...labels, proto }),
      response: series("coredns_dns_response_size_bytes", { ...labels, proto }),
    }));
  }

  serves({ address: { octets }, port }: Server): boolean {
    if (port !== this.#port) return false;
    const own = this.#octets;
    if (!own) return true;
    if (own.length !== octets.length) return false;
    for (let i = own.length - 1; i >= 0; i--) if (own[i] !== octets[i]) return false;
    return true;
  }

  count({ transport, source, question, sizeOctets, edns }: QueryContext, sent: Sent): void {
    const proto = transport === "udp" ? 0 : 1, family = source.address.family === 4 ? 0 : 1;
    this.#requestsOf(proto, family, metricTypeOf(question.type)).record(1);
    const sizes = this.#sizes[proto]!;
    sizes.request.record(sizeOctets);
    this.#duration.record(sent.durationMs / 1000);
    if (edns?.dnssecOk) this.#dnssecOk.record(1);
    // What was not said has no size and no RCODE.
    if (sent.octets === 0) return;
    sizes.response.record(sent.octets);
    this.#responsesOf(sent.plugin, sent.flags & 15).record(1);
  }

  #requestsOf(proto: number, family: number, type: number): Series {
    const at = (proto * 2 + family) * METRIC_TYPES.length + type;
    return this.#requests[at] ??= this.#series("coredns_dns_requests_total", {
      ...this.#labels,
      proto: proto === 0 ? "udp" : "tcp",
      family: family === 0 ? "1" : "2",
      type: METRIC_TYPES[type]!,
    });
  }

  #responsesOf(plugin: string, rcode: number): Series {
    let byRcode = this.#responses.get(plugin);
    if (!byRcode) this.#responses.set(plugin, byRcode = Array(16));
    return byRcode[rcode] ??= this.#series("coredns_dns_responses_total", {
      ...this.#labels,
      rcode: rcodeToText(rcode),
      plugin,
    });
  }
}
