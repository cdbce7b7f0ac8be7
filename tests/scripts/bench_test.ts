import assert from "node:assert/strict";
import { readOptions } from "../../scripts/bench.ts";
import { MmdbData, mmdbFile, MmdbTree } from "../../scripts/bench/mmdb_file.ts";
import { FALLBACK, nearestSite, nodesYaml, SITES, zoneFile } from "../../scripts/bench/fleet.ts";
import { type Against, paceLoad, pushLoad } from "../../scripts/bench/generator.ts";
import { boundSocket, closeSocket } from "../../scripts/bench/libc.ts";
import type { Figures, Measured } from "../../scripts/bench/load.ts";
import { nativeProgram } from "../../scripts/bench/native.ts";
import { cpuNsOf, parseBusySeconds, parseStat, type Pin } from "../../scripts/bench/process.ts";
import {
  type Query,
  QUERY_KINDS,
  type QueryKind,
  queryOf,
  queryWriter,
} from "../../scripts/bench/queries.ts";
import { formatRows, markdownRows, tally } from "../../scripts/bench/report.ts";
import { startServer } from "../../scripts/bench/server.ts";
import { echo } from "../../scripts/bench/servers/echo.ts";
import {
  binOf,
  type Bins,
  binsPercentile,
  latencyOf,
  medianOf,
  percentile,
  ratioOf,
  summarize,
} from "../../scripts/bench/statistics.ts";
import { loadRows, reaches, staysBelow } from "../../scripts/bench/verdicts.ts";
import { type LoadWorkload, WORKLOADS } from "../../scripts/bench/workloads.ts";
import { NO_CITY_DATA } from "../../scripts/bench/city_database.ts";
import { decodeClientSubnet, findOption } from "../../core/dns/edns.ts";
import { decodeMessage, type Message } from "../../core/dns/message.ts";
import { formatName } from "../../core/dns/name.ts";
import { OPTION } from "../../core/dns/types.ts";
import { formatAddress } from "../../core/net/address.ts";
import { NOWHERE, openMmdb, placeOf, walkNetworks } from "../../plugins/geo/mmdb.ts";
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
  assert.equal(percentile([7], 0.01), 7);
});

Deno.test("ratioOf() gives a sure ratio a narrow interval, and a doubtful one a wide one that holds it", () => {
  const ten = Array.from({ length: 15 }, () => 10);
  assert.deepEqual(ratioOf(ten, ten.map(() => 5), medianOf), { ratio: 2, low: 2, high: 2 });
  const noisy = ten.map((value, i) => value * (1 + (i * 7 % 15 - 7) / 20));
  const { ratio, low, high } = ratioOf(noisy, ten, medianOf);
  assert.ok(low < ratio && ratio < high && high - low > 0.1, `${low} ${ratio} ${high}`);
});

Deno.test("ratioOf() draws the rounds of both together: what disturbs both does not widen it", () => {
  const disturbed = [10, 30, 11, 29, 12, 28, 13, 27, 14, 26, 15, 25, 16, 24, 17];
  const { low, high } = ratioOf(disturbed.map((value) => 2 * value), disturbed, medianOf);
  assert.deepEqual([low, high], [2, 2]);
});

Deno.test("binOf() and latencyOf() agree within 1.6 %, and take a latency of any length", () => {
  for (const ns of [1, 63, 64, 65, 1000, 66_000, 1_573_000, 4_456_789, 2e9]) {
    const bin = latencyOf(binOf(ns));
    assert.ok(bin <= ns && bin >= ns * 0.984, `${ns} is in ${bin}`);
  }
});

Deno.test("binsPercentile() takes rounds together", () => {
  const fast = [[binOf(100), 98]] as const, slow = [[binOf(5000), 2]] as const;
  assert.equal(binsPercentile([fast, slow], 0.5), latencyOf(binOf(100)));
  assert.equal(binsPercentile([fast, slow], 0.99), latencyOf(binOf(5000)));
  assert.ok(Number.isNaN(binsPercentile([], 0.5)));
});

Deno.test("parseStat() reads parent and processor time behind a command with parentheses and blanks", () => {
  const line = "42 (a) b (c) S 7 42 42 0 -1 4194304 1 2 3 4 150 25 900 900 20 0 1 0 5 6 7";
  assert.deepEqual(parseStat(line), { parent: 7, cpuSeconds: 1.75 });
});

Deno.test("parseBusySeconds() leaves out idle time, waiting and guests", () => {
  assert.equal(parseBusySeconds("cpu  100 20 300 90000 5000 7 8 65 11 2"), 5);
});

Deno.test("cpuNsOf() grows by what a process works", () => {
  const before = cpuNsOf(Deno.pid);
  for (let i = 0, until = performance.now() + 30; performance.now() < until; i++) Math.sqrt(i);
  assert.ok(cpuNsOf(Deno.pid) > before);
});

Deno.test("the fleet has fifty nodes, none twice, and the nearest to a place is known", () => {
  assert.equal(SITES.length, 50);
  assert.equal(new Set(SITES.map(({ address }) => address)).size, 50);
  assert.equal(nearestSite({ latitude: 52.5, longitude: 13.4 }).id, "cph");
  assert.equal(nearestSite(FALLBACK), FALLBACK);
  assert.equal(nodesYaml().match(/- \{ id:/g)?.length, 50);
  assert.equal(zoneFile().match(/^w\d{3} IN A 192\.0\.2\.\d+$/gm)?.length, 500);
});

Deno.test("queries ask for one of the names, with the message ID given", () => {
  const queries = queriesOf("name", 500), names = new Set(queries.map(nameOf));
  assert.deepEqual(queries.slice(0, 2).map(({ id }) => id), [0xff00, 0xff01]);
  assert.ok(names.size > 250, `${names.size} names`);
  for (const name of names) assert.match(name, /^w[0-4]\d\d\.bench\.example\.$/);
  assert.ok(queries.every(({ edns, recursionDesired }) => edns && !recursionDesired));
  assert.ok(queriesOf("recursive", 5).every(({ recursionDesired }) => recursionDesired));
  assert.ok(queriesOf("unheard", 5).every(({ recursionDesired }) => recursionDesired));
});

Deno.test("queries for the pool's name come from networks that all differ", () => {
  const networks = queriesOf("pool4", 500).map(networkOf);
  assert.ok(new Set(networks).size > 490, `${new Set(networks).size} distinct networks`);
  assert.ok(new Set(networks.map((network) => network.split(".")[0])).size > 150);
  for (const network of networks) {
    assert.match(network, /^([1-9]|[1-9]\d|1\d\d|2[01]\d|22[0-3])\.\d+\.\d+\.0\/24$/);
  }
});

Deno.test("queries over IPv6 come from the /56 of networks that are given, or within them", () => {
  const given = new Uint8Array(34);
  given.set([0x20, 0x01, 0x0d, 0xb8, 0, 7], 0);
  given[16] = 48;
  given.set([0x20, 0x01, 0x0d, 0xb9], 17);
  given[33] = 32;
  const networks = queriesOf("pool6", 300, 1, given).map(networkOf);
  for (const network of networks) {
    assert.match(network, /^2001:db(8:7:[0-9a-f]+00|9:.*):?:\/56$|^2001:db8:7::\/56$/);
  }
  assert.ok(networks.some((network) => network.startsWith("2001:db8:7:")));
  assert.ok(new Set(networks.filter((network) => network.startsWith("2001:db9"))).size > 100);
});

Deno.test("queries for names that are not there all differ, one label below the zone", () => {
  const names = queriesOf("absent", 500).map(nameOf);
  assert.equal(new Set(names).size, 500);
  for (const name of names) assert.match(name, /^[a-z]{12}\.bench\.example\.$/);
});

Deno.test("queries are the same for the same seed, and others for another", () => {
  assert.deepEqual(queriesOf("absent", 1, 5), queriesOf("absent", 1, 5));
  assert.notDeepEqual(queriesOf("absent", 1, 5), queriesOf("absent", 1, 6));
});

Deno.test("a database that the benchmark writes is read as it was meant", () => {
  const data = new MmdbData(), tree4 = new MmdbTree();
  const berlin = data.place("DE", 52.5, 13.4), paris = data.place("FR", 48.86, 2.35);
  assert.equal(data.place("DE", 52.5, 13.4), berlin);
  // 0.0.0.0/2 and 64.0.0.0/2 are alike, and become one; 128.0.0.0/1 is nowhere.
  tree4.append(2, berlin);
  tree4.append(2, berlin);
  tree4.append(1, 0);
  const tree = new MmdbTree(tree4);
  tree.appendAround(3, tree4.root, 96);
  tree.append(3, paris);
  tree.append(2, 0);
  tree.append(1, paris);
  const mmdb = openMmdb(mmdbFile(tree, data, "Test-City"));
  const seen: [number, string][] = [];
  const note = (length: number, record: number) =>
    void seen.push([length, record === NOWHERE ? "" : placeOf(mmdb, record).country]);
  walkNetworks(mmdb, 4, note);
  assert.deepEqual(seen.splice(0), [[1, "DE"], [1, ""]]);
  walkNetworks(mmdb, 6, note);
  assert.deepEqual(seen.filter(([, country]) => country !== ""), [[3, "FR"], [1, "FR"]]);
  assert.equal(mmdb.metadata.databaseType, "Test-City");
});

Deno.test("a tree whose leaves do not cover the space is not written", () => {
  const tree = new MmdbTree();
  tree.append(1, 0);
  assert.throws(() => tree.root, /do not cover/);
});

Deno.test("the generator in TypeScript and the one in C, against the echo", async (t) => {
  if (await nativeProgram("echo") === undefined) return console.warn("left out: no C compiler");
  const place = { address: "127.0.0.1", threads: 1, isGeographic: false, processors: "0" } as const;
  await using server = await startServer(echo, { ...place, city: NO_CITY_DATA, pin: UNPINNED });
  for (const kind of QUERY_KINDS.filter((kind) => kind !== "pool6")) {
    await t.step(`pushLoad() has every query of ${kind} answered`, () => {
      const figures = pushed(against(server.port, expectNothing(queryOf(kind))), 0.1);
      assert.ok(figures.answered > WINDOW, `${figures.answered} answered`);
      assert.equal(figures.sent, figures.answered);
      assert.equal(figures.wrong, 0);
    });
  }
  await t.step("paceLoad() sends as many as the rate says and takes the time of each", () => {
    const figures = paceLoad(against(server.port, queryOf("pool4")), 0.2, 500);
    assert.deepEqual([figures.sent, figures.answered, figures.wrong], [100, 100, 0]);
    assert.equal(figures.bins.reduce((sum, [, count]) => sum + count, 0), 100);
  });
  await t.step("counts replies that are not as expected", () => {
    const figures = paceLoad(against(server.port, queryOf("absent")), 0.05, 200);
    assert.ok(figures.wrong > 0 && figures.wrong === figures.answered);
  });
  for (const program of ["typescript", "c"] as const) {
    await t.step(`${program}: takes the same arguments and says the same figures`, async () => {
      const { octets, varies } = queryOf("name");
      const script = new URL("../../scripts/bench/generator.ts", import.meta.url).pathname;
      const [command, ...first] = program === "c"
        ? [(await nativeProgram("datagrams"))!]
        : [Deno.execPath(), "run", "-A", "--no-check", script];
      const variation = [varies.kind, varies.at, varies.length, varies.count, ""].join(":");
      const args = [
        ...[...first, "-a", "127.0.0.1", "-p", String(server.port), "-l", "0.1", "-s", "2", "-i", "1"],
        ...["-t", `${PATIENCE_MS}`, "-R", "500", "-q", octets.toHex(), "-v", variation, "-x", "0:1"],
      ];
      const { stdout } = await new Deno.Command(command!, { args }).output();
      const figures = JSON.parse(new TextDecoder().decode(stdout));
      assert.deepEqual(Object.keys(figures), ["seconds", "sent", "answered", "wrong", "bins"]);
      assert.deepEqual([figures.sent, figures.answered, figures.wrong], [50, 50, 0]);
      if (program === "typescript") return;
      const stamped = JSON.parse(
        new TextDecoder().decode(
          (await new Deno.Command(command!, { args: [...args, "-k"] }).output()).stdout,
        ),
      );
      const sum = (bins: Bins) => bins.reduce((sum, [, count]) => sum + count, 0);
      assert.deepEqual([sum(stamped.bins), sum(stamped.serverBins)], [50, 50]);
      const p50 = (bins: Bins) => binsPercentile([bins], 0.5);
      assert.ok(p50(stamped.serverBins) > 0 && p50(stamped.serverBins) <= p50(stamped.bins), "a part of it");
    });
  }
});

Deno.test("pushLoad() counts queries that nobody answers as lost, and goes on", () => {
  const port = freePort(), silent = boundSocket(port);
  try {
    const figures = pushed({ ...against(port, queryOf("name")), patienceMs: 250 }, 0.6);
    assert.equal(figures.answered, 0);
    assert.ok(figures.sent > WINDOW, `given up and sent again: ${figures.sent}`);
  } finally {
    closeSocket(silent);
  }
});

Deno.test("a floor holds when the interval's lower end reaches 95 % of it, a bound when the upper one does", () => {
  assert.equal(reaches({ ratio: 1.2, low: 0.951, high: 1.4 }, 1), "pass");
  assert.equal(reaches({ ratio: 1.2, low: 0.949, high: 1.4 }, 1), "FAIL");
  assert.equal(staysBelow({ ratio: 1, low: 0.9, high: 1.2 }, 1.15), "pass");
  assert.equal(staysBelow({ ratio: 1, low: 0.9, high: 1.22 }, 1.15), "FAIL");
});

Deno.test("loadRows() sets Meridian's processor time against the rest's, and fails what is missing", () => {
  const rows = loadRows(GEO, {
    measured: new Map([["meridian", rounds(4000)], ["gdnsd", rounds(4400)], ["knot", rounds(5000)]]),
    versions: {},
    missing: { pdns: "cannot be installed\nat all" },
    agreement: 0.999,
  });
  const [ours, gdnsd, knot, pdns] = rows;
  assert.equal(ours!.outcome, undefined);
  assert.equal(ours!.figures.cpuUs, 4);
  assert.deepEqual(gdnsd!.ratio, { ratio: 1.1, low: 1.1, high: 1.1 });
  assert.deepEqual([gdnsd!.outcome, gdnsd!.note], ["pass", "same node for 99.9 %"]);
  assert.deepEqual([knot!.outcome, knot!.floor], ["FAIL", 1.4]);
  assert.deepEqual([pdns!.outcome, pdns!.note], ["missing", "cannot be installed"]);
  assert.equal(tally(rows), "1 of 3 floors hold");
  assert.match(
    markdownRows(rows),
    /^\| geo \| gdnsd \| 4\.40 µs CPU.* \| 1\.10× \(1\.10–1\.10\) \| 1 \| pass \|/m,
  );
  assert.match(formatRows(rows), /^geo +gdnsd +4\.40 µs CPU.* 1\.10× +1\.10–1\.10 +1 +pass +same node/m);
});

Deno.test("loadRows() sets Meridian with a query log against Meridian without", () => {
  const log = WORKLOADS.find(({ name }) => name === "log") as LoadWorkload;
  const rows = loadRows(log, {
    measured: new Map([["meridian", rounds(4000)], ["meridian, full log", rounds(8000)]]),
    versions: {},
    missing: { "meridian, sampled log": "no such property" },
  });
  assert.deepEqual(rows.map(({ outcome }) => outcome), [undefined, "FAIL", "missing"]);
  assert.equal(rows[1]!.ratio!.ratio, 0.5);
});

Deno.test("every floor is about servers that take part", () => {
  for (const workload of WORKLOADS) {
    if (workload.kind !== "load") continue;
    const names = workload.servers.map(({ name }) => name);
    for (const { ours, theirs } of workload.floors) {
      assert.ok(names.includes(ours) && names.includes(theirs), `${workload.name}: ${ours}, ${theirs}`);
    }
  }
});

Deno.test("readOptions() says what is wrong", () => {
  assert.throws(
    () => readOptions(["--peers", "nsd,apache"]),
    /--peers must name some of gdnsd.*: got apache/,
  );
  assert.throws(() => readOptions(["--workload", "gel"]), /--workload must name some of geo, .*: got gel/);
  assert.throws(() => readOptions(["--rounds", "0"]), /--rounds must be a number, at least 1: got 0/);
  assert.throws(() => readOptions(["--fast"]), /--fast/);
  assert.deepEqual(readOptions(["--quick", "--peers", "nsd"]).peers, ["nsd"]);
  assert.equal(readOptions(["--all"]).workloads.length, WORKLOADS.length);
});

Deno.test("the benchmark measures a workload, prints a table and appends a line", async () => {
  if (await nativeProgram("echo") === undefined) return console.warn("left out: no C compiler");
  const out = await Deno.makeTempFile();
  try {
    const script = new URL("../../scripts/bench.ts", import.meta.url).pathname;
    const options = [
      "--workload",
      "static",
      "--peers",
      "echo",
      "--rounds",
      "1",
      "--seconds",
      "1",
      "--out",
      out,
    ];
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", script, ...options],
    });
    const { success, stdout, stderr } = await command.output();
    const table = new TextDecoder().decode(stdout);
    assert.ok(success, new TextDecoder().decode(stderr));
    assert.match(table, /^static +meridian +[1-9]/m);
    assert.doesNotMatch(table, /wrong|missing/);
    const [line, rest] = (await Deno.readTextFile(out)).split("\n");
    assert.equal(rest, "");
    const { machine, rounds, rows } = JSON.parse(line!);
    assert.equal(machine.deno, Deno.version.deno);
    assert.equal(rounds, 1);
    assert.deepEqual(rows.map(({ server }: { server: string }) => server), ["meridian", "echo"]);
  } finally {
    await Deno.remove(out);
  }
});

const UNPINNED: Pin = (_, command) => [...command];

const GEO = WORKLOADS.find(({ name }) => name === "geo") as LoadWorkload;

/** For as long as the echo may not be run. */
const PATIENCE_MS = 60_000;

function against(port: number, query: Query): Against {
  return { port, query, seed: 1, sockets: 2, patienceMs: PATIENCE_MS };
}

/** How many queries are under way at most. */
const WINDOW = 16;

/** The figures of a run in which more was sent than at its beginning: of a short one the machine may stand still for all. */
function pushed(load: Against, seconds: number): Figures {
  let figures = pushLoad(load, seconds, WINDOW);
  for (let again = 0; again < 10 && figures.sent === WINDOW; again++) {
    figures = pushLoad(load, seconds, WINDOW);
  }
  return figures;
}

/** The echo knows no names: whatever is asked, it answers. */
function expectNothing(query: Query): Query {
  return { ...query, rcode: 0, answers: 1 };
}

function queriesOf(kind: QueryKind, count: number, seed = 1, networks6?: Uint8Array): Message[] {
  const query = queryOf(kind), write = queryWriter(query, seed, networks6);
  const octets = new Uint8Array(8 + query.octets.length);
  return Array.from({ length: count }, (_, i) => {
    write(octets, 8, 0xff00 + i & 0xffff);
    return decodeMessage(octets.slice(8));
  });
}

function nameOf({ questions }: Message): string {
  return formatName(questions[0]!.name);
}

function networkOf({ edns }: Message): string {
  const subnet = decodeClientSubnet(findOption(edns!.options, OPTION.CLIENT_SUBNET)!.data)!;
  return `${formatAddress(subnet.address)}/${subnet.sourcePrefixLength}`;
}

/** Equal rounds of a hundred answers, each of so much processor time. */
function rounds(cpuNs: number): Measured[] {
  const round = { seconds: 1, sent: 100, answered: 100, wrong: 0, bins: [], cpuNs: 100 * cpuNs };
  return Array.from({ length: 3 }, () => round);
}
