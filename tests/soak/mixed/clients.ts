/**
 * The part of a mixed load that looks at every answer: datagrams with and without ECS and cookies, connections with many
 * queries at a time and connections that are mostly idle; and the nodes that answers are about, which go and come back. A
 * process of its own, told what to do by its argument (`ClientsPlan`); it says `ready`, asks until its standard input ends,
 * and prints a `ClientsReport`.
 *
 * @module
 */

import { encodeClientSubnet, encodeCookie, findOption } from "../../../core/dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery, type Message } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { OPTION, RCODE, TYPE } from "../../../core/dns/types.ts";
import { parsePrefix } from "../../../core/net/address.ts";
import { Clients, framed, mangled, pick } from "../hostile/clients.ts";
import { NodeListeners } from "./node_listeners.ts";
import {
  addressOf,
  ANSWERS,
  type ClientsPlan,
  type ClientsReport,
  type KindReport,
  LARGE_NAME,
  LARGE_OCTETS,
  nameOf,
  NAMES,
  NODES,
  POOL_NAME,
  subnetsAt,
  UPSTREAM_NAMES,
  upstreamAddressOf,
  upstreamNameOf,
  WILD_ADDRESS,
  ZONE,
} from "./world.ts";

/** How long an answer may take: what is late counts in the latencies of the steady load, what does not come is lost. */
const PATIENCE_MS = 30_000;

/**
 * The server closes a connection that brought nothing for 10 s (`TcpLimits.idleMs`); one that was sent a query so long after the
 * one before may have been closed while it was under way. A second less, as the server may be late in reading what has come.
 */
const MAY_CLOSE_MS = 10_000 - 1000;

const SOCKETS = 8, TICK_MS = 5, PIPELINES = 3, PIPELINED = 20, IDLE_CONNECTIONS = 20, IDLE_MS = 15_000;

/** How many of one sort are told: a flood of those that were lost must hide none that was wrong. */
const TOLD_MAX = 10;

/** A question, and what is wrong with a reply to it, if anything. */
interface Question {
  readonly kind: string;
  readonly message: Message;
  judge(reply: Message): string | undefined;
}

interface Options {
  readonly type?: keyof typeof TYPE;
  readonly options?: NonNullable<Message["edns"]>["options"];
}

const whole = (count: number) => Math.floor(Math.random() * count);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function question(
  kind: string,
  name: string,
  judge: Question["judge"],
  { type = "A", options = [] }: Options = {},
): Question {
  return { kind, message: makeQuery(0, parseName(name), TYPE[type], { edns: { options } }), judge };
}

const addressesOf = ({ answer }: Message) =>
  answer.filter(({ type }) => type === TYPE.A).map(({ rdata }) => rdata.join("."));

/** That there is one address, this one. */
const isJust = (address: string) => (reply: Message) =>
  reply.rcode === RCODE.NOERROR && addressesOf(reply).join() === address
    ? undefined
    : `RCODE ${reply.rcode}, ${addressesOf(reply).join() || "no address"}, wanted ${address}`;

/** Makes questions whose answers are known. */
class Questions {
  readonly #nodes: NodeListeners;
  /** What cookie clients have: a client cookie, and a server cookie once they were given one. */
  readonly #cookies = Array.from({ length: 16 }, () => crypto.getRandomValues(new Uint8Array(8)));

  constructor(nodes: NodeListeners) {
    this.#nodes = nodes;
  }

  next(): Question {
    const number = whole(NAMES), known = whole(UPSTREAM_NAMES);
    return pick([
      () => question("static", nameOf(number), isJust(addressOf(number))),
      () => question("wildcard", `x${Math.random()}.wild.${ZONE}`, isJust(WILD_ADDRESS)),
      () => question("absent", `x${Math.random()}.${ZONE}`, judgeAbsence),
      () => question("forward", upstreamNameOf(known), isJust(upstreamAddressOf(known))),
      () => this.#pool(),
      () => this.#pool(),
      () => this.#withCookie(number),
    ])();
  }

  /** What does not fit into a datagram that is taken without EDNS: only the beginning comes over UDP. */
  large(): Question {
    const judge = ({ answer }: Message) => {
      const octets = answer.reduce((sum, { rdata }) => sum + rdata.length, 0);
      return octets > LARGE_OCTETS ? undefined : `${octets} octets of RDATA`;
    };
    return question("large", LARGE_NAME, judge, { type: "TXT" });
  }

  #pool(): Question {
    const node = whole(NODES.length), prefix = parsePrefix(pick(subnetsAt(node)))!;
    const option = encodeClientSubnet({ address: prefix, sourcePrefixLength: prefix.length });
    const judge = (reply: Message) => {
      const echoed = reply.edns && findOption(reply.edns.options, OPTION.CLIENT_SUBNET);
      if (reply.rcode !== RCODE.NOERROR) return `RCODE ${reply.rcode}`;
      if (echoed?.data[2] !== prefix.length) return "its client subnet is not the query's";
      return this.#nodes.judge(node, addressesOf(reply), ANSWERS);
    };
    return question("pool", POOL_NAME, judge, { options: [option] });
  }

  #withCookie(number: number): Question {
    const i = whole(this.#cookies.length), cookie = this.#cookies[i]!;
    const judge = (reply: Message) => {
      const given = reply.edns && findOption(reply.edns.options, OPTION.COOKIE)?.data;
      const isOurs = given?.length === 24 && cookie.subarray(0, 8).every((octet, at) => octet === given[at]);
      if (!isOurs) return `COOKIE ${given?.toHex() ?? "missing"}, asked with ${cookie.toHex()}`;
      this.#cookies[i] = Math.random() < 0.01 ? crypto.getRandomValues(new Uint8Array(8)) : given.slice();
      return isJust(addressOf(number))(reply);
    };
    return question("cookie", nameOf(number), judge, { options: [encodeCookie(cookie)] });
  }
}

function judgeAbsence({ rcode, authority }: Message): string | undefined {
  return rcode === RCODE.NXDOMAIN && authority[0]?.type === TYPE.SOA ? undefined : `RCODE ${rcode}`;
}

/** Counts, and keeps what was wrong. */
class Counts {
  readonly kinds: Record<string, KindReport> = {};
  readonly samples: string[] = [];
  readonly #told = new Map<string, number>();

  of(kind: string): KindReport {
    return this.kinds[kind] ??= { asked: 0, answered: 0, wrong: 0, lost: 0, closed: 0 };
  }

  answered(kind: string, { message, judge }: Question, octets: Uint8Array): void {
    const counts = this.of(kind);
    counts.answered++;
    const reply = decodeMessage(octets);
    const isFor = reply.isResponse && reply.questions[0]?.name === message.questions[0]!.name;
    const why = isFor ? judge(reply) : "it is for another question";
    if (why === undefined) return;
    counts.wrong++;
    this.note(`${kind}: ${why}`, `${kind} wrong`);
  }

  lost(kind: string, count: number, why: string): void {
    this.of(kind).lost += count;
    this.note(`${kind}: ${count} lost, ${why}`, `${kind} lost`);
  }

  note(what: string, sort = what): void {
    const told = (this.#told.get(sort) ?? 0) + 1;
    this.#told.set(sort, told);
    if (told <= TOLD_MAX) this.samples.push(`${new Date().toISOString()} ${what}`);
  }
}

/** A port to ask from. */
class Source {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #to: Deno.NetAddr;
  readonly #counts: Counts;
  readonly #pending = new Map<number, { readonly question: Question; readonly sentMs: number }>();
  #lastId = whole(65536);

  constructor(port: number, counts: Counts) {
    [this.#to, this.#counts] = [{ transport: "udp", hostname: "127.0.0.1", port }, counts];
    this.#receive();
  }

  ask(question: Question): void {
    const id = this.#lastId = (this.#lastId + 1) & 0xffff;
    this.#counts.of(question.kind).asked++;
    this.#pending.set(id, { question, sentMs: Date.now() });
    this.#socket.send(encodeMessage({ ...question.message, id }), this.#to).catch(() => {});
  }

  /** Gives up what has waited for too long. */
  sweep(): void {
    const nowMs = Date.now();
    for (const [id, { question: { kind }, sentMs }] of this.#pending) {
      if (nowMs < sentMs + PATIENCE_MS) return;
      this.#pending.delete(id);
      this.#counts.lost(kind, 1, `sent ${new Date(sentMs).toISOString()}`);
    }
  }

  async #receive(): Promise<void> {
    const buffer = new Uint8Array(4096);
    for (;;) {
      const [octets] = await this.#socket.receive(buffer);
      const id = octets[0]! << 8 | octets[1]!, pending = this.#pending.get(id);
      if (!pending) {
        this.#counts.note("a reply to what was not asked, or answered before");
        continue;
      }
      this.#pending.delete(id);
      this.#counts.answered(pending.question.kind, pending.question, octets);
    }
  }
}

/** Connections of one client. */
class Streams {
  readonly #port: number;
  readonly #questions: Questions;
  readonly #counts: Counts;
  isStopped = false;

  constructor(port: number, questions: Questions, counts: Counts) {
    [this.#port, this.#questions, this.#counts] = [port, questions, counts];
  }

  /** Many queries in one write, whose replies come in any order; then a new connection. */
  async pipeline(): Promise<void> {
    while (!this.isStopped) {
      await this.#onConnection("pipelined", async (stream) => {
        const asked = Array.from({ length: PIPELINED - 1 }, () => this.#questions.next());
        await stream.ask([...asked, this.#questions.large()]);
      });
      await pause(200);
    }
  }

  /** A query now and then, until the server closes the connection. */
  async idle(): Promise<void> {
    while (!this.isStopped) {
      await this.#onConnection("idle", async (stream) => {
        while (!this.isStopped && await stream.ask([this.#questions.next()])) await pause(whole(IDLE_MS));
      });
    }
  }

  async #onConnection(kind: string, use: (stream: Stream) => Promise<void>): Promise<void> {
    let connection: Deno.TcpConn | undefined;
    try {
      connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
      await use(new Stream(connection, kind, this.#counts));
    } catch (error) {
      this.#counts.lost(kind, connection ? 0 : 1, String(error));
    } finally {
      try {
        connection?.close();
      } catch { /* given up already */ }
    }
  }
}

class Stream {
  readonly #connection: Deno.TcpConn;
  readonly #kind: string;
  readonly #counts: Counts;
  /** When it was sent something last. */
  #askedMs: number | undefined;

  constructor(connection: Deno.TcpConn, kind: string, counts: Counts) {
    [this.#connection, this.#kind, this.#counts] = [connection, kind, counts];
  }

  /** Asks all of them at once and reads the replies. False = the server had closed the connection. */
  async ask(questions: readonly Question[]): Promise<boolean> {
    const counts = this.#counts.of(this.#kind), waiting = new Map(questions.entries());
    const nowMs = performance.now(), wasIdle = nowMs - (this.#askedMs ?? nowMs) >= MAY_CLOSE_MS;
    this.#askedMs = nowMs;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#connection.close();
    }, PATIENCE_MS);
    const queries = questions.map(({ message }, id) => framed(encodeMessage({ ...message, id })));
    let why = "the connection ended";
    try {
      await this.#connection.write(Uint8Array.from(queries.flatMap((query) => [...query])));
      for await (const octets of messages(this.#connection)) {
        const id = octets[0]! << 8 | octets[1]!, question = waiting.get(id);
        if (!question) this.#counts.note("a reply to what was not asked over this connection");
        else this.#counts.answered(this.#kind, question, octets);
        waiting.delete(id);
        if (waiting.size === 0) break;
      }
    } catch (error) {
      why = String(error);
    }
    clearTimeout(timer);
    // It may close what is idle just when a query comes; who has such a connection asks again over another. What is closed
    // sooner, or by us as nothing came, is lost: so `closed` needs no bound of its own.
    const wasClosed = wasIdle && !isLate && waiting.size === questions.length;
    if (wasClosed) counts.closed++;
    else counts.asked += questions.length;
    if (!wasClosed && waiting.size > 0) this.#counts.lost(this.#kind, waiting.size, why);
    return waiting.size === 0;
  }
}

/** The messages of a connection, each without its length. */
async function* messages(connection: Deno.TcpConn): AsyncGenerator<Uint8Array> {
  let held = new Uint8Array(0);
  const buffer = new Uint8Array(16_384);
  for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
    held = new Uint8Array([...held, ...buffer.subarray(0, count)]);
    while (held.length >= 2 && held.length >= 2 + (held[0]! << 8 | held[1]!)) {
      const end = 2 + (held[0]! << 8 | held[1]!);
      yield held.subarray(2, end);
      held = held.slice(end);
    }
  }
}

/** Few of them: what is sent badly costs more to send than to refuse. */
function startHostile(port: number, questions: Questions): Clients {
  const query = () => encodeMessage({ ...questions.next().message, id: whole(65536) });
  const clients = new Clients(port, query);
  for (let i = 0; i < 4; i++) clients.datagrams(`127.2.0.${1 + i}`, () => mangled(query()), 100, 4);
  for (const use of ["polite", "greedy", "dripping", "noise", "broken"] as const) {
    clients.connections(clients[use], 500);
  }
  return clients;
}

async function run({ port, nodePort, rate, flipMs }: ClientsPlan): Promise<void> {
  const nodes = new NodeListeners(nodePort), questions = new Questions(nodes), counts = new Counts();
  console.log("ready");
  const input = Deno.stdin.readable.getReader();
  // The server is there once something is said.
  await input.read();
  const flipping = setInterval(() => nodes.flip(), flipMs);
  const sources = Array.from({ length: SOCKETS }, () => new Source(port, counts));
  const hostile = startHostile(port, questions);
  const streams = new Streams(port, questions, counts);
  for (let i = 0; i < PIPELINES; i++) streams.pipeline();
  for (let i = 0; i < IDLE_CONNECTIONS; i++) streams.idle();
  const beganMs = performance.now();
  let sent = 0;
  const asking = setInterval(() => {
    const due = (performance.now() - beganMs) * rate / 1000;
    for (; sent < due; sent++) sources[sent % SOCKETS]!.ask(questions.next());
  }, TICK_MS);
  const sweeping = setInterval(() => sources.forEach((source) => source.sweep()), 500);
  await input.read();
  for (const timer of [asking, flipping]) clearInterval(timer);
  streams.isStopped = true;
  hostile.stop();
  await pause(PATIENCE_MS + 1000);
  clearInterval(sweeping);
  const report: ClientsReport = {
    ...{ kinds: counts.kinds, samples: counts.samples },
    ...{ flips: nodes.flips, exact: nodes.exact, hostile: hostile.tally },
  };
  console.log(JSON.stringify(report));
  Deno.exit(0);
}

if (import.meta.main) await run(JSON.parse(Deno.args[0]!));
