/**
 * What a flood of queries with forged sources draws from a server, and what it does to clients beside the victim:
 *
 *     deno task bench --abuse [--peers knot] [--seconds 5] [--rate 5000]
 *
 * Sources are addresses of 127.0.0.0/8, so nothing leaves this machine, and every reply can be counted.
 *
 * @module
 */

import { decodeMessage, encodeMessage, makeQuery } from "../../core/dns/message.ts";
import { parseName } from "../../core/dns/name.ts";
import { OPTION, TYPE } from "../../core/dns/types.ts";
import { formatTable } from "../../core/command/table.ts";
import { commandPath, ensurePackages } from "../packages.ts";
import { anywhereSocket, Batch, closeSocket } from "./libc.ts";
import type { Pin } from "./process.ts";
import { type Running, startIn } from "./server.ts";

/** What a run is. */
export interface AbuseRun {
  readonly seconds: number;
  /** Forged queries a second. */
  readonly rate: number;
  readonly withKnot: boolean;
}

/** What came of one flood on one server. */
export interface AbuseResult {
  readonly target: string;
  readonly flood: string;
  readonly queryOctets: number;
  readonly queries: number;
  readonly full: number;
  readonly truncated: number;
  /** Octets out by octets in, of the flood, and the most that the limits allow. */
  readonly amplification: number;
  readonly bound: number;
  /** Shares of the queries of a client with a cookie, and of one without, that were answered in full and truncated. */
  readonly withCookie: Answered;
  readonly without: Answered;
}

interface Answered {
  readonly full: number;
  readonly truncated: number;
}

/** Whom a flood names as its source. The bystanders are in the same /24. */
interface Flood {
  readonly name: string;
  /** The i-th source. */
  source(i: number): readonly [number, number, number, number];
  /** How many times an address's limit they may draw together. */
  readonly multiplier: number;
}

const FLOODS: readonly Flood[] = [
  { name: "one address", source: () => [127, 0, 7, 1], multiplier: 1 },
  { name: "a /24", source: (i) => [127, 0, 7, i % 192], multiplier: 32 },
  { name: "a /18", source: (i) => [127, 0, i * 7919 >> 8 & 63, i * 7919 & 127], multiplier: 768 },
];

const WITH_COOKIE = [127, 0, 7, 200], WITHOUT = [127, 0, 7, 201];

/** The limits of both servers. */
const RATE = 50, BURST = 125, REPLY_OCTETS_MAX = 1232;

/** Queries a second of each bystander. */
const BYSTANDER_RATE = 40;

const ZONE = "anycast.example", NAME = parseName(`long.${ZONE}`);

/** Runs every flood against every server. */
export async function measureAbuse(run: AbuseRun, pin: Pin): Promise<AbuseResult[]> {
  const results: AbuseResult[] = [];
  for (const start of [startLimited, ...run.withKnot ? [startLimitedKnot] : []]) {
    for (const flood of FLOODS) {
      // Started anew, so that no bucket is empty from the flood before.
      const target = await start(pin);
      try {
        results.push(await measureFlood(target, flood, run));
      } finally {
        await target.stop();
      }
    }
  }
  return results;
}

/** Results as a table. */
export function formatAbuse(results: readonly AbuseResult[]): string {
  const share = ({ full, truncated }: Answered) => `${percent(full)} + ${percent(truncated)} TC`;
  const headings = [
    "target",
    "flood from",
    "queries",
    "octets each",
    "full",
    "TC",
    "out / in",
    "at most",
    "cookie",
    "none",
  ];
  return formatTable(
    headings,
    results.map((result) => [
      ...[result.target, result.flood, result.queries, result.queryOctets, result.full, result.truncated].map(
        String,
      ),
      ...[result.amplification, result.bound].map((ratio) => ratio.toFixed(2)),
      ...[share(result.withCookie), share(result.without)],
    ]),
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

async function measureFlood(
  target: Running,
  flood: Flood,
  { seconds, rate }: AbuseRun,
): Promise<AbuseResult> {
  using forged = new Sender(target.port, queryOf(), flood.source);
  using known = new Sender(target.port, queryOf(new Uint8Array(8).fill(7)), () => WITH_COOKIE);
  using stranger = new Sender(target.port, queryOf(), () => WITHOUT);
  await learnCookie(known);
  const beginMs = performance.now(),
    all = [[forged, rate], [known, BYSTANDER_RATE], [stranger, BYSTANDER_RATE]] as const;
  for (let nowMs = beginMs; nowMs < beginMs + 1000 * seconds; nowMs = performance.now()) {
    for (const [sender, rate] of all) {
      sender.sendUpTo(Math.floor((nowMs - beginMs) * rate / 1000));
      sender.receive();
    }
  }
  const quietMs = performance.now() + 250;
  while (performance.now() < quietMs) for (const [sender] of all) sender.receive();
  const octetsIn = forged.sent * forged.queryOctets;
  const most = (BURST + RATE * seconds) * flood.multiplier;
  return {
    ...{ target: target.name, flood: flood.name, queryOctets: forged.queryOctets, queries: forged.sent },
    ...{ full: forged.full, truncated: forged.truncated },
    amplification: forged.receivedOctets / octetsIn,
    bound: 1 + Math.min(forged.sent, most) * (REPLY_OCTETS_MAX - forged.queryOctets) / octetsIn,
    withCookie: known.answered,
    without: stranger.answered,
  };
}

function queryOf(cookie?: Uint8Array): Uint8Array {
  const options = cookie ? [{ code: OPTION.COOKIE, data: cookie }] : [];
  return encodeMessage(makeQuery(0, NAME, TYPE.TXT, { edns: { options } }));
}

/** Asks until there is a cookie; from then on it is sent along. */
async function learnCookie(client: Sender): Promise<void> {
  for (let tries = 1; tries <= 50; tries++) {
    client.sendUpTo(tries);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const reply = client.receive();
    const cookie = reply &&
      decodeMessage(reply).edns?.options.find(({ code }) => code === OPTION.COOKIE)?.data;
    if (cookie?.length === 24) return client.begin(queryOf(cookie));
  }
  throw new Error("The server gives no cookies");
}

const BATCH = 32, SLOT_OCTETS = 1500;

/** Sends one query again and again from the sources it is told, and counts what comes back to any of them. */
class Sender implements Disposable {
  sent = 0;
  full = 0;
  truncated = 0;
  receivedOctets = 0;
  queryOctets = 0;
  readonly #socket = anywhereSocket();
  readonly #out = new Batch(BATCH, SLOT_OCTETS);
  readonly #in = new Batch(BATCH, SLOT_OCTETS);
  readonly #source: (i: number) => readonly number[];

  constructor(port: number, query: Uint8Array, source: (i: number) => readonly number[]) {
    this.#source = source;
    this.#out.addressFromAnywhere(port);
    this.begin(query);
  }

  /** Shares of what was sent. */
  get answered(): Answered {
    return { full: this.full / this.sent, truncated: this.truncated / this.sent };
  }

  /** Counts anew, and asks this. */
  begin(query: Uint8Array): void {
    this.sent =
      this.full =
      this.truncated =
      this.receivedOctets =
        0;
    this.queryOctets = query.length;
    this.#out.setLength(query.length);
    for (let i = 0; i < BATCH; i++) this.#out.octets.set(query, this.#out.slot(i));
  }

  /** Sends what is missing to a number, a batch at most. */
  sendUpTo(total: number): void {
    const count = Math.min(BATCH, total - this.sent);
    if (count <= 0) return;
    for (let i = 0; i < count; i++) {
      const id = this.sent + i, at = this.#out.slot(i);
      this.#out.octets[at] = id >> 8;
      this.#out.octets[at + 1] = id;
      this.#out.setSource(i, this.#source(id));
    }
    this.sent += this.#out.send(this.#socket, count);
  }

  /** Takes what has come. @returns The last of it. */
  receive(): Uint8Array | undefined {
    this.#in.setLength(SLOT_OCTETS);
    let last: Uint8Array | undefined;
    const count = this.#in.receive(this.#socket);
    for (let i = 0; i < count; i++) {
      const at = this.#in.slot(i), length = this.#in.lengthOf(i), octets = this.#in.octets;
      this.receivedOctets += length;
      if (octets[at + 2]! & 2) this.truncated++;
      else if ((octets[at + 3]! & 15) === 0 && (octets[at + 7]! > 0)) this.full++;
      last = octets.slice(at, at + length);
    }
    return last;
  }

  [Symbol.dispose](): void {
    closeSocket(this.#socket);
  }
}

/** The example's zone, with a name whose TXT records make a reply of some 1100 octets. */
async function writeZone(folder: string): Promise<void> {
  const zone = await Deno.readTextFile(new URL(`../../zones/${ZONE}.zone`, import.meta.url));
  const long = Array.from({ length: 5 }, (_, i) => `long 300 IN TXT "${String(i).repeat(200)}"\n`).join("");
  await Deno.writeTextFile(`${folder}/zone`, `${zone}\n${long}`);
}

/** Meridian with cookies and limits, and nothing else. */
function startLimited(pin: Pin): Promise<Running> {
  const main = new URL("../../main.ts", import.meta.url).pathname;
  return startIn("meridian", placeOf(pin), async (folder, port) => {
    await writeZone(folder);
    await Deno.writeTextFile(
      `${folder}/Corefile`,
      `{
    state off
    control off
}
${ZONE}:${port} {
    bind 127.0.0.1
    cookie
    rrl
    file zone
}
`,
    );
    const run = [Deno.execPath(), "run", "-A", "--no-check", main];
    return { command: [...run, "serve", "-quiet", "-conf", `${folder}/Corefile`] };
  });
}

/** Knot with its modules for both. Version 3.2 counts by /24, not by address. */
async function startLimitedKnot(pin: Pin): Promise<Running> {
  await ensurePackages(["knot"]);
  const program = await commandPath("knotd");
  return await startIn("knot", placeOf(pin), async (folder, port) => {
    await writeZone(folder);
    await Deno.writeTextFile(
      `${folder}/knot.conf`,
      `server:
  listen: 127.0.0.1@${port}
  rundir: ${folder}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: ${folder}/knot.sock
database:
  storage: ${folder}
mod-cookies:
- id: on
  badcookie-slip: 1
mod-rrl:
- id: on
  rate-limit: ${RATE}
  slip: 1
template:
- id: default
  global-module: [mod-cookies/on, mod-rrl/on]
zone:
- domain: ${ZONE}
  file: ${folder}/zone
  journal-content: none
  zonefile-sync: -1
`,
    );
    return { command: [program!, "-c", `${folder}/knot.conf`] };
  });
}

function placeOf(pin: Pin) {
  return { address: "127.0.0.1", processors: "0", pin, probe: `mail.${ZONE}` };
}
