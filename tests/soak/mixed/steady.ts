/**
 * The larger part of a mixed load: some kinds of query, each at a rate that does not depend on what comes back, in windows of
 * some seconds. Programs in C send them, which take little of a processor and measure from when each query was due.
 *
 * @module
 */

import { encodeClientSubnet } from "../../../core/dns/edns.ts";
import { encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import { parseAddress } from "../../../core/net/address.ts";
import { nameOf, POOL_NAME, type SteadyFigures, upstreamNameOf, type Window, ZONE } from "./world.ts";

interface Kind {
  readonly octets: Uint8Array;
  /** `KIND:AT:LENGTH:COUNT`, what differs between queries. */
  readonly variation: string;
  readonly rcode: number;
  readonly answers: number;
  /** Of the whole rate. */
  readonly share: number;
}

/** Behind the header and the octet that says how long a label is. */
const LABEL_AT = 13;

const LETTERS = 12;

/** How long an answer may take: what is late counts as that, what does not come is lost. */
const PATIENCE_MS = 10_000;

const KINDS: Readonly<Record<string, Kind>> = {
  geo: { ...poolQuery(), rcode: RCODE.NOERROR, answers: 1, share: 0.35 },
  static: {
    octets: encode(nameOf(0)),
    variation: `number:${LABEL_AT + 1}:4:4096`,
    ...{ rcode: RCODE.NOERROR, answers: 1, share: 0.25 },
  },
  nxdomain: { ...lettersBelow(ZONE), rcode: RCODE.NXDOMAIN, answers: 0, share: 0.2 },
  wildcard: { ...lettersBelow(`wild.${ZONE}`), rcode: RCODE.NOERROR, answers: 1, share: 0.1 },
  forward: {
    octets: encode(upstreamNameOf(0)),
    variation: `number:${LABEL_AT + 1}:3:1000`,
    ...{ rcode: RCODE.NOERROR, answers: 1, share: 0.1 },
  },
};

/** With ECS; it is the last option, and its address the last octets. */
function poolQuery() {
  const address = parseAddress("192.0.2.0")!;
  const octets = encode(POOL_NAME, [encodeClientSubnet({ address, sourcePrefixLength: 24 })]);
  return { octets, variation: `network4:${octets.length - 3}:3:0` };
}

function lettersBelow(name: string) {
  return { octets: encode(`${"x".repeat(LETTERS)}.${name}`), variation: `letters:${LABEL_AT}:${LETTERS}:0` };
}

function encode(name: string, options: ReturnType<typeof encodeClientSubnet>[] = []): Uint8Array {
  return encodeMessage(makeQuery(0, parseName(name), TYPE.A, { edns: { options } }));
}

/** One window: all kinds at once. `program` is native/datagrams.c. */
export async function runWindow(
  program: string,
  port: number,
  rate: number,
  seconds: number,
  atSeconds: number,
): Promise<Window> {
  const figures = await Promise.all(
    Object.entries(KINDS).map(async ([name, kind], i) =>
      [name, await load(program, port, kind, rate, seconds, 1 + i + 16 * Math.round(atSeconds))] as const
    ),
  );
  return { atSeconds, kinds: Object.fromEntries(figures) };
}

async function load(
  program: string,
  port: number,
  { octets, variation, rcode, answers, share }: Kind,
  rate: number,
  seconds: number,
  seed: number,
): Promise<SteadyFigures> {
  const options = {
    ...{ p: port, l: seconds, R: rate * share, s: 16, q: octets.toHex() },
    ...{ v: `${variation}:`, x: `${rcode}:${answers}`, i: seed, t: PATIENCE_MS },
  };
  const args = ["-z", ...Object.entries(options).flatMap(([name, value]) => [`-${name}`, String(value)])];
  const { success, stdout } = await new Deno.Command(program, { args, stderr: "inherit" }).output();
  if (!success) throw new Error(`${program} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
