import assert from "node:assert/strict";
import { checkText, targetKey } from "../../../plugins/health/check.ts";
import { DEFAULTS } from "../../../plugins/health/options.ts";
import { parse } from "../../../plugins/health/parse.ts";
import { configOf, parsed } from "./support.ts";

const complaintsOf = (text: string) => parsed(text, parse).complaints;

const checks: [string, string, string][] = [
  ["check tcp 8443", "tcp:8443", "tcp 8443"],
  ["check main tcp 8443", "main", "tcp 8443"],
  ["check web https 8443 /up host API.example", "web", "https 8443 /up host api.example"],
  [
    'check http 80 /a?b=c status 200-299,401 body "all well"',
    "http:80",
    'http 80 /a?b=c status 200-299,401 body "all well"',
  ],
  ["check https 443 / insecure", "https:443", "https 443 / insecure"],
  ["check dns 53 www.example.org", "dns:53", "dns 53 www.example.org. type A"],
  ["check dns 53 example.org type soa", "dns:53", "dns 53 example.org. type SOA"],
  ["check icmp", "icmp", "icmp"],
  ["check exec /bin/probe -x {address}", "exec:/bin/probe", "exec /bin/probe -x {address}"],
  ["check mine exec tcp 80", "mine", "exec tcp 80"],
];

for (const [line, name, text] of checks) {
  Deno.test(`parse() reads ${line}`, () => {
    const { checks } = configOf(`health {\n${line}\n}`);
    assert.deepEqual(checks.map(({ name, check }) => [name, checkText(check)]), [[name, text]]);
  });
}

const wrong: [string, string][] = [
  ["check tcp", "3:7 Wrong argument count or unexpected line ending after 'tcp': check wants PORT"],
  [
    "check tpc",
    "3:7 check: 'tpc' is no kind of check: want tcp, http, https, dns, icmp, exec; did you mean 'tcp'?",
  ],
  [
    "check web htps 443 /",
    "3:11 check: the kind must be tcp, http, https, dns, icmp or exec: got 'htps'; did you mean 'https'?",
  ],
  ["check tcp 70000", "3:11 check: PORT must be from 1 to 65535: got '70000'"],
  [
    "check tcp 80 81",
    "3:14 Wrong argument count or unexpected line ending after '81': check takes no more here",
  ],
  ["check http 80 up", "3:15 check: PATH must begin with / and have no blanks: got 'up'"],
  ["check http 80 / host a:1", "3:22 check: host must be a host name without a port: got 'a:1'"],
  [
    "check http 80 / status 200-",
    "3:24 check: status must be codes and ranges such as 200-299,401: got '200-'",
  ],
  ["check http 80 / ca x.pem", "3:17 check: ca needs https: http has no certificates"],
  [
    "check http 80 / stauts 200",
    "3:17 check: the next word must be host, status, body, ca or insecure: got 'stauts'; did you mean 'status'?",
  ],
  ["check dns 53 a..b", '3:14 check: Cannot read name "a..b": it has an empty label'],
  ["check dns 53 a type AAA", "3:21 check: type must be an RR type such as A or TYPE65280: got 'AAA'"],
  ["interval 2", ""],
  [
    "interval 2s\ntimeout 2s",
    "4:9 health: timeout: must be shorter than the interval of 2000 ms: got 2000 ms",
  ],
  ["interval 500ms", "3:10 interval: DURATION must be from 1s to 1h: got '500ms'"],
  ["fall 0", "3:6 fall: COUNT must be from 1 to 100: got '0'"],
  ["slow-flap 2 ok 6", "3:11 health: slow-flap: must take at least as many failures as fall, 3: got 2"],
  ["slow-flap 5 6", "3:13 slow-flap: the word after COUNT must be ok: got '6'"],
  ["hold-down 60s 30s", "3:15 hold-down: MAX must be from 1m to 24h: got '30s'"],
  ["confirm maybe", "3:9 confirm: confirm must be on or off: got 'maybe'"],
  ["degraded slow 3s", "3:10 degraded: the kind must be latency or failing: got 'slow'"],
  [
    "watch www.example.com",
    "3:7 watch: 'www.example.com' must lie in a zone of this server block: example.org.",
  ],
  ["intervall 3s", "3:1 health: unknown property 'intervall'; did you mean 'interval'?"],
  ["lameduck 5s", "warning 3:1 health: lameduck is of no effect without an ADDRESS to listen on"],
];

for (const [line, complaint] of wrong) {
  Deno.test(`parse() says what is wrong with ${line.replace("\n", "; ")}`, () => {
    const rest = line.startsWith("check") ? "" : "\ncheck tcp 80";
    assert.deepEqual(complaintsOf(`health {\n${line}${rest}\n}`), complaint ? [complaint] : []);
  });
}

Deno.test("parse() wants a check where probes are spoken of", () => {
  assert.deepEqual(complaintsOf("health {\ninterval 5s\nwatch www.example.org\n}"), [
    "3:1 health: interval needs a check: want a line such as 'check tcp 443' beside it",
    "4:1 health: watch needs a check: want a line such as 'check tcp 443' beside it",
  ]);
});

Deno.test("parse() does not take one name for two checks, nor the directive twice", () => {
  assert.deepEqual(complaintsOf("health {\ncheck http 80 /a\ncheck http 80 /b\n}"), [
    "4:7 check: 'http:80' stands twice: give one a name of its own",
  ]);
  assert.deepEqual(complaintsOf("health\nhealth :8081"), [
    "3:1 health: stands twice in this server block: want it once",
  ]);
});

Deno.test("parse() points at a CA file that is missing or has no certificate", () => {
  assert.match(
    complaintsOf("health {\ncheck https 443 / ca /nowhere.pem\n}")[0]!,
    /^3:22 check: cannot read/,
  );
  assert.deepEqual(complaintsOf(`health {\ncheck https 443 / ca deno.json\n}`), [
    "3:22 check: ca must name a file of PEM certificates: none in 'deno.json'",
  ]);
});

Deno.test("parse(): the defaults are those of the man page", () => {
  const config = configOf("health {\ncheck tcp 80\n}");
  assert.deepEqual(config.timing, DEFAULTS);
  assert.equal(config.failingShare, 0);
});

Deno.test("parse() reads every timing", () => {
  const { timing, failingShare } = configOf(`health {
    check tcp 80
    interval 2s
    timeout 1500ms
    fall 2
    rise 4
    slow-flap off
    confirm off
    hold-down 30s 10m
    ramp off
    degraded latency 500ms
    degraded failing 50%
  }`);
  assert.deepEqual(timing, {
    intervalMs: 2000,
    timeoutMs: 1500,
    fall: 2,
    rise: 4,
    confirm: false,
    holdDown: { firstMs: 30_000, maxMs: 600_000 },
    rampMs: 0,
    slowMs: 500,
  });
  assert.equal(failingShare, 0.5);
});

Deno.test("parse(): what is not said follows from what is", () => {
  const { timing } = configOf("health {\ncheck tcp 80\ninterval 2s\nfall 8\n}");
  assert.equal(timing.timeoutMs, 1000);
  assert.deepEqual(timing.slowFlap, { failures: 8, clear: 6 });
});

Deno.test("parse(): the endpoint is there without checks, and with checks only by its address", () => {
  assert.deepEqual(configOf("health").endpoint, { host: "", port: 8080, lameduckMs: 0 });
  assert.deepEqual(configOf("health localhost:8091 {\nlameduck 5s\n}").endpoint, {
    host: "localhost",
    port: 8091,
    lameduckMs: 5000,
  });
  assert.equal(configOf("health {\ncheck icmp\n}").endpoint, undefined);
  assert.deepEqual(configOf("health [::1]:8080 {\ncheck icmp\n}").endpoint, {
    host: "::1",
    port: 8080,
    lameduckMs: 0,
  });
  assert.deepEqual(complaintsOf("health 8080"), [
    "2:8 health: ADDRESS must be [HOST]:PORT such as :8080: got '8080'",
  ]);
});

Deno.test("parse() gives plain data", () => {
  const config = configOf('health :8080 {\ncheck web https 443 / body "x"\nwatch www.example.org\n}');
  assert.deepEqual(structuredClone(config), config);
});

Deno.test("targetKey() tells apart what is probed differently, and says defaults by nothing", () => {
  const check = { kind: "tcp", port: 80 } as const;
  assert.equal(targetKey("192.0.2.1", check, DEFAULTS, DEFAULTS), "192.0.2.1 tcp 80");
  const { holdDown: _holdDown, ...without } = DEFAULTS;
  assert.equal(
    targetKey("192.0.2.1", check, { ...without, intervalMs: 2000 }, DEFAULTS),
    "192.0.2.1 tcp 80 intervalMs=2000 holdDown=off",
  );
});
