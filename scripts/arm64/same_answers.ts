/**
 * Two servers of one configuration, one on this machine and one on the emulated arm64, each with data workers, held against
 * each other octet by octet: the same queries, each of them twice, so that the second reply is the memo's.
 *
 * @module
 */

import { encodeClientSubnet } from "../../core/dns/edns.ts";
import { encodeMessage, makeQuery } from "../../core/dns/message.ts";
import { parseName } from "../../core/dns/name.ts";
import { TYPE } from "../../core/dns/types.ts";
import { type Address, formatAddress, parseAddress } from "../../core/net/address.ts";
import type { Machine } from "./machine.ts";

/** What came of it. */
export interface Comparison {
  readonly isSame: boolean;
  /** For people. */
  readonly text: string;
}

const ROOT = new URL("../../", import.meta.url).pathname;

const QUERIES = 400;

/** A server of this machine and one of that, on one address each. */
const HERE = { port: 1053, metrics: 9153 }, THERE = { port: 1054, metrics: 9154 };

/** Every kind of answer that the example's zone has, from the whole of the address space. */
const NAMES = ["entry", "www", "api", "lab", "nothing.here", "any.static", "robots.static", ""];

const corefileOf = ({ port, metrics }: typeof HERE) =>
  `{
  state off
  control off
  workers 2
}
anycast.example:${port} {
  bind 127.0.0.1 ::1
  prometheus 127.0.0.1:${metrics}
  geo {
    networks networks.yaml
  }
  anycast entry.anycast.example {
    nodes nodes.yaml
    select role=entry
    answers 2
    unknown nearest 50.11 8.68
  }
  file zones/anycast.example.zone
}
`;

/** Starts both, asks them, and ends them. */
export async function compareServers({ runtime, cache }: Machine): Promise<Comparison> {
  await using _here = await start(Deno.execPath(), HERE, {});
  await using _there = await start(runtime, THERE, { DENO_DIR: cache });
  const differences = await differencesOf([...queries()]);
  const workers = await metric(THERE, "meridian_workers"),
    hits = await metric(THERE, "meridian_memo_hits_total");
  const isSame = differences.length === 0 && workers === 2 && hits > QUERIES / 4;
  const text =
    `${QUERIES} queries, each twice, to ${workers} data workers on arm64: ${hits} said again from the memo, ${
      differences.length === 0 ? "every reply as on this machine" : `${differences.length} replies differ`
    }`;
  return { isSame, text: [text, ...differences.slice(0, 10)].join("\n") };
}

/**
 * Just after its start a server's scopes may be longer than they need be, and the emulated one is long about making them the
 * least: what differs is asked again until it does not, for some minutes.
 */
async function differencesOf(asked: readonly Query[]): Promise<string[]> {
  for (let givenUpMs = Infinity;;) {
    const different: Query[] = [], texts: string[] = [];
    for (const query of asked) {
      const here = await replies(HERE, query), there = await replies(THERE, query);
      if (`${here}` === `${there}`) continue;
      different.push(query);
      texts.push(`${query.text}:\n    here ${here}\n    there ${there}`);
    }
    if (different.length === 0 || Date.now() > givenUpMs) return texts;
    asked = different;
    givenUpMs = Math.min(givenUpMs, Date.now() + SETTLING_MS_MAX);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

async function replies({ port }: typeof HERE, { transport, address, octets }: Query): Promise<string[]> {
  const replies: string[] = [];
  for (let time = 0; time < 2; time++) replies.push((await ask(transport, address, port, octets)).toHex());
  return replies;
}

async function start(deno: string, place: typeof HERE, env: Record<string, string>) {
  const corefile = `${await Deno.makeTempDir()}/Corefile`;
  await Deno.writeTextFile(corefile, corefileOf(place));
  for (const file of ["nodes.yaml", "networks.yaml", "zones"]) {
    await Deno.symlink(ROOT + file, corefile.replace("Corefile", file));
  }
  // With the permissions that a server has, so that the C library is one that it may call.
  const child = new Deno.Command(deno, {
    args: [
      "run",
      "-P=serve",
      "--no-check",
      "--cached-only",
      "--no-lock",
      "main.ts",
      "serve",
      "-conf",
      corefile,
    ],
    cwd: ROOT,
    env,
  }).spawn();
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const { code } = await child.status;
      await Deno.remove(corefile.replace("/Corefile", ""), { recursive: true });
      if (code !== 0) throw new Error(`${deno} ended with ${code}`);
    },
  };
}

interface Query {
  readonly text: string;
  readonly octets: Uint8Array<ArrayBuffer>;
  readonly transport: "udp" | "tcp";
  readonly address: string;
}

/** The same in every run. */
function* queries(): Generator<Query> {
  let state = 1;
  const random = (below: number) =>
    Math.floor((state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32 * below);
  const pick = <T>(all: readonly T[]) => all[random(all.length)]!;
  for (let id = 0; id < QUERIES; id++) {
    const label = random(2) ? "entry" : pick(NAMES);
    const name = label ? `${label}.anycast.example` : "anycast.example",
      type = pick(["A", "AAAA", "TXT", "SOA"] as const);
    const subnet = random(8) ? subnetOf(random) : undefined;
    const options = subnet ? [encodeClientSubnet(subnet)] : [];
    const message = makeQuery(id, parseName(name), TYPE[type], { edns: { options } });
    const transport = random(8) ? "udp" : "tcp", address = pick(["127.0.0.1", "::1"]);
    const from = subnet ? `${formatAddress(subnet.address)}/${subnet.sourcePrefixLength}` : "nowhere";
    const text = `${name} ${type} from ${from}, ${transport} ${address}`;
    yield { text, octets: encodeMessage(message).slice(), transport, address };
  }
}

function subnetOf(random: (below: number) => number): { address: Address; sourcePrefixLength: number } {
  if (random(2)) {
    const address = parseAddress(`${1 + random(223)}.${random(256)}.${random(256)}.0`)!;
    return { address, sourcePrefixLength: 24 };
  }
  const groups = [0x2000 + random(0x1000), random(0x10000), random(0x10000)].map((group) =>
    group.toString(16)
  );
  return { address: parseAddress(`${groups.join(":")}::`)!, sourcePrefixLength: 48 };
}

const SETTLING_MS_MAX = 600_000;

/** An emulated server takes long to start, and to say its first words. */
const PATIENCE_MS = 180_000, TRY_MS = 3000;

/** Asks until there is a reply. @throws {Error} When there is none for a long time. */
async function ask(
  transport: "udp" | "tcp",
  hostname: string,
  port: number,
  query: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array> {
  const givenUpMs = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await (transport === "udp" ? askUdp : askTcp)(hostname, port, query);
    } catch (cause) {
      if (Date.now() > givenUpMs) throw new Error(`no reply from ${hostname} port ${port}`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function askUdp(hostname: string, port: number, query: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const timer = setTimeout(() => socket.close(), TRY_MS);
  try {
    await socket.send(query, { transport: "udp", hostname, port });
    const [octets] = await socket.receive();
    socket.close();
    return octets;
  } finally {
    clearTimeout(timer);
  }
}

async function askTcp(hostname: string, port: number, query: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  using connection = await Deno.connect({ hostname, port });
  const framed = new Uint8Array(2 + query.length);
  new DataView(framed.buffer).setUint16(0, query.length);
  framed.set(query, 2);
  await connection.write(framed);
  const octets = new Uint8Array(4096);
  for (let at = 0;;) {
    const read = await connection.read(octets.subarray(at));
    if (read === null) throw new Error("the connection was closed");
    at += read;
    if (at >= 2 && at >= 2 + (octets[0]! << 8 | octets[1]!)) return octets.slice(2, at);
  }
}

async function metric({ metrics }: typeof HERE, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1]);
}
