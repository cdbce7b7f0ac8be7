/**
 * Asks servers the same two questions again and again: what they answer, and the digest of what they answer from. Remembers
 * what was different from before, and when.
 *
 * @module
 */

import { decodeMessage, encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { type Name, parseName } from "../../../core/dns/name.ts";
import { CLASS, TYPE } from "../../../core/dns/types.ts";

/** What a server said. */
export interface Said {
  /** Addresses in order, with spaces between. */
  readonly answer: string;
  readonly digest: string;
}

/** An instant at which something was different, milliseconds since 1970. */
export interface Turn {
  readonly atMs: number;
  readonly server: string;
  readonly said?: Said;
  /** Whether it sees the store from then on, as whoever cuts and heals knows. */
  readonly sees?: boolean;
}

/** How long between questions, and how long a reply is waited for. */
const EVERY_MS = 20, PATIENCE_MS = 10_000;

const QUESTIONS = [
  { name: parseName("entry.example.org"), type: TYPE.A, class: CLASS.IN },
  { name: parseName("digest.meridian"), type: TYPE.TXT, class: CLASS.CH },
];

/** Asks, and remembers. */
export class Watcher {
  /** In order of time. */
  readonly turns: Turn[] = [];
  readonly #asked = new Map<string, Asked>();
  readonly #last = new Map<string, Said>();
  /** How often somebody did not answer, by server. */
  readonly silences = new Map<string, number>();
  #isEnded = false;

  /** Begins to ask a server. */
  add(id: string, address: string): void {
    const asked = new Asked(address);
    this.#asked.set(id, asked);
    this.silences.set(id, 0);
    this.turns.push({ atMs: Date.now(), server: id, sees: true });
    void this.#run(id, asked);
  }

  stop(): void {
    this.#isEnded = true;
    for (const asked of this.#asked.values()) asked.close();
  }

  /** Whether a server sees the store from now on. */
  sees(server: string, sees: boolean): void {
    this.turns.push({ atMs: Date.now(), server, sees });
  }

  /** What a server said last. */
  last(id: string): Said | undefined {
    return this.#last.get(id);
  }

  /** Whether these said the same last, from equal digests. */
  agrees(ids: readonly string[]): boolean {
    return isAgreed(this.#last, ids);
  }

  /** What one said from an instant on, each once until it said something else. */
  answersSince(id: string, fromMs: number): string[] {
    const said = this.turns.flatMap(({ atMs, server, said }) =>
      server === id && said ? [{ atMs, answer: said.answer }] : []
    );
    const before = said.findLast(({ atMs }) => atMs < fromMs);
    const all = [...before ? [before] : [], ...said.filter(({ atMs }) => atMs >= fromMs)];
    return all.map(({ answer }) => answer).filter((answer, i, all) => answer !== all[i - 1]);
  }

  /** When a server first said this, of all the times since an instant; undefined = never. */
  firstMs(id: string, fromMs: number, holds: (said: Said) => boolean): number | undefined {
    return this.turns.find(({ atMs, server, said }) =>
      server === id && atMs >= fromMs && said !== undefined && holds(said)
    )?.atMs;
  }

  async #run(id: string, asked: Asked): Promise<void> {
    for (let isServing = false; !this.#isEnded;) {
      const said = await asked.ask();
      if (this.#isEnded) return;
      const before = this.#last.get(id);
      if (!said) { if (isServing) this.silences.set(id, this.silences.get(id)! + 1); }
      else if (said.answer !== before?.answer || said.digest !== before.digest) {
        this.#last.set(id, said);
        this.turns.push({ atMs: Date.now(), server: id, said });
      }
      isServing ||= said !== undefined;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }
}

function isAgreed(last: ReadonlyMap<string, Said>, ids: Iterable<string>): boolean {
  const all = new Set<string>();
  for (const id of ids) {
    const said = last.get(id);
    all.add(said ? `${said.answer} from ${said.digest}` : id);
  }
  return all.size <= 1;
}

/** A time in which servers that all saw the store did not say the same. */
export interface Disagreement {
  readonly fromMs: number;
  readonly ms: number;
}

/** All such times from an instant on, the longest first. */
export function disagreements(turns: readonly Turn[], fromMs: number, untilMs: number): Disagreement[] {
  const last = new Map<string, Said>(), seeing = new Set<string>(), found: Disagreement[] = [];
  let sinceMs: number | undefined;
  const end = (atMs: number) => {
    if (sinceMs !== undefined) found.push({ fromMs: sinceMs, ms: atMs - sinceMs });
    sinceMs = undefined;
  };
  for (const { atMs, server, said, sees } of turns) {
    if (said) last.set(server, said);
    if (sees === true) seeing.add(server);
    if (sees === false) seeing.delete(server);
    if (atMs < fromMs || isAgreed(last, seeing)) end(atMs);
    else sinceMs ??= atMs;
  }
  end(untilMs);
  return found.sort((a, b) => b.ms - a.ms);
}

/** One server, by a socket of its own. */
class Asked {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  readonly #address: string;
  readonly #waiting = new Map<number, (octets: Uint8Array | undefined) => void>();
  #id = 0;

  constructor(address: string) {
    this.#address = address;
    void this.#receive();
  }

  /** Undefined where it does not answer, or cannot. */
  async ask(): Promise<Said | undefined> {
    const [answer, digest] = await Promise.all(QUESTIONS.map((question) => this.#one(question)));
    if (!answer || !digest?.[0]) return undefined;
    return {
      answer: answer.map((rdata) => rdata.join(".")).toSorted().join(" "),
      digest: new TextDecoder().decode(digest[0].subarray(1)),
    };
  }

  close(): void {
    this.#socket.close();
    for (const take of [...this.#waiting.values()]) take(undefined);
  }

  async #one(question: { name: Name; type: number; class: number }): Promise<Uint8Array[] | undefined> {
    const id = this.#id = this.#id + 1 & 0xffff;
    const query = encodeMessage(
      makeQuery(id, question.name, question.type, { class: question.class, edns: {} }),
    );
    const octets = await new Promise<Uint8Array | undefined>((resolve) => {
      const take = (octets: Uint8Array | undefined) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(octets);
      };
      const timer = setTimeout(() => take(undefined), PATIENCE_MS);
      this.#waiting.set(id, take);
      const to = { transport: "udp", hostname: this.#address, port: 53 } as const;
      this.#socket.send(query, to).catch(() => take(undefined));
    });
    if (!octets) return undefined;
    const { rcode, answer } = decodeMessage(octets);
    return rcode === 0 ? answer.map(({ rdata }) => rdata) : undefined;
  }

  async #receive(): Promise<void> {
    for await (const [octets] of this.#socket) {
      this.#waiting.get(octets[0]! << 8 | octets[1]!)?.(octets);
    }
  }
}
