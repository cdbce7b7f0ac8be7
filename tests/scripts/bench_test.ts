import assert from "node:assert/strict";
import { readOptions } from "../../scripts/bench.ts";
import { boundSocket, closeSocket } from "../../scripts/bench/libc.ts";
import { type Against, paceLoad, pushLoad } from "../../scripts/bench/load.ts";
import { undisturbed } from "../../scripts/bench/measure.ts";
import { parseBusySeconds, parseStat, type Pin } from "../../scripts/bench/process.ts";
import {
  EXPECTED,
  type Expected,
  EXPECTED_OF_ECHO,
  type LoadName,
  LOADS,
  makeQueries,
} from "../../scripts/bench/queries.ts";
import { formatResults, limitOf, type Measurement, resultsOf } from "../../scripts/bench/report.ts";
import { percentile, summarize } from "../../scripts/bench/statistics.ts";
import { startEcho } from "../../scripts/bench/targets.ts";
import { decodeClientSubnet, findOption } from "../../core/dns/edns.ts";
import { decodeMessage, type Message } from "../../core/dns/message.ts";
import { formatName } from "../../core/dns/name.ts";
import { OPTION } from "../../core/dns/types.ts";
import { formatAddress } from "../../core/net/address.ts";
import { freePort } from "../support/server.ts";

Deno.test("summarize() takes the middle of an odd number of values, and between the middle two of an even one", () => {
  assert.deepEqual(summarize([9, 1, 5]), { median: 5, min: 1, max: 9 });
  assert.deepEqual(summarize([4, 1, 2, 10]), { median: 3, min: 1, max: 10 });
  assert.throws(() => summarize([]), RangeError);
});

Deno.test("percentile() gives the least value that the share does not exceed", () => {
  const values = Array.from({ length: 200 }, (_, i) => i + 1);
  assert.equal(percentile(values, 0.5), 100);
  assert.equal(percentile(values, 0.99), 198);
  assert.equal(percentile(values, 1), 200);
  assert.equal(percentile([1, 2, 3], 0.5), 2);
  assert.equal(percentile([7], 0.01), 7);
});

Deno.test("parseStat() reads parent and processor time behind a command with parentheses and blanks", () => {
  const line = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 150 25 900 900 20 0 1 0 5 6 7";
  assert.deepEqual(parseStat(line), { parent: 7, cpuSeconds: 1.75 });
});

Deno.test("parseBusySeconds() leaves out idle time, waiting and guests", () => {
  assert.equal(parseBusySeconds("cpu  100 20 300 90000 5000 7 8 65 11 2"), 5);
});

Deno.test("makeQueries() asks for the static name, always the same, with the message ID given", () => {
  const [one, other] = queriesOf("static", 2);
  assert.deepEqual([one!.id, other!.id], [0xff00, 0xff01]);
  assert.equal(nameOf(one!), "mail.anycast.example.");
  assert.equal(nameOf(other!), "mail.anycast.example.");
  assert.ok(one!.edns);
});

Deno.test("makeQueries() asks for the pool's name from networks that all differ", () => {
  const networks = queriesOf("geo", 500).map((query) => {
    assert.equal(nameOf(query), "entry.anycast.example.");
    const subnet = decodeClientSubnet(findOption(query.edns!.options, OPTION.CLIENT_SUBNET)!.data)!;
    return `${formatAddress(subnet.address)}/${subnet.sourcePrefixLength}`;
  });
  assert.ok(new Set(networks).size > 490, `${new Set(networks).size} distinct networks`);
  assert.ok(new Set(networks.map((network) => network.split(".")[0])).size > 150);
  assert.ok(
    networks.every((network) => /^([1-9]|[1-9]\d|1\d\d|2[01]\d|22[0-3])\.\d+\.\d+\.0\/24$/.test(network)),
  );
});

Deno.test("makeQueries() asks for names that all differ, one label below the zone", () => {
  const names = queriesOf("nxdomain", 500).map(nameOf);
  assert.equal(new Set(names).size, 500);
  assert.ok(names.every((name) => /^[a-z]{12}\.anycast\.example\.$/.test(name)), names[0]!);
});

Deno.test("makeQueries() asks the same for the same seed, and something else for another", () => {
  const [first] = queriesOf("nxdomain", 1, 5), [again] = queriesOf("nxdomain", 1, 5);
  const [other] = queriesOf("nxdomain", 1, 6);
  assert.deepEqual(first, again);
  assert.notDeepEqual(first, other);
});

Deno.test("the load generator, against an echo", async (t) => {
  const echo = await startEcho(UNPINNED);
  try {
    for (const load of LOADS) {
      await t.step(`pushLoad() has every query of ${load} answered`, () => {
        const figures = pushLoad(against(echo.port, load, EXPECTED_OF_ECHO), 0.2, 16);
        assert.ok(figures.answered > 16, `${figures.answered} answered`);
        assert.equal(figures.sent, figures.answered);
        assert.equal(figures.wrong, 0);
      });
    }
    await t.step("paceLoad() sends as many as the rate says and takes the time of each", () => {
      const figures = paceLoad(against(echo.port, "geo", EXPECTED_OF_ECHO), 0.2, 500);
      assert.equal(figures.sent, 100);
      assert.equal(figures.answered, 100);
      assert.ok(figures.p50Us > 0 && figures.p50Us <= figures.p99Us, JSON.stringify(figures));
    });
    await t.step("counts replies that are not as expected", () => {
      for (const load of ["static", "nxdomain"] as const) {
        const figures = paceLoad(against(echo.port, load, EXPECTED[load]), 0.05, 200);
        assert.equal(figures.wrong, figures.answered);
        assert.ok(figures.wrong > 0);
      }
    });
  } finally {
    await echo.stop();
  }
});

Deno.test("pushLoad() counts queries that nobody answers as lost, and goes on", () => {
  const port = freePort(), silent = boundSocket(port);
  try {
    const figures = pushLoad(against(port, "static", EXPECTED.static), 0.6, 16);
    assert.equal(figures.answered, 0);
    assert.ok(figures.sent > 16, `given up and sent again: ${figures.sent}`);
  } finally {
    closeSocket(silent);
  }
});

Deno.test("resultsOf() takes rounds together, and formatResults() sets Meridian against the rest", () => {
  const results = resultsOf([
    measurement({ target: "nsd", answersPerSecond: 100_000, cpuUsPerAnswer: 5, lost: 10 }),
    measurement({ target: "meridian", answersPerSecond: 20_000, cpuUsPerAnswer: 40 }),
    measurement({ target: "nsd", answersPerSecond: 80_000, cpuUsPerAnswer: 6 }),
    measurement({ target: "meridian", answersPerSecond: 25_000, cpuUsPerAnswer: 48 }),
  ]);
  assert.deepEqual(results.map(({ target, rounds }) => `${target} ${rounds}`), ["nsd 2", "meridian 2"]);
  assert.deepEqual(results[0]!.answersPerSecond, { median: 90_000, min: 80_000, max: 100_000 });
  assert.equal(results[0]!.lostShare, 0.005);
  const [, nsd, meridian] = formatResults(results).split("\n").map((line) => line.split(/ {2,}/));
  assert.deepEqual(nsd!.slice(0, 8), [
    "static",
    "nsd",
    "90,000",
    "80,000–100,000",
    "0.25×",
    "5.5",
    "5.0–6.0",
    "8.00×",
  ]);
  assert.equal(meridian!.includes("1.00×"), false);
});

Deno.test("undisturbed() measures again while others disturb, and keeps what they disturbed least", async () => {
  const others = [0.9, 0.4, 0.6, 0.1, 0.9, 0.5, 0.6];
  const take = () => Promise.resolve(measurement({ othersCpu: others.shift()! }));
  assert.equal((await undisturbed(5, take)).othersCpu, 0.1);
  assert.equal((await undisturbed(2, take)).othersCpu, 0.5);
  assert.deepEqual(others, []);
});

Deno.test("limitOf() names who was busy", () => {
  assert.equal(limitOf(0.99, 0.99), "both");
  assert.equal(limitOf(0.99, 0.8), "server");
  assert.equal(limitOf(0.5, 0.95), "generator");
  assert.equal(limitOf(0.5, 0.5), "neither");
});

Deno.test("readOptions() says what is wrong", () => {
  assert.throws(
    () => readOptions(["--peers", "nsd,bind"]),
    /--peers must name some of nsd, knot, gdnsd: got bind/,
  );
  assert.throws(() => readOptions(["--rounds", "0"]), /--rounds must be a number, at least 1: got 0/);
  assert.throws(() => readOptions(["--fast"]), /--fast/);
  assert.deepEqual(readOptions(["--quick", "--peers", "nsd"]).peers, ["nsd"]);
});

Deno.test("the benchmark measures each load, prints a table and appends a line", async () => {
  const out = await Deno.makeTempFile();
  try {
    const script = new URL("../../scripts/bench.ts", import.meta.url).pathname;
    const args = ["run", "-A", "--no-check", script, "--rounds", "1", "--seconds", "0.1", "--out", out];
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const table = new TextDecoder().decode(stdout);
    assert.ok(success, new TextDecoder().decode(stderr));
    for (const load of LOADS) assert.match(table, new RegExp(`^${load} +meridian +[1-9]`, "m"));
    assert.doesNotMatch(table, /wrong/);
    const [line, rest] = (await Deno.readTextFile(out)).split("\n");
    assert.equal(rest, "");
    const { machine, parameters, results } = JSON.parse(line!);
    assert.equal(machine.deno, Deno.version.deno);
    assert.equal(parameters.rounds, 1);
    assert.deepEqual(
      results.map(({ load, target }: { load: string; target: string }) => `${load} ${target}`),
      ["static meridian", "static echo", "geo meridian", "nxdomain meridian"],
    );
  } finally {
    await Deno.remove(out);
  }
});

const UNPINNED: Pin = (_, command) => [...command];

function against(port: number, load: LoadName, expected: Expected): Against {
  return { port, expected, queries: makeQueries(load, 1), sockets: 2 };
}

function queriesOf(load: LoadName, count: number, seed = 1): Message[] {
  const queries = makeQueries(load, seed), octets = new Uint8Array(8 + queries.length);
  return Array.from({ length: count }, (_, i) => {
    queries.write(octets, 8, 0xff00 + i & 0xffff);
    return decodeMessage(octets.slice(8));
  });
}

function nameOf({ questions }: Message): string {
  return formatName(questions[0]!.name);
}

function measurement(changes: Partial<Measurement>): Measurement {
  return {
    target: "meridian",
    load: "static",
    answersPerSecond: 1,
    cpuUsPerAnswer: 1,
    targetCpu: 1,
    generatorCpu: 0.5,
    othersCpu: 0.1,
    p50Us: 50,
    p99Us: 99,
    sent: 1000,
    lost: 0,
    wrong: 0,
    residentMiB: 100,
    ...changes,
  };
}
