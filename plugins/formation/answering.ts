/**
 * formation where queries are answered: who asks from the overlay is told nodes' overlay addresses, and their public ones
 * behind these; everybody else the public ones alone. Whose packet it is decides, not whom it is asked for (RFC 7871): where
 * the overlay is, nobody outside is to learn.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import {
  addressFromOctets,
  alsoOn,
  type Answer,
  type AnsweringModule,
  type AnswerScope,
  contains,
  fold,
  formatAddress,
  INDEPENDENT,
  mapRRsets,
  type Plugin,
  type Prefix,
  type QueryContext,
  type RRset,
  then,
} from "../../core/plugin.ts";
import { withoutDown } from "./record_health.ts";
import type { FormationConfig } from "./parse.ts";
import { keyOf, NOTHING, type Published } from "./published.ts";

/** Whether the packet came from the overlay is a property of its source address. */
const BY_SOURCE = Object.freeze({ ...INDEPENDENT, keys: Object.freeze(["source" as const]) });

export default { name: "formation", repeats: "absence", answerer } satisfies AnsweringModule<FormationConfig>;

/** Makes the plugin. */
export function answerer(
  { overlay }: Pick<FormationConfig, "overlay">,
  { published }: Pick<AnswerScope, "published">,
): Plugin {
  return {
    name: "formation",
    answer(context, next) {
      const known = published(context.snapshot) as Published | undefined ?? NOTHING;
      return then(
        next(context),
        (answer) => viewed(withoutDown(answer, context, known.nodes), context, overlay, known),
      );
    },
    untimed: true,
  };
}

/** The answer as whoever asks is to see it. */
export function viewed(
  answer: Answer,
  { source, record }: Pick<QueryContext, "source" | "record">,
  overlay: readonly Prefix[],
  known: Published,
): Answer {
  const inside = mapRRsets(answer, (rrset) => insideOf(rrset, known));
  const outside = mapRRsets(answer, (rrset) => outsideOf(rrset, overlay));
  // What is the same to both depends on nobody.
  if (isSame(inside, answer) && isSame(outside, answer)) return answer;
  const isInside = overlay.some((network) => contains(network, source.address));
  record?.({
    plugin: "formation",
    what: `${formatAddress(source.address)} is ${isInside ? "on" : "outside"} the overlay: ${
      isInside ? "overlay addresses first" : "public addresses alone"
    }`,
  });
  return alsoOn(isInside ? inside : outside, BY_SOURCE);
}

function isSame(a: Answer, b: Answer): boolean {
  return a.answer === b.answer && a.additional === b.additional;
}

/** The record's overlay addresses and those of the nodes whose addresses these are, then these. */
function insideOf(rrset: RRset, { nodes, records }: Published): RRset {
  if (rrset.type !== TYPE.A && rrset.type !== TYPE.AAAA) return rrset;
  const own = records.get(fold(rrset.name)) ?? [];
  const found = [...own, ...rrset.rdata.flatMap((octets) => nodes.get(keyOf(octets))?.overlay ?? [])]
    .filter(({ length }) => length === (rrset.type === TYPE.A ? 4 : 16));
  if (found.length === 0) return rrset;
  const all = new Map([...found, ...rrset.rdata].map((octets) => [keyOf(octets), octets]));
  return { ...rrset, rdata: [...all.values()] };
}

/** Without what lies on the overlay; all of it where nothing else is there, for an answer is never empty by accident. */
function outsideOf(rrset: RRset, overlay: readonly Prefix[]): RRset {
  if (rrset.type !== TYPE.A && rrset.type !== TYPE.AAAA) return rrset;
  const isOverlay = (octets: Uint8Array) => {
    const address = addressFromOctets(octets);
    return overlay.some((network) => contains(network, address));
  };
  const left = rrset.rdata.filter((octets) => !isOverlay(octets));
  return left.length === 0 || left.length === rrset.rdata.length ? rrset : { ...rrset, rdata: left };
}
