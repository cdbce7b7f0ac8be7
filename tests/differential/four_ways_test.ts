/**
 * Over every Corefile of tests/compat with its table of questions, and every one that people may copy from a page: what the
 * chain says, what a memo repeats, what a data worker sends over UDP and the control isolate over TCP are the same octets. Each
 * question is asked without EDNS and with it, with ECS, a cookie, and several options.
 */

import assert from "node:assert/strict";
import { encodeClientSubnet, encodeCookie } from "../../core/dns/edns.ts";
import { encodeMessage, makeQuery } from "../../core/dns/message.ts";
import { formatName, parseName } from "../../core/dns/name.ts";
import { OPTION, TYPE } from "../../core/dns/types.ts";
import type { PoolNodes } from "../../core/fleet/hub.ts";
import { isCurrent } from "../../core/fleet/partition.ts";
import { parsePrefix } from "../../core/net/address.ts";
import type { BlockConfiguration } from "../../core/server/configure.ts";
import type { Server } from "../../core/server/server.ts";
import { readCases } from "../compat/cases.ts";
import { CompatServer } from "../compat/compat_server.ts";
import { FakeUpstream, replyWith } from "../plugins/forward/fake_upstream.ts";
import { type Asker, askerAt, FourWays, type Ways } from "../support/memo/four_ways.ts";
import { makeWorker, startServer } from "../support/server.ts";
import { addressAskedAt, allSnippets, tamed } from "../support/snippets.ts";
import { until } from "../support/until.ts";

const WORKERS = { workers: 1, makeWorker };

/** A question without a way to ask it yet. */
interface Question {
  readonly name: string;
  readonly type: number;
  readonly class?: number;
}

type Edns = NonNullable<NonNullable<Parameters<typeof makeQuery>[3]>["edns"]>;

const subnet = (text: string) => {
  const prefix = parsePrefix(text)!;
  return encodeClientSubnet({ address: prefix, sourcePrefixLength: prefix.length });
};

const COOKIE = encodeCookie(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));

const VARIANTS: readonly (Edns | undefined)[] = [
  undefined,
  {},
  { dnssecOk: true, payloadSize: 4096 },
  { payloadSize: 512 },
  { options: [subnet("198.51.100.0/24")] },
  // Two networks of one block of special use, so that the second is given what the first was.
  { options: [subnet("10.1.2.0/24")] },
  { options: [subnet("10.200.3.0/24")] },
  { options: [subnet("2001:db8::/56"), COOKIE] },
  { options: [subnet("0.0.0.0/0")] },
  { options: [{ code: OPTION.NSID, data: new Uint8Array() }, COOKIE, { code: 12, data: new Uint8Array(4) }] },
];

/**
 * How often a question is asked until it is said that the ways differ, and how long after the time before: a TTL may have been
 * counted down between two ways, or a verdict changed.
 */
const TRIES = 12, PAUSE_MS = 300;

/** In a block of more pools those get partitions that are asked for. */
const FEW_POOLS = 4;

/**
 * Until the partitions of all pools are made and say what the snapshot does: before that, each isolate finds scopes by itself and
 * may find a wider one than another.
 */
async function settled({ publisher }: Server): Promise<void> {
  const given: PoolNodes[] = [];
  publisher.onPools((pools) => given.splice(0, given.length, ...pools));
  const isSettled = ({ policy: { name }, block, nodes }: PoolNodes): boolean => {
    const { snapshot } = publisher, geography = snapshot.geographies[block];
    const mayLack = given.filter((one) => one.block === block).length > FEW_POOLS;
    return !geography || ([4, 6] as const).every((family) => {
      if (nodes.every(({ ipv4, ipv6 }) => (family === 4 ? ipv4 : ipv6) === undefined)) return true;
      const partition = snapshot.partitions[name]?.[family];
      return partition ? isCurrent(partition, snapshot, geography.epoch, Date.now()) : mayLack;
    });
  };
  await until("partitions", () => given.every(isSettled));
}

/** How many differences are told of a Corefile. */
const TOLD_MAX = 2;

/** What is never the same twice. */
const ERRATIC = /^\s*erratic\b/m;

/** Octets with TC, from the flags on as they stand without the ID. */
const isTruncated = (reply: string) => (parseInt(reply.slice(0, 2), 16) & 2) !== 0;

/** Counts, so that what was compared can be told, and whether that was all. */
const compared = { questions: 0, replies: 0, repeated: 0, corefiles: 0 };

async function compare(
  ways: FourWays,
  question: Question,
  asker: Asker,
  readsTransport: boolean,
): Promise<string[]> {
  const wrong: string[] = [];
  for (const edns of VARIANTS) {
    const query = encodeMessage(
      makeQuery(4711, parseName(question.name), question.type, {
        recursionDesired: true,
        ...question.class !== undefined && { class: question.class },
        ...edns && { edns },
      }),
    );
    let differences: string | undefined;
    for (let tries = 0; tries < TRIES; tries++) {
      differences = differencesOf(await ways.ask(query, asker), readsTransport);
      if (differences === undefined) break;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    compared.questions++;
    if (differences) wrong.push(`${question.name} ${question.type} ${JSON.stringify(edns)}\n${differences}`);
  }
  return wrong;
}

function differencesOf({ udp, tcp }: { udp: Ways; tcp: Ways }, readsTransport: boolean): string | undefined {
  for (const ways of [udp, tcp]) {
    const replies = Object.entries(ways);
    compared.replies += replies.length;
    if (new Set(replies.map(([, reply]) => reply)).size > 1) {
      return replies.map(([way, reply]) => `  ${way}: ${reply}`).join("\n");
    }
  }
  const isSame = readsTransport || tcp.chain === undefined || udp.chain === tcp.chain ||
    isTruncated(udp.chain!);
  return isSame ? undefined : `  over UDP: ${udp.chain}\n  over TCP: ${tcp.chain}`;
}

/** Corefiles in which a plugin looks at the port or the transport: the same four ways, but not over UDP as over TCP. */
const READS_TRANSPORT =
  /^\s*(whoami|rrl|local|loop)\b|proto\(\)|client_port|port\(\)|\.Client|force_tcp|prefer_udp/m;

const FOLDER = "tests/compat/corefiles";

const names = [...Deno.readDirSync(FOLDER)].flatMap(({ name }) => name.match(/^(.*)\.corefile$/)?.[1] ?? []);

for (const name of names.sort()) {
  Deno.test(`the Corefile ${name} is answered the same in all ways`, async () => {
    const file = `${FOLDER}/${name}.corefile`, text = Deno.readTextFileSync(file);
    await using server = await CompatServer.start(file, WORKERS);
    await settled(server.test.server);
    compared.corefiles++;
    const ways = new FourWays(server.test.server), wrong: string[] = [];
    const asked = readCases(Deno.readTextFileSync(`${FOLDER}/${name}.cases`)).flatMap(({ asked }) =>
      asked ?? []
    );
    for (const one of asked) {
      if (wrong.length >= TOLD_MAX) break;
      const asker = askerAt(one.from, one.from.includes(":") ? "::1" : "127.0.0.1", server.test.port);
      wrong.push(...await compare(ways, one, asker, READS_TRANSPORT.test(text)));
    }
    assert.equal(wrong.join("\n"), "");
    compared.repeated += ways.repeated;
  });
}

const snippets = allSnippets();

for (const snippet of snippets) {
  Deno.test(`the Corefile at ${snippet.place} is answered the same in all ways`, async (t) => {
    compared.corefiles++;
    if (ERRATIC.test(snippet.text)) return void await t.step({ name: "erratic", ignore: true, fn() {} });
    await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
    const folder = await Deno.makeTempDir();
    const test = await startServer(tamed(snippet, upstream.upstream.port, folder), WORKERS);
    try {
      await settled(test.server);
      const ways = new FourWays(test.server), wrong: string[] = [];
      for (const block of test.server.configuration.blocks) {
        const address = addressAskedAt(test.server, block);
        const port = block.endpoints[0]!.port;
        for (const question of questionsFor(block, snippet.text)) {
          if (wrong.length >= TOLD_MAX) break;
          const asker = askerAt("127.0.0.1", address, port);
          wrong.push(...await compare(ways, question, asker, READS_TRANSPORT.test(snippet.text)));
        }
      }
      assert.equal(wrong.join("\n"), "");
      compared.repeated += ways.repeated;
    } finally {
      await test.close();
      await Deno.remove(folder, { recursive: true });
    }
  });
}

/** Names that are there, that are likely to be and that are not, of some types. */
function questionsFor({ endpoints }: BlockConfiguration, text: string): Question[] {
  const zones = [...new Set(endpoints.map(({ zone }) => formatName(zone)))].slice(0, 3);
  const under = (zone: string) => (label: string) => `${label}${zone === "." ? "" : "."}${zone}`;
  const pools = [...text.matchAll(/^\s*anycast (\S+)/gm)].map(([, name]) => name!);
  const named = zones.flatMap((zone) => ["www", "absent", "a.static"].map(under(zone)));
  return [
    ...zones.flatMap((name) => [TYPE.SOA, TYPE.NS, TYPE.ANY].map((type) => ({ name, type }))),
    ...[...named, ...pools].flatMap((name) => [TYPE.A, TYPE.AAAA].map((type) => ({ name, type }))),
    ...named.slice(0, 1).map((name) => ({ name, type: TYPE.TXT })),
    { name: "version.bind", type: TYPE.TXT, class: 3 },
  ];
}

Deno.test("all that was compared is many replies, some of them repeated", async (t) => {
  const { questions, replies, repeated, corefiles } = compared;
  console.log(`${questions} questions, ${replies} replies, ${repeated} repeated by the memo`);
  const ignore = corefiles < names.length + snippets.length;
  await t.step({
    name: "of every Corefile",
    // Who asks for some of the tests asks for some of the replies.
    ignore,
    fn: () => assert.ok(questions > 1000 && replies > 5 * questions && repeated > questions / 4),
  });
});
