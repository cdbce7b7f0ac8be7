/**
 * A `forward` whose upstream is made up: it answers every question, a turn later, by its name alone. So a cache has something to
 * keep in a world without sockets.
 *
 *     a.. records, TTL 1 to 30     n.. NXDOMAIN     e.. NODATA     s.. SERVFAIL     everything else as a..
 *
 * @module
 */

import { encodeClientSubnet } from "../../../core/dns/edns.ts";
import { makeQuery, type Message, type ResourceRecord } from "../../../core/dns/message.ts";
import { type Name, parseName } from "../../../core/dns/name.ts";
import { parseRdata } from "../../../core/dns/rdata.ts";
import { CLASS, RCODE, TYPE } from "../../../core/dns/types.ts";
import type { PluginModule, QueryContext } from "../../../core/plugin.ts";
import type { WrittenRule } from "../../../plugins/forward/config.ts";
import forward from "../../../plugins/forward/mod.ts";
import { answerFrom } from "../../../plugins/forward/reply.ts";

/** How exactly the upstream says where clients are, of those it is told of. */
const SCOPE = 20;

const ZONE = parseName("fwd.example.org");

/** The same plugins, with such a `forward`. */
export function withUpstream(modules: readonly PluginModule[]): readonly PluginModule[] {
  return modules.map((module) =>
    module.name === "forward" ? { ...forward, answerer } as PluginModule : module
  );
}

function answerer(rules: readonly WrittenRule[]) {
  const { passesSubnet } = rules[0]!;
  return {
    name: "forward",
    answer(context: QueryContext) {
      const { question: { name, type }, edns, checkingDisabled, recursionDesired } = context;
      const subnet = passesSubnet && context.ecs ? edns?.clientSubnet : undefined;
      const dnssecOk = edns?.dnssecOk ?? false;
      const question = {
        name,
        type,
        checkingDisabled,
        recursionDesired,
        dnssecOk,
        ...(subnet && { subnet }),
      };
      return Promise.resolve(
        answerFrom(replyOf(context, subnet), { upstream: "192.0.2.1:53", passesSubnet, question }),
      );
    },
  };
}

function replyOf(
  { name, question: { name: asked, type } }: QueryContext,
  subnet: Parameters<typeof encodeClientSubnet>[0] | undefined,
): Message {
  const kind = name[1], options = subnet ? [encodeClientSubnet({ ...subnet, scopePrefixLength: SCOPE })] : [];
  const empty = kind === "n" || kind === "e" || kind === "s" || type !== TYPE.A;
  return {
    ...makeQuery(0, asked, type, { edns: { options } }),
    isResponse: true,
    recursionAvailable: true,
    rcode: kind === "n" ? RCODE.NXDOMAIN : kind === "s" ? RCODE.SERVFAIL : RCODE.NOERROR,
    answer: empty ? [] : [1, 2, 3].map((host) => record(asked, TYPE.A, ttlOf(name), `192.0.2.${host}`)),
    authority: empty && kind !== "s" ? [record(ZONE, TYPE.SOA, 9, "ns1 hostmaster 1 2 3 4 7")] : [],
  };
}

/** The same for the same name. */
function ttlOf(name: Name): number {
  return 1 + Array.from(name).reduce((sum, character) => sum * 31 + character.charCodeAt(0) & 0xffff, 7) % 30;
}

function record(name: Name, type: number, ttl: number, text: string): ResourceRecord {
  const tokens = text.split(" ").map((text) => ({ text, quoted: false }));
  return { name, type, class: CLASS.IN, ttl, rdata: parseRdata(type, tokens, ZONE) };
}
