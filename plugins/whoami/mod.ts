/**
 * whoami: tells clients the address and port they came from. Syntax: README.md.
 *
 * @module
 */

import {
  type Answer,
  Arguments,
  INDEPENDENT,
  type Name,
  NAME_OCTETS_MAX,
  type PluginModule,
  prepend,
  type QueryContext,
  readOptions,
  type RRset,
} from "../../core/plugin.ts";
import { RCODE, TYPE } from "../../core/dns/types.ts";

export default {
  name: "whoami",
  usage: "whoami",
  options: {},
  // What it answers itself never is: it depends on the port.
  repeats: "absence",
  parse(directives, { problems }) {
    for (const directive of directives) {
      problems.attempt(() => new Arguments(directive).end());
      readOptions(directive, {}, problems);
    }
    return {};
  },
  answersAll: () => true,
  answerer: () => ({ name: "whoami", answer: whoami }),
} satisfies PluginModule<Record<string, never>>;

/** No records in the answer section; the address and, in an SRV record, transport and port in the additional section. */
export function whoami({ question, source, transport }: QueryContext): Answer {
  const { family, octets } = source.address;
  const address: RRset = {
    name: question.name,
    type: family === 4 ? TYPE.A : TYPE.AAAA,
    ttl: 0,
    rdata: [octets],
  };
  const owner = serviceName(transport, question.name);
  const port: RRset[] = owner
    ? [{ name: owner, type: TYPE.SRV, ttl: 0, rdata: [portRdata(source.port)] }]
    : [];
  return {
    rcode: RCODE.NOERROR,
    authoritative: true,
    answer: [],
    authority: [],
    additional: [address, ...port],
    dependence: { ...INDEPENDENT, keys: ["source", "port", "transport"] },
  };
}

/** `_udp` or `_tcp` in front of a name that leaves room for it. */
function serviceName(transport: string, name: Name): Name | undefined {
  const label = `_${transport}`;
  return name.length + 1 + label.length <= NAME_OCTETS_MAX ? prepend(label, name) : undefined;
}

/** RFC 2782: priority 0, weight 0, the port, and the root for "no such host". */
function portRdata(port: number): Uint8Array {
  return Uint8Array.of(0, 0, 0, 0, port >> 8, port & 255, 0);
}
