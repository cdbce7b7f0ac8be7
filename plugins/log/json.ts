/**
 * The query log as JSON lines.
 *
 * @module
 */

import { classToText, rcodeToText, typeToText } from "../../core/dns/types.ts";
import { formatAddress, formatName } from "../../core/plugin.ts";
import { distanceKm, flagNames, leastTtl, type Reply } from "./reply.ts";

/** One reply as one JSON object on one line, in ASCII. README.md lists the members; one without a value is left out. */
export function jsonLine(reply: Reply): string {
  return ascii(JSON.stringify(jsonMembers(reply)));
}

/** What is in the object, in order. */
export function jsonMembers({ context, answer, sent, locate, weight }: Reply) {
  const { edns, question } = context;
  const subnet = edns?.clientSubnet, location = locate();
  return {
    time: new Date(context.nowMs).toISOString(),
    remote: formatAddress(context.source.address),
    remotePort: context.source.port,
    local: formatAddress(context.server.address),
    localPort: context.server.port,
    transport: context.transport,
    id: context.messageId,
    name: formatName(context.name),
    type: typeToText(question.type),
    class: classToText(question.class),
    zone: formatName(context.zone),
    sizeOctets: context.sizeOctets,
    dnssecOk: edns?.dnssecOk,
    payloadSizeOctets: edns?.payloadSize,
    plugin: sent.plugin || undefined,
    rcode: sent.octets > 0 ? rcodeToText(answer.rcode) : undefined,
    flags: flagNames(sent.flags),
    replyOctets: sent.octets,
    durationMs: Number(sent.durationMs.toFixed(6)),
    ttlSeconds: leastTtl(answer),
    ecs: subnet && `${formatAddress(subnet.address)}/${subnet.sourcePrefixLength}`,
    scopePrefixLength: answer.dependence.scopePrefixLength,
    location: locationValue(location),
    selections: answer.selections?.map((one) => ({ ...one, distanceKm: distanceKm(one, location) })),
    labels: answer.labels,
    extendedErrors: answer.extendedErrors,
    fault: answer.fault,
    weight: weight === undefined ? undefined : Number(weight),
  };
}

/** The member `location`. */
export function locationValue(location: ReturnType<Reply["locate"]>) {
  return location && {
    country: location.place?.country || undefined,
    subdivision: location.place?.subdivision || undefined,
    latitudeDegrees: location.place?.latitude,
    longitudeDegrees: location.place?.longitude,
    precision: location.precision,
    source: location.source,
    special: location.special || undefined,
  };
}

/** The same JSON with everything past ASCII escaped: no terminal or line reader is surprised. */
export function ascii(json: string): string {
  return json.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
