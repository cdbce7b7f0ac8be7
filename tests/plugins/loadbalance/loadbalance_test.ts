import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import {
  type Answer,
  emptyAnswer,
  formatName,
  parseAddress,
  parseName,
  Problems,
  type QueryContext,
  type RRset,
} from "../../../core/plugin.ts";
import loadbalance, { balance, type LoadbalanceConfig } from "../../../plugins/loadbalance/mod.ts";
import { parseWeights } from "../../../plugins/loadbalance/weights.ts";
import { startBlock, zoneFile } from "../../support/block.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

const NAME = parseName("www.example.org");

function addresses(...texts: string[]): RRset {
  const rdata = texts.map((text) => parseAddress(text)!.octets);
  return { name: NAME, type: rdata[0]!.length === 4 ? 1 : 28, ttl: 60, rdata };
}

const answerOf = (...answer: RRset[]): Answer => emptyAnswer(0, { answer });
const shown = (answer: Answer) =>
  answer.answer.map(({ rdata }) => rdata.map((octets) => octets.at(-1)).join(""));

const ROUND: LoadbalanceConfig = { prefer: [], pools: false };
const from = (address: string, more: Partial<QueryContext> = {}) =>
  contextOf({ source: { address: parseAddress(address)!, port: 1 }, ...more });

Deno.test("round_robin begins with another record for each ID, and goes round", () => {
  const answer = answerOf(addresses("192.0.2.1", "192.0.2.2", "192.0.2.3"));
  const orders = [0, 1, 2, 3, 65535].map((messageId) =>
    shown(balance(answer, contextOf({ messageId }), ROUND, undefined))[0]
  );
  assert.deepEqual(orders, ["123", "231", "312", "123", "123"]);
});

Deno.test("loadbalance leaves alone what it is not for", () => {
  const context = contextOf({ messageId: 1 });
  const rrset = addresses("192.0.2.1", "192.0.2.2");
  const untouched = [
    answerOf({ ...rrset, pool: "p" }),
    { ...answerOf(rrset), rcode: 3 },
    answerOf({ ...rrset, type: 16 }),
    answerOf(addresses("192.0.2.1")),
  ];
  for (const answer of untouched) assert.deepEqual(balance(answer, context, ROUND, undefined), answer);
  const told = balance(untouched[0]!, context, { ...ROUND, pools: true }, undefined);
  assert.deepEqual(shown(told), ["21"]);
});

Deno.test("loadbalance puts aliases before addresses", () => {
  const alias = { name: NAME, type: 5, ttl: 60, rdata: [new Uint8Array(1)] };
  const mail = { name: NAME, type: 15, ttl: 60, rdata: [Uint8Array.of(0, 1, 0)] };
  const answer = balance(answerOf(mail, addresses("192.0.2.1"), alias), contextOf(), ROUND, undefined);
  assert.deepEqual(answer.answer.map(({ type }) => type), [5, 15, 1]);
});

Deno.test("prefer puts networks first, in their order, and keeps the rest", () => {
  const config = loadbalance.parse(
    directivesOf("loadbalance {\n prefer 10.9.20.0/24 192.168.1.77/24\n prefer 2001:db8::/32\n}"),
    parseScopeOf(),
  );
  const answer = answerOf(
    addresses("192.0.2.1", "192.168.1.2", "10.9.20.3", "192.0.2.4", "10.9.20.5"),
    addresses("2001:dead::1", "2001:db8::2"),
  );
  assert.deepEqual(shown(balance(answer, contextOf({ messageId: 0 }), config, undefined)), ["35214", "21"]);
});

const WEIGHTS = parseWeights(
  "www.Example.org\n192.0.2.1 3\n192.0.2.3 2\n# 192.0.2.3 9\n\n192.0.2.2 1\n",
  "w",
  new Problems(),
);

Deno.test("weighted gives each address its share of client networks, in every place", () => {
  const answer = answerOf(addresses("192.0.2.1", "192.0.2.2", "192.0.2.3"));
  const firsts: Record<string, number> = {}, secondsBehind1: Record<string, number> = {};
  for (let i = 0; i < 6000; i++) {
    const order = shown(balance(answer, from(`10.${i >> 8}.${i & 255}.9`), ROUND, WEIGHTS))[0]!;
    firsts[order[0]!] = (firsts[order[0]!] ?? 0) + 1;
    if (order[0] === "1") secondsBehind1[order[1]!] = (secondsBehind1[order[1]!] ?? 0) + 1;
  }
  const near = (count: number | undefined, wanted: number) =>
    assert(Math.abs(count! - wanted) < 150, `${count} ${wanted}`);
  near(firsts["1"], 3000);
  near(firsts["2"], 1000);
  near(firsts["3"], 2000);
  // Behind the first, the others share by their own weights.
  near(secondsBehind1["3"], 2000);
  near(secondsBehind1["2"], 1000);
});

Deno.test("weighted keeps a network's order, whatever the ID and the host, and says what it depends on", () => {
  const answer = answerOf(addresses("192.0.2.1", "192.0.2.2", "192.0.2.3"));
  const first = balance(answer, from("198.51.100.7", { messageId: 1 }), ROUND, WEIGHTS);
  const second = balance(answer, from("198.51.100.99", { messageId: 2 }), ROUND, WEIGHTS);
  assert.deepEqual(shown(first), shown(second));
  assert.deepEqual([first.dependence.scopePrefixLength, first.dependence.keys], [24, ["tailored"]]);
  // The others keep their order when one goes.
  const order = shown(first)[0]!;
  for (const gone of ["1", "2", "3"]) {
    const left = addresses(...["192.0.2.1", "192.0.2.2", "192.0.2.3"].filter((text) => !text.endsWith(gone)));
    const without = balance(answerOf(left), from("198.51.100.7"), ROUND, WEIGHTS);
    assert.equal(shown(without)[0], order.replace(gone, ""));
  }
  const text = contextOf({ question: { name: NAME, type: 16, class: 1 } });
  assert.deepEqual(balance(answer, text, ROUND, WEIGHTS).dependence.keys, []);
});

Deno.test("parseWeights() says what is wrong and where", () => {
  const problems = new Problems();
  const weights = parseWeights(
    "192.0.2.1 1\nwww.example.org\n192.0.2.1 0\n192.0.2.1 256\n192.0.2.1 x\n  192.0.2 1\n192.0.2.1\na..b\nx y z\n",
    "w",
    problems,
  );
  assert.deepEqual([...weights.keys()].map(formatName), ["www.example.org."]);
  assert.deepEqual(problems.errors.map(({ at, message }) => `${formatPosition(at)} ${message}`), [
    "w:1:1 found '192.0.2.1': wanted a name before the first address",
    "w:3:11 found '0': wanted a weight from 1 to 255",
    "w:4:11 found '256': wanted a weight from 1 to 255",
    "w:5:11 found 'x': wanted a weight from 1 to 255",
    "w:6:3 found '192.0.2': wanted an IP address",
    "w:7:1 found the address '192.0.2.1' alone: wanted its weight behind it",
    'w:8:1 Cannot read name "a..b": it has an empty label',
    "w:9:5 found 'z': wanted a name alone, or an address and its weight",
  ]);
});

Deno.test("loadbalance refuses what CoreDNS refuses, with the place", () => {
  const table: [text: string, message: string][] = [
    ["loadbalance random", "2:13 loadbalance: the policy must be round_robin or weighted: got 'random'"],
    [
      "loadbalance weighted",
      "2:13 Wrong argument count or unexpected line ending after 'weighted': loadbalance wants WEIGHTFILE",
    ],
    ["loadbalance round_robin x", "2:25 Wrong argument count or unexpected line ending after 'x'"],
    [
      "loadbalance {\n prefer 192.0.2.0\n}",
      "3:9 prefer: CIDR must be a network such as 192.0.2.0/24: got '192.0.2.0'",
    ],
    ["loadbalance {\n reload 5s\n}", "2:1 loadbalance: reload is for weighted alone"],
    [
      "loadbalance weighted /nonexistent {\n reload 0s\n}",
      "2:22 loadbalance: cannot read the weights in '/nonexistent': there is no such file",
    ],
    ["loadbalance\nloadbalance", "3:1 loadbalance: stands twice in this server block: want it once"],
  ];
  for (const [text, message] of table) {
    const scope = parseScopeOf({ problems: new Problems() });
    scope.problems.attempt(() => loadbalance.parse(directivesOf(text), scope));
    const [error] = scope.problems.errors;
    const found = error && `${formatPosition(error.at)} ${error.message}`.replace("Corefile:", "");
    assert(found?.startsWith(message), `${found}\nwanted ${message}`);
  }
  const scope = parseScopeOf({ problems: new Problems() });
  loadbalance.parse(directivesOf("loadbalance weighted /nonexistent"), scope);
  assert.match(scope.problems.warnings[0]!.message, /there is no such file; every weight is 1/);
});

Deno.test("weights are taken again when their file changes, and kept when it cannot be used", async () => {
  const zone = zoneFile("@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nwww 60 A 192.0.2.1\nwww 60 A 192.0.2.2\n");
  const weights = Deno.makeTempFileSync();
  const write = (text: string) => {
    Deno.writeTextFileSync(weights, text);
    Deno.utimeSync(weights, written, written++);
  };
  let written = 1_000_000_000;
  write("www.example.org\n192.0.2.1 255\n192.0.2.2 1\n");
  const block = await startBlock(`example.org:1053 {
  loadbalance weighted ${weights} {
    reload 10s
  }
  file ${zone}
}
`);
  // How many of 100 networks get 192.0.2.1 first.
  const share = async () => {
    let count = 0;
    for (let i = 0; i < 100; i++) {
      const [, first] = await block.ask("www.example.org", "A", { source: `10.0.${i}.1` });
      if (first!.endsWith("192.0.2.1")) count++;
    }
    return count;
  };
  const wait = () => block.virtual.advanceTo(block.virtual.clock.nowMs() + 10_000);
  assert(await share() > 90);
  write("www.example.org\n192.0.2.1 1\n192.0.2.2 255\n");
  await wait();
  assert(await share() < 10);
  write("www.example.org\n192.0.2.1 1000\n");
  await wait();
  assert(await share() < 10);
  assert.match(
    block.virtual.logged.join(),
    /:2:11: found '1000': wanted a weight from 1 to 255: the weights before stay/,
  );
  await block.close();
  [zone, weights].forEach((path) => Deno.removeSync(path));
});
