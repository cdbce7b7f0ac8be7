import assert from "node:assert/strict";
import {
  type Answer,
  type ControlScope,
  emptyAnswer,
  parseName,
  parsePrefix,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import rrl, { answerer } from "../../../plugins/rrl/mod.ts";
import { DEFAULTS, parse, type RrlConfig } from "../../../plugins/rrl/parse.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { answerScopeOf, controlScopeOf, parseScopeOf, SILENT } from "../../support/scopes.ts";

const DONE = emptyAnswer(0);

/** Asks so many times, and tells what became of each: `answered`, `truncated` or `silent`. */
function asker(config: Partial<RrlConfig> = {}, below: (context: QueryContext) => Answer = () => DONE) {
  const counted: Record<string, number> = {}, warned: string[] = [];
  const plugin = answerer(
    { ...DEFAULTS, ...config },
    answerScopeOf({
      log: { ...SILENT, warn: (message) => void warned.push(message) },
      series: (_, labels) => ({
        record(by) {
          const key = Object.values(labels ?? {}).join(" ");
          counted[key] = (counted[key] ?? 0) + by;
        },
      }),
    }),
  );
  const ask = (count: number, more: Partial<QueryContext> = {}, everyMs = 0) => {
    const context = contextOf(more);
    const became: Record<string, number> = {};
    for (let i = 0; i < count; i++) {
      const answer = plugin.answer({ ...context, nowMs: context.nowMs + i * everyMs }, below) as Answer;
      const what = answer.silent ? "silent" : answer.truncated ? "truncated" : "answered";
      became[what] = (became[what] ?? 0) + 1;
    }
    return became;
  };
  return { ask, counted, warned, plugin };
}

function parsed(text: string) {
  const problems = new Problems();
  const config = problems.attempt(() => parse(directivesOf(text), parseScopeOf({ problems })));
  const linesOf = (some: typeof problems.errors) =>
    some.map(({ message, at }) => `${at.line}:${at.column} ${message}`);
  return { config, errors: linesOf(problems.errors), warnings: linesOf(problems.warnings) };
}

Deno.test("rrl truncates every reply over the limit, and counts it", () => {
  const { ask, counted } = asker();
  assert.deepEqual(ask(200), { answered: 125, truncated: 75 });
  assert.deepEqual(counted, { "truncate ipv4 32": 75 });
});

Deno.test("rrl truncates each n-th reply over the limit and drops the others, or drops all", () => {
  assert.deepEqual(asker({ slip: 3 }).ask(155), { answered: 125, truncated: 10, silent: 20 });
  const { ask, counted } = asker({ slip: 0 });
  assert.deepEqual(ask(155), { answered: 125, silent: 30 });
  assert.deepEqual(counted, { "drop ipv4 32": 30 });
});

Deno.test("rrl does not limit TCP, valid cookies, allowed networks, other zones, nor what nobody sent", () => {
  const zones = [parseName("example.net")];
  const cases: [Partial<RrlConfig>, Partial<QueryContext>][] = [
    [{}, { transport: "tcp" }],
    [{}, { cookie: "valid" }],
    [{ allow: [parsePrefix("192.0.2.0/25")!] }, {}],
    [{ zones }, {}],
    [{}, { rehearsed: true }],
  ];
  for (const [config, more] of cases) assert.deepEqual(asker(config).ask(1000, more), { answered: 1000 });
  // Plugins that watch queries, as debug and trace do, record too.
  for (const more of [{ cookie: "client" }, { cookie: "invalid" }, { record: () => {} }] as const) {
    assert.equal(asker().ask(1000, more).answered, 125);
  }
});

Deno.test("rrl with dry-run answers everything, counts and tells what it would have limited", () => {
  const { ask, counted, warned } = asker({ dryRun: true });
  assert.deepEqual(ask(200), { answered: 200 });
  assert.deepEqual(counted, { "dry-run ipv4 32": 75 });
  assert.deepEqual(warned, [
    "rrl: would have limited 1 reply since it last said so, just now one to 192.0.2.53/32",
  ]);
});

Deno.test("rrl tells of a flood once in a while, with how many there were", () => {
  const { ask, warned } = asker();
  ask(10_000, {}, 4);
  // 40 s: a line when it begins, another half a minute later.
  assert.equal(warned.length, 2);
  assert.match(
    warned[1]!,
    /^rrl: limited \d{4} replies since it last said so, just now one to 192\.0\.2\.53\/32$/,
  );
  assert.equal(asker({ logPeriodMs: 0 }).warned.length, 0);
});

Deno.test("rrl does not count a query that is answered elsewhere", () => {
  const { ask } = asker({}, () => emptyAnswer(0, { deferred: true }));
  assert.deepEqual(ask(1000), { answered: 1000 });
});

Deno.test("rrl's replies over the limit have no records, and are of the moment", () => {
  const { ask, plugin } = asker();
  ask(125);
  const answer = plugin.answer(contextOf(), () => DONE) as Answer;
  assert.deepEqual(answer, {
    ...emptyAnswer(0),
    truncated: true,
    momentary: true,
    dependence: { ...DONE.dependence, keys: ["source", "port"] },
  });
});

Deno.test("rrl goes on with the tables of the server before it, unless they have another shape", () => {
  const run = (config: RrlConfig, inherited: unknown) => {
    let published: unknown, left: unknown;
    rrl.start(
      config,
      controlScopeOf({
        inherited,
        publish: (value) => void (published = value),
        bequeath: (make) => void (left = make()),
      }),
    );
    assert.equal(published, left);
    return published;
  };
  const first = run(DEFAULTS, undefined);
  assert.equal(run({ ...DEFAULTS, slip: 2 }, first), first);
  assert.notEqual(run({ ...DEFAULTS, rate: 10 }, first), first);
  assert.notEqual(run({ ...DEFAULTS, tableSize: 1024 }, first), first);
  assert.notEqual(run({ ...DEFAULTS, ipv4: [{ length: 24, multiplier: 1 }] }, first), first);
});

Deno.test("rrl has the same tables in every block of a server, and others in another server", () => {
  const run = ({ process }: Pick<ControlScope, "process">) => {
    let published: unknown;
    rrl.start(DEFAULTS, controlScopeOf({ process, publish: (value) => void (published = value) }));
    return published;
  };
  const server = controlScopeOf(), other = controlScopeOf();
  assert.equal(run(server), run(server));
  assert.notEqual(run(server), run(other));
});

Deno.test("parse() gives Knot's numbers where nothing is said", () => {
  assert.deepEqual(parsed("rrl").config, DEFAULTS);
  assert.deepEqual(
    DEFAULTS.ipv4.map(({ length, multiplier }) => `/${length} ${multiplier}`).join(" "),
    "/32 1 /24 32 /20 256 /18 768",
  );
  assert.deepEqual(
    DEFAULTS.ipv6.map(({ length, multiplier }) => `/${length} ${multiplier}`).join(" "),
    "/128 1 /64 2 /56 3 /48 4 /32 64",
  );
});

Deno.test("parse() reads every option", () => {
  const text = `rrl example.org {
    rate 20
    burst 100
    ipv4 /32 1 /24 4
    ipv6 64 1 48 2.5
    slip 2
    allow 192.0.2.0/24 2001:db8::1
    allow 198.51.100.0/24
    table-size 4096
    dry-run
    log-period 1m
}`;
  assert.deepEqual(parsed(text).config, {
    zones: [parseName("example.org")],
    rate: 20,
    burst: 100,
    ipv4: [{ length: 32, multiplier: 1 }, { length: 24, multiplier: 4 }],
    ipv6: [{ length: 64, multiplier: 1 }, { length: 48, multiplier: 2.5 }],
    slip: 2,
    allow: ["192.0.2.0/24", "2001:db8::1", "198.51.100.0/24"].map((text) => parsePrefix(text)!),
    tableSize: 4096,
    dryRun: true,
    logPeriodMs: 60_000,
  });
});

Deno.test("parse() takes the words of CoreDNS's rrl, and says which of them do nothing here", () => {
  const text = `rrl . {
    window 15
    responses-per-second 10
    nxdomains-per-second 5
    slip-ratio 4
    ipv4-prefix-length 24
    ipv6-prefix-length 56
    max-table-size 100000
    report-only
}`;
  const { config, errors, warnings } = parsed(text);
  assert.deepEqual(errors, []);
  assert.deepEqual(config, {
    ...DEFAULTS,
    zones: [parseName(".")],
    rate: 10,
    burst: 25,
    ipv4: [{ length: 24, multiplier: 1 }],
    ipv6: [{ length: 56, multiplier: 1 }],
    slip: 4,
    tableSize: 100_000,
    dryRun: true,
  });
  assert.deepEqual(warnings, [
    "3:5 rrl: window is left out: how long a burst may last follows from `burst` and `rate`",
    "5:5 rrl: nxdomains-per-second is left out: every query counts alike, whatever it is answered: `rate` bounds them all",
  ]);
});

Deno.test("parse() points at what is wrong", () => {
  const errorOf = (line: string) => parsed(`rrl {\n${line}\n}`).errors[0];
  assert.match(errorOf("rate 0")!, /^3:6 rate: COUNT must be from 1 to 1000000: got '0'$/);
  assert.match(errorOf("responses-per-second 0")!, /^3:22 responses-per-second: COUNT must be from 1/);
  assert.match(
    errorOf("ipv4 /24 1 /32 2")!,
    /^3:12 ipv4: LENGTH must be from 1 to 23, the longest first: got '\/32'$/,
  );
  assert.match(errorOf("ipv4 33 1")!, /^3:6 ipv4: LENGTH must be from 1 to 32/);
  assert.match(errorOf("ipv6 128 4 64 2")!, /^3:15 ipv6: MULTIPLIER must be from 4/);
  assert.match(errorOf("ipv4 32")!, /wants MULTIPLIER/);
  assert.match(errorOf("slip 101")!, /^3:6 slip: RATIO must be from 0 to 100/);
  assert.match(errorOf("allow 192.0.2.1/24")!, /^3:7 allow: NETWORK must be a network/);
  assert.match(errorOf("rat 1")!, /did you mean 'rate'/);
  assert.match(
    errorOf("rate 1\nresponses-per-second 2")!,
    /^4:1 rrl: responses-per-second says the same as rate/,
  );
  assert.match(parsed("rrl\nrrl").errors[0]!, /^3:1 rrl: stands twice/);
  assert.match(parsed("rrl a..b").errors[0]!, /^2:5 zone is not a valid domain name/);
});

Deno.test("rrl's gate charges for repeated replies as for others, and for none that it holds back", () => {
  const { ask, plugin } = asker();
  const context = contextOf(), { source: { address }, nowMs } = context;
  const gate = plugin.gate!(context)!;
  let passed = 0;
  for (let i = 0; i < 100; i++) passed += Number(gate(address, nowMs, "absent"));
  assert.deepEqual([passed, ask(100)], [100, { answered: 25, truncated: 75 }]);
  assert.equal(gate(address, nowMs, "absent"), false);
  // What was held back cost nothing: the next token comes when it would have come.
  assert.equal(gate(address, nowMs + 20, "client"), true);
  // Whoever returned a good cookie is not charged.
  for (let i = 0; i < 100; i++) assert.equal(gate(address, nowMs + 20, "valid"), true);
  assert.equal(gate(address, nowMs + 20, "client"), false);
});

Deno.test("rrl has no gate for who is not charged, and lets trusted sources through one that others share", () => {
  const { plugin } = asker({ zones: [parseName("example.org")], allow: [parsePrefix("203.0.113.0/24")!] });
  assert.equal(plugin.gate!(contextOf({ transport: "tcp" })), undefined);
  assert.equal(plugin.gate!(contextOf({ name: parseName("example.net") })), undefined);
  const gate = plugin.gate!(contextOf())!, trusted = contextOf({ source: TRUSTED }).source.address;
  for (let i = 0; i < 500; i++) assert.ok(gate(trusted, 0, "absent"));
});

const TRUSTED = { address: { family: 4, octets: Uint8Array.of(203, 0, 113, 9) }, port: 53 } as const;
