/**
 * Counts the packets that no server block takes: nobody's plugin hears of them.
 *
 * @module
 */

import { METRIC_TYPES, metricTypeOf } from "../dns/metric_type.ts";
import { rcodeToText } from "../dns/types.ts";
import type { Labels, Series } from "../plugin.ts";
import type { Arrival } from "./arrival.ts";

/** What CoreDNS calls their zone: no domain name, for want of the final dot. */
const ZONE = "dropped";

/** Counts one: the question's type where it had one, the reply's RCODE where there was one. */
export type CountStray = (arrival: Arrival, type: number | undefined, rcode: number | undefined) => void;

/** Each series is bound when it is first needed: a flood of such packets makes no strings. */
export function makeStrayMeter(series: (name: string, labels: Labels) => Series): CountStray {
  const requests = new Map<number, Series>(), responses = new Map<number, Series>();
  return ({ source, server, transport }, type, rcode) => {
    const isV6 = source.address.family === 6, typeNumber = metricTypeOf(type ?? 0);
    const key = server.port * 256 + typeNumber * 4 + (isV6 ? 2 : 0) + (transport === "tcp" ? 1 : 0);
    bound(requests, key, () =>
      series("coredns_dns_requests_total", {
        ...labelsAt(server.port),
        proto: transport,
        family: isV6 ? "2" : "1",
        type: METRIC_TYPES[typeNumber]!,
      })).record(1);
    if (rcode === undefined) return;
    bound(
      responses,
      server.port * 4096 + rcode,
      () =>
        series("coredns_dns_responses_total", {
          ...labelsAt(server.port),
          rcode: rcodeToText(rcode),
          plugin: "",
        }),
    ).record(1);
  };
}

function labelsAt(port: number): Labels {
  return { server: `dns://:${port}`, zone: ZONE, view: "" };
}

function bound(map: Map<number, Series>, key: number, make: () => Series): Series {
  let series = map.get(key);
  if (!series) map.set(key, series = make());
  return series;
}
