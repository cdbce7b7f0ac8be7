/**
 * How a worker practises before it takes over from another: code that has never run is slow until it has been compiled, and
 * under load queries pile up meanwhile, for a third of a second and more.
 *
 * @module
 */

import { encodeClientSubnet } from "../../dns/edns.ts";
import { encodeMessage, makeQuery } from "../../dns/message.ts";
import { type Name, NAME_OCTETS_MAX, prepend } from "../../dns/name.ts";
import { RCODE } from "../../dns/types.ts";
import type { Answering } from "../answering.ts";
import type { Configuration } from "../configure.ts";
import { SLOT_OCTETS } from "../in_place.ts";
import { Memo } from "../memo/memo.ts";
import { type OwnQuestion, ownQuestions } from "../own_questions.ts";
import { UNHEARD } from "../query_context.ts";

/** What is rehearsed. */
export interface Rehearsal {
  readonly configuration: Configuration;
  readonly answering: Pick<Answering, "examine" | "blocks">;
  /** Which addresses the words of a `bind` stand for. */
  addressesOf(hosts: readonly string[]): readonly string[];
}

/** How long it takes at the most, however many questions that are, and how many it is at the most. */
export interface RehearsalBounds {
  readonly withinMs: number;
  readonly questions: number;
}

const BOUNDS: RehearsalBounds = { withinMs: 500, questions: 3000 };

/** Of how many zones and pools: what a worker reads of a zone it keeps. */
const NAMES_MAX = 256;

/**
 * Asks about the server's own names, and names that it does not have, for clients anywhere. Plugins count, limit and log none
 * of it (`rehearsed`), and tell of no fault (`unheard`). Those from files need not know of that: where there are any, nothing is
 * asked.
 *
 * What is not practised is what follows a client's query alone: to remember a reply and to repeat it, to count and to log.
 *
 * @returns How many questions it was.
 */
export function rehearse(
  { configuration, answering, addressesOf }: Rehearsal,
  bounds: RehearsalBounds = BOUNDS,
): number {
  if (configuration.globals.customPlugins.length > 0) return 0;
  const untilMs = performance.now() + bounds.withinMs;
  const questions = someOf([...ownQuestions(configuration.blocks, addressesOf)]);
  const memo = practiceMemo(answering);
  for (let asked = 0; asked < bounds.questions; asked++) {
    if (questions.length === 0 || performance.now() > untilMs) return asked;
    const i = randomBelow(questions.length);
    // What is a bug, or a pool of which nothing is known yet, is no practice.
    if (ask(questions[i]!, memo) === RCODE.SERVFAIL) questions.splice(i, 1);
  }
  return bounds.questions;
}

/** Some of many, from everywhere among them. */
function someOf(questions: OwnQuestion[]): OwnQuestion[] {
  const step = Math.max(1, questions.length / NAMES_MAX);
  return Array.from({ length: Math.min(questions.length, NAMES_MAX) }, (_, i) => questions[i * step | 0]!);
}

/** One that remembers nothing, as nothing of a rehearsed reply may be repeated. */
function practiceMemo({ blocks, examine }: Rehearsal["answering"]): Memo {
  return new Memo({
    answering: { blocks, examine: (octets, arrival) => examine(octets, arrival, UNHEARD) },
    slots: 1,
    memoOctets: SLOT_OCTETS,
    later() {},
  });
}

/** Asks once, in one of the forms that queries have. @returns The RCODE; undefined where there is no reply, or not yet. */
function ask({ name, type, server }: OwnQuestion, memo: Memo): number | undefined {
  const query = encodeMessage(FORMS[randomBelow(FORMS.length)]!(name, type));
  memo.octets.set(query);
  const source = { family: 4, words: crypto.getRandomValues(new Uint32Array(1)), port: 53, server } as const;
  const length = memo.answer(0, query.length, source, Date.now());
  return length > 0 ? memo.octets[3]! & 0xf : undefined;
}

type Form = (name: Name, type: number) => ReturnType<typeof makeQuery>;

const FORMS: readonly Form[] = [
  (name, type) => makeQuery(randomBelow(65_536), name, type),
  (name, type) => makeQuery(randomBelow(65_536), belowOf(name), type, { edns: {} }),
  (name, type) => makeQuery(randomBelow(65_536), name, type, { edns: { options: [subnet(4, 24)] } }),
  (name, type) => makeQuery(randomBelow(65_536), name, type, { edns: { options: [subnet(6, 56)] } }),
];

/** What `r123456789` takes with the octet before it that says how long it is. */
const LABEL_OCTETS_MAX = 11;

/** A name that is hardly there; a long one itself, as there may be no room for another label. */
function belowOf(name: Name): Name {
  return name.length + LABEL_OCTETS_MAX > NAME_OCTETS_MAX ? name : prepend(`r${randomBelow(1e9)}`, name);
}

/** Of any address; of IPv6, any that is given to somebody. */
function subnet(family: 4 | 6, sourcePrefixLength: number) {
  const octets = crypto.getRandomValues(new Uint8Array(family === 4 ? 4 : 16));
  if (family === 6) octets[0] = 0x20 | octets[0]! & 0x1f;
  return encodeClientSubnet({ address: { family, octets }, sourcePrefixLength });
}

function randomBelow(most: number): number {
  return Math.floor(Math.random() * most);
}
