import assert from "node:assert/strict";
import { formatName, Problems } from "../../../core/plugin.ts";
import type { WrittenRule } from "../../../plugins/forward/config.ts";
import forward, { rulesFor } from "../../../plugins/forward/mod.ts";
import { formatUpstream, type WrittenUpstream } from "../../../plugins/forward/upstream.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

function parse(text: string): { rules: readonly WrittenRule[]; problems: Problems } {
  const problems = new Problems();
  const rules = problems.attempt(() => forward.parse(directivesOf(text), parseScopeOf({ problems })));
  return { rules: rules ?? [], problems };
}

/** As it would be written again, without the defaults. */
function show(upstream: WrittenUpstream): string {
  const { protocol, serverName, path } = upstream;
  const where = "address" in upstream ? formatUpstream(upstream) : `${upstream.hostName}:${upstream.port}`;
  return [protocol, where, serverName, path].filter((part) => part !== undefined).join(" ");
}

Deno.test("forward FROM TO has CoreDNS's defaults, and a bound", () => {
  const { rules: [rule], problems } = parse("forward . 192.0.2.1");
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(
    { ...rule, upstreams: rule!.upstreams.map(show) },
    {
      from: [contextOf({}, ".").name],
      except: [],
      upstreams: ["dns 192.0.2.1:53"],
      policy: "random",
      transport: "client",
      maxFails: 2,
      healthCheck: { intervalMs: 500, name: contextOf({}, ".").name, recursionDesired: true },
      failFast: false,
      failover: [],
      next: [],
      nextOnNodata: false,
      readTimeoutMs: 2000,
      attemptsMax: 0,
      concurrentMax: 1000,
      passesSubnet: false,
      keep: { idleMs: 10_000, ageMaxMs: 0, idleMax: 0 },
      tls: {},
      dohMethod: "POST",
      resolvers: [],
    },
  );
  assert.deepEqual(structuredClone(rule), rule);
});

const written: [text: string, ...upstreams: string[]][] = [
  ["192.0.2.1:5353", "dns 192.0.2.1:5353"],
  ["dns://192.0.2.2", "dns 192.0.2.2:53"],
  ["2001:db8::1", "dns [2001:db8::1]:53"],
  ["[2001:db8::2]", "dns [2001:db8::2]:53"],
  ["dns://[2001:db8::3]:54", "dns [2001:db8::3]:54"],
  ["tls://192.0.2.1", "tls 192.0.2.1:853"],
  ["tls://192.0.2.1%dns.example.org", "tls 192.0.2.1:853 dns.example.org"],
  ["tls://192.0.2.1%dns.example.org:10853", "tls 192.0.2.1:10853 dns.example.org"],
  ["TLS://[2001:db8::1]%dns.example.org:10853", "tls [2001:db8::1]:10853 dns.example.org"],
  ["tls://2001:db8::1", "tls [2001:db8::1]:853"],
  ["tls://dns.example.org", "tls dns.example.org:853 dns.example.org"],
  ["https://192.0.2.1", "https https://192.0.2.1:443 /dns-query"],
  ["https://dns.example.org/q", "https dns.example.org:443 dns.example.org /q"],
  ["https://192.0.2.1%dns.example.org:8443", "https https://192.0.2.1:8443 dns.example.org /dns-query"],
  ["localhost", "dns localhost:53"],
  ["resolver.corp.example:5353", "dns resolver.corp.example:5353"],
];
for (const [text, ...upstreams] of written) {
  Deno.test(`${text} is an upstream`, () => {
    const { rules: [rule], problems } = parse(`forward . ${text}`);
    assert.deepEqual(problems.errors, []);
    assert.deepEqual(rule!.upstreams.map(show), upstreams);
    assert.deepEqual(structuredClone(rule), rule);
  });
}

Deno.test("a file names upstreams as resolv.conf does", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(
      file,
      "# nameserver 192.0.2.9\nsearch example.org\nnameserver 192.0.2.1\n nameserver\tfe80::1%eth0 \n",
    );
    const { rules: [rule], problems } = parse(`forward . ${file} 192.0.2.3`);
    assert.deepEqual(problems.errors, []);
    assert.deepEqual(rule!.upstreams.map(show), [
      "dns 192.0.2.1:53",
      "dns [fe80::1]:53",
      "dns 192.0.2.3:53",
    ]);
    await Deno.writeTextFile(file, "options edns0\n");
    assert.match(parse(`forward . ${file}`).problems.errors[0]!.message, /there are none/);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("every option is read", () => {
  const { rules: [rule], problems } = parse(`forward Example.ORG 192.0.2.1 192.0.2.2 {
    except a.example.org b.example.org
    except c.example.org
    prefer_udp
    policy round_robin
    max_fails 0
    health_check 1s no_rec domain example.org
    failfast_all_unhealthy_upstreams
    failover SERVFAIL refused
    next NXDOMAIN
    next_on_nodata
    read_timeout 500ms
    max_connect_attempts 3
    max_concurrent 7
    expire 20s
    max_age 1m
    max_idle_conns 5
    doh_method GET
    source_address 192.0.2.99
    resolver 192.0.2.53:5353 192.0.2.54
    ecs pass
    tls
  }`);
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(rule!.from.map(formatName), ["example.org."]);
  assert.deepEqual(rule!.except.map(formatName), ["a.example.org.", "b.example.org.", "c.example.org."]);
  assert.deepEqual(rule!.resolvers.map(show), ["dns 192.0.2.53:5353", "dns 192.0.2.54:53"]);
  const { from: _, except: _e, upstreams: _u, resolvers: _r, ...rest } = rule!;
  assert.deepEqual(rest, {
    policy: "round_robin",
    transport: "udp",
    maxFails: 0,
    healthCheck: { intervalMs: 1000, name: contextOf({}, "example.org").name, recursionDesired: false },
    failFast: true,
    failover: [2, 5],
    next: [3],
    nextOnNodata: true,
    readTimeoutMs: 500,
    attemptsMax: 3,
    concurrentMax: 7,
    passesSubnet: true,
    keep: { idleMs: 20_000, ageMaxMs: 60_000, idleMax: 5 },
    tls: {},
    dohMethod: "GET",
    sourceAddress: "192.0.2.99",
  });
});

Deno.test("force_tcp beats prefer_udp", () => {
  assert.equal(parse("forward . 192.0.2.1 {\n force_tcp\n prefer_udp\n}").rules[0]!.transport, "tcp");
});

Deno.test("tls_servername is the name of every upstream that has a certificate", () => {
  const { rules: [rule] } = parse(
    "forward . tls://192.0.2.1 192.0.2.2 tls://a.example.org {\n tls_servername dns.example.org\n}",
  );
  assert.deepEqual(rule!.upstreams.map(show), [
    "tls 192.0.2.1:853 dns.example.org",
    "dns 192.0.2.2:53",
    "tls a.example.org:853 dns.example.org",
  ]);
  const { problems } = parse("forward . 192.0.2.1 {\n tls_servername dns.example.org\n}");
  assert.match(problems.warnings[0]!.message, /has no effect/);
});

Deno.test("tls takes CA, or CERT and KEY, or all three", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "-----BEGIN CERTIFICATE-----\n");
    const filesOf = (count: number) =>
      parse(`forward . tls://192.0.2.1 {\n tls ${`${file} `.repeat(count)}\n}`).rules[0]!.tls;
    assert.deepEqual(filesOf(1), { authority: file });
    assert.deepEqual(filesOf(2), { certificate: file, key: file });
    assert.deepEqual(filesOf(3), { certificate: file, key: file, authority: file });
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("what is wrong in a forward is told where it stands", () => {
  const upstreams = Array.from({ length: 16 }, (_, i) => `192.0.2.${i}`).join(" ");
  const table: [text: string, message: RegExp, line: number, column: number][] = [
    ["forward", /forward wants FROM/, 2, 1],
    ["forward .", /forward wants TO/, 2, 9],
    ["forward . grpc://9.9.9.9", /scheme must be dns:\/\/, tls:\/\/ or https:\/\/: got 'grpc/, 2, 11],
    ["forward . 192.0.2.1 /etc/no-such.conf", /upstream must be .* got '\/etc\/no-such.conf'/, 2, 21],
    ["forward . 192.0.2", /upstream must be .* got '192.0.2'/, 2, 11],
    ["forward . 192.0.2.1%a.example", /got '192.0.2.1%a.example'/, 2, 11],
    ["forward . tls://192.0.2.1/path:x", /got 'tls/, 2, 11],
    ["forward . tls://192.0.2.1%a {\ntls_servername b\n}", /server name of its own/, 3, 16],
    ["forward . tls://192.0.2.1 {\ntls /nowhere\n}", /cannot read \/nowhere/, 3, 5],
    ["forward . 192.0.2.1 {\nmax_age 5s\n}", /at least that of expire, 10s: got '5s'/, 3, 9],
    ["forward . 192.0.2.1 {\nsource_address ::1\n}", /of the family of every upstream/, 3, 16],
    ["forward . 192.0.2.1 {\nresolver ns.example\n}", /must be IP\[:PORT\]: got 'ns.example'/, 3, 10],
    ["forward . 192.0.2.1 {\necs maybe\n}", /ecs must be pass or strip/, 3, 5],
    ["forward . 192.0.2.1 {\nnext NXDOMIAN\n}", /did you mean 'NXDOMAIN'\?/, 3, 6],
    ["forward . 192.0.2.1:0", /got '192.0.2.1:0'/, 2, 11],
    ["forward . 192.0.2.1:65536", /got '192.0.2.1:65536'/, 2, 11],
    [`forward . ${upstreams}`, /at most 15 upstreams/, 2, 11 + upstreams.lastIndexOf(" ") + 1],
    ["forward a..b 192.0.2.1", /empty label/, 2, 9],
    ["forward . 192.0.2.1 {\npolicy fastest\n}", /policy must be random, round_robin or sequential/, 3, 8],
    ["forward . 192.0.2.1 {\npolcy random\n}", /unknown property 'polcy'; did you mean 'policy'\?/, 3, 1],
    ["forward . 192.0.2.1 {\nmax_fails -1\n}", /COUNT must be from 0/, 3, 11],
    ["forward . 192.0.2.1 {\nfailover SERVFIAL\n}", /did you mean 'SERVFAIL'\?/, 3, 10],
    ["forward . 192.0.2.1 {\nfailover NOERROR\n}", /not NOERROR/, 3, 10],
    ["forward . 192.0.2.1 {\nhealth_check 1s domian x\n}", /did you mean 'domain'\?/, 3, 17],
    ["forward . 192.0.2.1 {\nexpire soon\n}", /DURATION must be a duration/, 3, 8],
    ["forward . 192.0.2.1 {\nexcept a..b\n}", /empty label/, 3, 8],
  ];
  for (const [text, message, line, column] of table) {
    const { problems } = parse(text);
    assert.equal(problems.errors.length, 1, `${text}: ${problems.errors.map((e) => e.message).join("\n")}`);
    assert.match(problems.errors[0]!.message, message);
    assert.deepEqual([problems.errors[0]!.at.line, problems.errors[0]!.at.column], [line, column], text);
  }
});

Deno.test("rulesFor() finds every forward that covers a name, in the order of the file", () => {
  const { rules } = parse(`forward corp.example 192.0.2.1 {
    except www.corp.example
  }
  forward 10.0.0.0/8 192.0.2.2
  forward example 192.0.2.3`);
  const table: [string, number[]][] = [
    ["corp.example", [0, 2]],
    ["a.corp.example", [0, 2]],
    ["acorp.example", [2]],
    ["www.corp.example", [2]],
    ["a.www.corp.example", [2]],
    ["1.2.3.10.in-addr.arpa", [1]],
    ["1.2.3.11.in-addr.arpa", []],
    [".", []],
  ];
  for (const [name, numbers] of table) {
    assert.deepEqual(rulesFor(contextOf({}, name).name, rules), numbers, name);
  }
});

Deno.test("a forward answers a zone wholly when it covers it and excepts nothing of it", () => {
  const answersAll = (text: string) =>
    forward.answersAll(parse(text).rules, contextOf({}, "example.org").name);
  assert.equal(answersAll("forward . 192.0.2.1"), true);
  assert.equal(answersAll("forward a.example.org 192.0.2.1"), false);
  assert.equal(answersAll("forward . 192.0.2.1 {\nexcept a.example.org\n}"), false);
  assert.equal(answersAll("forward . 192.0.2.1 {\nexcept org\n}"), false);
  assert.equal(answersAll("forward . 192.0.2.1 {\nexcept example.net\n}"), true);
});
