/** chaos: tells version, authors, host and a digest of the fleet's state to who asks in class CH (RFC 4892). Syntax: README.md. @module */

import { VERSION } from "../../core/command/version.ts";
import { CLASS, RCODE, TYPE } from "../../core/dns/types.ts";
import { digestTeller } from "../../core/fleet/digest.ts";
import {
  type Answer,
  Arguments,
  type Directive,
  emptyAnswer,
  type Name,
  onlyOne,
  parseName,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
} from "../../core/plugin.ts";

/** What is told; each at most 255 octets, as a character-string is. */
export interface ChaosConfig {
  readonly version: string;
  readonly authors: readonly string[];
}

const TEXT_OCTETS_MAX = 255;

/** What is asked for. */
type What = "version" | "authors" | "host" | "digest";

const NAMES: Readonly<Record<string, What>> = {
  "version.bind.": "version",
  "version.server.": "version",
  "authors.bind.": "authors",
  "hostname.bind.": "host",
  "id.server.": "host",
  "digest.meridian.": "digest",
};

const byName = new Map<Name, What>(
  Object.entries(NAMES).map(([name, what]) => [parseName(name), what]),
);

/** Reads `chaos [VERSION] [AUTHORS...]`. */
function parse(directives: readonly Directive[], { problems }: ParseScope): ChaosConfig {
  const directive = onlyOne(directives, problems);
  readOptions(directive, {}, problems);
  const words = new Arguments(directive).rest();
  for (const word of words) {
    const { length } = encode(word.text);
    if (length > TEXT_OCTETS_MAX) {
      problems.error(word, `chaos: a text must have at most ${TEXT_OCTETS_MAX} octets: got ${length}`);
    }
  }
  const [version, ...authors] = words.map(({ text }) => text);
  return { version: version ?? `Meridian-${VERSION}`, authors: [...new Set(authors)].sort() };
}

/** TXT records of class CH, the authors beginning with another one each time; undefined for what is not asked here. */
export function answerChaos(
  { question, name, messageId, snapshot, nowMs }: QueryContext,
  { version, authors }: ChaosConfig,
  host: string,
  digestOf = digestTeller(),
): Answer | undefined {
  const what = byName.get(name);
  if (question.class !== CLASS.CH || question.type !== TYPE.TXT || !what) return undefined;
  const first = messageId % Math.max(1, authors.length);
  const texts = {
    version: [version],
    authors: [...authors.slice(first), ...authors.slice(0, first)],
    host: [host],
    digest: what === "digest" ? [digestOf(snapshot, nowMs)] : [],
  };
  const rdata = texts[what].map(textRdata);
  const answer = rdata.length > 0 ? [{ name: question.name, type: TYPE.TXT, ttl: 0, rdata }] : [];
  return emptyAnswer(RCODE.NOERROR, { authoritative: true, answer });
}

/** One character-string (RFC 1035 section 3.3.14). */
function textRdata(text: string): Uint8Array {
  const octets = encode(text).subarray(0, TEXT_OCTETS_MAX);
  return Uint8Array.of(octets.length, ...octets);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export default {
  name: "chaos",
  usage: "chaos [VERSION] [AUTHORS...]",
  options: {},
  everyClass: true,
  // Replies in class CH never are: they name the authors in turn. Of class IN it leaves everything as it is.
  repeats: "absence",
  parse,
  start: (_, scope) => scope.publish(Deno.hostname()),
  answerer: (config, scope) => {
    const digestOf = digestTeller();
    return {
      name: "chaos",
      answer(context, next) {
        const told = scope.published(context.snapshot), host = typeof told === "string" ? told : "localhost";
        return answerChaos(context, config, host, digestOf) ?? next(context);
      },
    };
  },
} satisfies PluginModule<ChaosConfig>;
