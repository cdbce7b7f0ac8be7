import assert from "node:assert/strict";
import { parseName, Problems, ROOT } from "../../../core/plugin.ts";
import { type CacheConfig, parse } from "../../../plugins/cache/config.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

function read(text: string): { config: CacheConfig | undefined; problems: Problems } {
  const problems = new Problems();
  const scope = parseScopeOf({ problems, zones: [ROOT] });
  return { config: problems.attempt(() => parse(directivesOf(text), scope)), problems };
}

Deno.test("cache has CoreDNS's defaults but for the least TTL", () => {
  const { config, problems } = read("cache");
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(config, {
    zones: [ROOT],
    success: { capacity: 9984, ttlMax: 3600, ttlMin: 0, disabled: [] },
    denial: { capacity: 9984, ttlMax: 1800, ttlMin: 0, disabled: [] },
    servfailTtl: 5,
    keepTtl: false,
  });
});

Deno.test("cache TTL ZONES and every option are read", () => {
  const { config, problems } = read(`cache 300 example.org Example.NET {
    success 5000 60 10
    denial 2500
    prefetch 10 2m 20%
    serve_stale 2h verify 100ms 15s 1m
    serve_stale_policy prefer_positive
    servfail 30s
    disable denial sub.example.org
    disable success
    keepttl
  }`);
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(config, {
    zones: [parseName("example.org"), parseName("example.net")],
    success: { capacity: 5000, ttlMax: 60, ttlMin: 10, disabled: [ROOT] },
    denial: { capacity: 2500, ttlMax: 300, ttlMin: 0, disabled: [parseName("sub.example.org")] },
    servfailTtl: 30,
    prefetch: { amount: 10, gapMs: 120_000, share: 0.2 },
    stale: {
      durationMs: 7_200_000,
      verify: true,
      verifyTimeoutMs: 100,
      ttl: 15,
      recheckMs: 60_000,
      preferPositive: true,
    },
    keepTtl: true,
  });
  assert.deepEqual(structuredClone(config), config);
});

const forms: [
  text: string,
  durationMs: number,
  verify: boolean,
  timeoutMs: number,
  ttl: number,
  recheckMs: number,
][] = [
  ["serve_stale", 3_600_000, false, 1800, 30, 30_000],
  ["serve_stale 1m", 60_000, false, 1800, 30, 30_000],
  ["serve_stale verify", 3_600_000, true, 1800, 30, 30_000],
  ["serve_stale 1h immediate 5s 0", 3_600_000, false, 1800, 5, 0],
  ["serve_stale 1h verify 0", 3_600_000, true, 0, 30, 30_000],
];
for (const [text, durationMs, verify, verifyTimeoutMs, ttl, recheckMs] of forms) {
  Deno.test(`${text} is read`, () => {
    const { config, problems } = read(`cache {\n${text}\n}`);
    assert.deepEqual(problems.errors, []);
    assert.deepEqual(config!.stale, {
      durationMs,
      verify,
      verifyTimeoutMs,
      ttl,
      recheckMs,
      preferPositive: false,
    });
  });
}

Deno.test("what is wrong in a cache is told where it stands", () => {
  const table: [text: string, message: RegExp, line: number, column: number][] = [
    ["cache 0", /TTL must be from 1 to 2147483647: got '0'/, 2, 7],
    ["cache -5", /TTL must be from 1/, 2, 7],
    ["cache a..b", /empty label/, 2, 7],
    ["cache\ncache", /stands twice/, 3, 1],
    ["cache {\nsuccess\n}", /success wants CAPACITY/, 3, 1],
    ["cache {\nsuccess 0\n}", /CAPACITY must be from 1/, 3, 9],
    ["cache {\ndenial 10 60 90\n}", /MINTTL must be from 0 to 60: got '90'/, 3, 14],
    ["cache {\nprefetch ten\n}", /AMOUNT must be a whole number/, 3, 10],
    ["cache {\nprefetch 1 1m 10\n}", /PERCENTAGE must end in %: got '10'/, 3, 15],
    ["cache {\nprefetch 1 1m 95%\n}", /PERCENTAGE must be from 0.1 to 0.9/, 3, 15],
    ["cache {\nserve_stale soon\n}", /DURATION must be a duration/, 3, 13],
    ["cache {\nserve_stale 1h later\n}", /mode must be immediate or verify/, 3, 16],
    ["cache {\nserve_stale 1h immediate 1.5s\n}", /RESPONSE_TTL must be whole seconds/, 3, 26],
    ["cache {\nserve_stale 1h immediate 30s 10m\n}", /RECHECK must be from 0ms to 5m/, 3, 30],
    ["cache {\nserve_stale_policy newest\n}", /policy must be prefer_positive/, 3, 20],
    ["cache {\nservfail 10m\n}", /DURATION must be from 0ms to 5m: got '10m'/, 3, 10],
    ["cache {\ndisable failure\n}", /cache must be success or denial/, 3, 9],
    ["cache {\nkeep_ttl\n}", /unknown property 'keep_ttl'; did you mean 'keepttl'\?/, 3, 1],
  ];
  for (const [text, message, line, column] of table) {
    const { errors } = read(text).problems;
    assert.equal(errors.length, 1, `${text}: ${errors.map((error) => error.message).join("\n")}`);
    assert.match(errors[0]!.message, message);
    assert.deepEqual([errors[0]!.at.line, errors[0]!.at.column], [line, column], text);
  }
});

Deno.test("a policy for stale answers that there are none of is told of", () => {
  const { problems } = read("cache {\nserve_stale_policy prefer_positive\n}");
  assert.match(problems.warnings[0]!.message, /no effect without serve_stale/);
});
