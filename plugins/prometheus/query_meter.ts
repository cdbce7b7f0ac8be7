/**
 * What is counted of a block's queries and replies. Of every reply that a chain makes: so series are bound when they are
 * first needed, found again by number, and nothing makes a string.
 *
 * @module
 */

import { METRIC_TYPES, metricTypeOf } from "../../core/dns/metric_type.ts";
import { rcodeToText } from "../../core/dns/types.ts";
import {
  type AnswerScope,
  formatName,
  type Name,
  type QueryContext,
  type Sample,
  type Sent,
  type Series,
  serverLabel,
} from "../../core/plugin.ts";
import { one, Values } from "./samples.ts";

/** What it is handed. */
export type MeterScope = Pick<AnswerScope, "facts" | "series">;

/** Says what to count of the queries of one block. */
export class QueryMeter {
  readonly #scope: MeterScope;
  /** Whether the block serves named addresses only, which then are part of the label. */
  readonly #isBound: boolean;
  readonly #zones = new Map<Name, ZoneMeter[]>();

  constructor(scope: MeterScope) {
    this.#scope = scope;
    this.#isBound = scope.facts.plugins.includes("bind");
  }

  /** Of one. */
  samplesOf(context: QueryContext, sent: Sent): Sample[] {
    return this.#meterOf(context).samplesOf(context, sent);
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

/** Of the queries for one zone at one of the server's addresses. */
class ZoneMeter {
  readonly #port: number;
  /** Undefined where all addresses are one. */
  readonly #octets: Uint8Array | undefined;
  readonly #labels: Readonly<Record<"server" | "zone" | "view", string>>;
  readonly #series: MeterScope["series"];
  /** By transport, family, type. */
  readonly #requests: (Sample | undefined)[] = Array(4 * METRIC_TYPES.length);
  /** By plugin, then RCODE. */
  readonly #responses = new Map<string, (Sample | undefined)[]>();
  readonly #duration: Series;
  readonly #dnssecOk: Sample;
  readonly #sizes: readonly { readonly request: Values; readonly response: Values }[];

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
    this.#dnssecOk = one(series("coredns_dns_do_requests_total", labels));
    this.#sizes = ["udp", "tcp"].map((proto) => ({
      request: new Values(series("coredns_dns_request_size_bytes", { ...labels, proto })),
      response: new Values(series("coredns_dns_response_size_bytes", { ...labels, proto })),
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

  samplesOf({ transport, source, question, sizeOctets, edns }: QueryContext, sent: Sent): Sample[] {
    const proto = transport === "udp" ? 0 : 1, family = source.address.family === 4 ? 0 : 1;
    const sizes = this.#sizes[proto]!;
    const request = this.#requestsOf(proto, family, metricTypeOf(question.type));
    const requestSize = sizes.request.of(sizeOctets);
    const duration = { series: this.#duration, value: sent.durationMs / 1000 };
    // What was not said has no size and no RCODE.
    const samples: Sample[] = sent.octets === 0 ? [request, requestSize, duration] : [
      request,
      requestSize,
      duration,
      sizes.response.of(sent.octets),
      this.#responsesOf(sent.plugin, sent.flags & 15),
    ];
    if (edns?.dnssecOk) samples.push(this.#dnssecOk);
    return samples;
  }

  #requestsOf(proto: number, family: number, type: number): Sample {
    const at = (proto * 2 + family) * METRIC_TYPES.length + type;
    return this.#requests[at] ??= one(this.#series("coredns_dns_requests_total", {
      ...this.#labels,
      proto: proto === 0 ? "udp" : "tcp",
      family: family === 0 ? "1" : "2",
      type: METRIC_TYPES[type]!,
    }));
  }

  #responsesOf(plugin: string, rcode: number): Sample {
    let byRcode = this.#responses.get(plugin);
    if (!byRcode) this.#responses.set(plugin, byRcode = Array(16));
    return byRcode[rcode] ??= one(this.#series("coredns_dns_responses_total", {
      ...this.#labels,
      rcode: rcodeToText(rcode),
      plugin,
    }));
  }
}
