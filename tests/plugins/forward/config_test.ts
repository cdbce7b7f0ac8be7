import assert from "node:assert/strict";
import { formatName, type ParseScope, Problems } from "../../../core/plugin.ts";
import { formatUpstream, type ForwardRule } from "../../../plugins/forward/config.ts";
import forward, { ruleFor } from "../../../plugins/forward/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

function parse(text: string): { rules: readonly ForwardRule[]; problems: Problems } {
  const problems = new Problems();
  const rules = problems.attempt(() => forward.parse(directivesOf(text), { problems } as ParseScope));
  return { rules: rules ?? [], problems };
}

Deno.test("forward FROM TO has CoreDNS's defaults, and a bound", () => {
  const { rules: [rule], problems } = parse("forward . 192.0.2.1");
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(
    { ...rule, upstreams: rule!.upstreams.map(formatUpstream) },
    {
      from: [contextOf({}, ".").name],
      except: [],
      upstreams: ["192.0.2.1:53"],
      policy: "random",
      transport: "client",
      maxFails: 2,
      healthCheck: { intervalMs: 500, name: contextOf({}, ".").name, recursionDesired: true },
      failFast: false,
      failover: [],
      readTimeoutMs: 2000,
      attemptsMax: 2,
      concurrentMax: 1000,
    },
  );
  assert.deepEqual(structuredClone(rule), rule);
});

Deno.test("an upstream is an address, perhaps with a port, perhaps after dns://", () => {
  const { rules: [rule] } = parse(
    "forward . 192.0.2.1:5353 dns://192.0.2.2 2001:db8::1 [2001:db8::2] dns://[2001:db8::3]:54",
  );
  assert.deepEqual(rule!.upstreams.map(formatUpstream), [
    "192.0.2.1:5353",
    "192.0.2.2:53",
    "[2001:db8::1]:53",
    "[2001:db8::2]:53",
    "[2001:db8::3]:54",
  ]);
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
    read_timeout 500ms
    max_connect_attempts 3
    max_concurrent 7
  }`);
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(rule!.from.map(formatName), ["example.org."]);
  assert.deepEqual(rule!.except.map(formatName), ["a.example.org.", "b.example.org.", "c.example.org."]);
  const { from: _, except: _e, upstreams: _u, ...rest } = rule!;
  assert.deepEqual(rest, {
    policy: "round_robin",
    transport: "udp",
    maxFails: 0,
    healthCheck: { intervalMs: 1000, name: contextOf({}, "example.org").name, recursionDesired: false },
    failFast: true,
    failover: [2, 5],
    readTimeoutMs: 500,
    attemptsMax: 3,
    concurrentMax: 7,
  });
});

Deno.test("force_tcp beats prefer_udp", () => {
  assert.equal(parse("forward . 192.0.2.1 {\n force_tcp\n prefer_udp\n}").rules[0]!.transport, "tcp");
});

Deno.test("options about idle connections are taken with a warning", () => {
  const { problems } = parse("forward . 192.0.2.1 {\n expire 20s\n max_idle_conns 5\n}");
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(problems.warnings.map(({ message }) => message), [
    "forward: expire has no effect: no connection outlives its query",
    "forward: max_idle_conns has no effect: no connection outlives its query",
  ]);
});

Deno.test("what is wrong in a forward is told where it stands", () => {
  const upstreams = Array.from({ length: 16 }, (_, i) => `192.0.2.${i}`).join(" ");
  const table: [text: string, message: RegExp, line: number, column: number][] = [
    ["forward", /forward wants FROM/, 2, 1],
    ["forward .", /forward wants TO/, 2, 9],
    ["forward . tls://9.9.9.9", /upstream 'tls:\/\/9.9.9.9' is not served yet/, 2, 11],
    ["forward . 192.0.2.1 /etc/resolv.conf", /'\/etc\/resolv.conf' is not served yet/, 2, 21],
    ["forward . localhost", /upstream must be IP\[:PORT\] or dns:\/\/IP\[:PORT\]: got 'localhost'/, 2, 11],
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

Deno.test("ruleFor() finds the first forward that covers a name", () => {
  const { rules } = parse(`forward corp.example 192.0.2.1 {
    except www.corp.example
  }
  forward 10.0.0.0/8 192.0.2.2
  forward example 192.0.2.3`);
  const table: [string, number][] = [
    ["corp.example", 0],
    ["a.corp.example", 0],
    ["acorp.example", 2],
    ["www.corp.example", 2],
    ["a.www.corp.example", 2],
    ["1.2.3.10.in-addr.arpa", 1],
    ["1.2.3.11.in-addr.arpa", -1],
    [".", -1],
  ];
  for (const [name, number] of table) assert.equal(ruleFor(contextOf({}, name).name, rules), number, name);
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
