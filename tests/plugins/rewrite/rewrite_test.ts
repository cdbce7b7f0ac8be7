/**
 * Corefile, question, reply: the examples of CoreDNS's manual, and what follows from it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type AskedBlock, type BlockQuestion, startBlock, zoneFile } from "../../support/block.ts";

const SOA = "@ 60 SOA ns hostmaster 1 2 3 4 5\n@ 60 NS ns\n";

const CONSUL = zoneFile(`${SOA}
ftp.service.us-west-1 60 A 192.0.2.10
ftp.service.us-west-1 60 A 192.0.2.20
ftp-us-west-1 60 PTR ftp-us-west-1.service.consul.
ftp.service 60 A 192.0.2.30
_sip._tcp.service 60 SRV 1 2 5060 ftp.service.consul.
`);
const ORG = zoneFile(`${SOA}
@ 60 A 192.0.2.1
@ 60 MX 10 mail
mail 60 A 192.0.2.25
www 60 A 192.0.2.80
www 60 AAAA 2001:db8::80
a.www 60 A 192.0.2.81
alias 60 CNAME www
cdn 60 CNAME x.cdn.example.net.
deep 60 CNAME cdn
upper 60 CNAME WWW
`);
const ARPA = zoneFile(`${SOA}30.30.30.10.in-addr 60 PTR ftp-us-west-1.service.consul.\n`);
const COM = zoneFile(`${SOA}x.other.cdn 60 A 192.0.2.90\n`);

const BACKENDS = `file ${CONSUL} consul\n file ${ORG} example.org\n file ${ARPA} arpa\n file ${COM} com\n`;

globalThis.addEventListener(
  "unload",
  () => [CONSUL, ORG, ARPA, COM].forEach((path) => Deno.removeSync(path)),
);

async function withRules(rules: string, use: (block: AskedBlock) => Promise<void>): Promise<void> {
  const block = await startBlock(`.:1053 {\n${rules}\n${BACKENDS}}\n`);
  try {
    await use(block);
  } finally {
    await block.close();
  }
}

interface Case {
  readonly rules: string;
  readonly ask: string;
  readonly type?: string;
  readonly how?: BlockQuestion;
  /** Without authority and additional records unless they are looked at. */
  readonly reply: readonly string[];
  readonly whole?: true;
}

const A = "192.0.2.10", B = "192.0.2.20";

const cases: Case[] = [
  // Names.
  {
    rules: "rewrite name foo.example.com www.example.org",
    ask: "FOO.example.com",
    reply: ["NOERROR aa", "FOO.example.com. 60 A 192.0.2.80"],
  },
  {
    rules: "rewrite name exact foo.example.com. www.example.org.",
    ask: "x.foo.example.com",
    reply: ["NXDOMAIN aa"],
  },
  {
    rules: "rewrite name substring service.us-west-1.example.org service.us-west-1.consul answer auto",
    ask: "ftp.service.us-west-1.example.org",
    reply: [
      "NOERROR aa",
      `ftp.service.us-west-1.example.org. 60 A ${A}`,
      `ftp.service.us-west-1.example.org. 60 A ${B}`,
    ],
  },
  {
    rules: "rewrite name regex (.*)-(us-west-1)\\.example\\.org {1}.service.{2}.consul",
    ask: "ftp-us-west-1.example.org",
    reply: [
      "NOERROR aa",
      `ftp.service.us-west-1.consul. 60 A ${A}`,
      `ftp.service.us-west-1.consul. 60 A ${B}`,
    ],
  },
  {
    rules: `rewrite stop {
      name regex (.*)-(us-west-1)\\.coredns\\.rocks {1}.service.{2}.consul
      answer name (.*)\\.service\\.(us-west-1)\\.consul {1}-{2}.coredns.rocks
    }`,
    ask: "ftp-us-west-1.coredns.rocks",
    reply: ["NOERROR aa", `ftp-us-west-1.coredns.rocks. 60 A ${A}`, `ftp-us-west-1.coredns.rocks. 60 A ${B}`],
  },
  {
    rules: "rewrite name suffix .schmoogle.com. .example.org.",
    ask: "www.schmoogle.com",
    reply: ["NOERROR aa", "www.example.org. 60 A 192.0.2.80"],
  },
  {
    rules: "rewrite stop {\n name suffix .coredns.rocks .consul answer auto\n}",
    ask: "_sip._tcp.service.coredns.rocks",
    type: "SRV",
    whole: true,
    reply: [
      "NOERROR aa",
      "_sip._tcp.service.coredns.rocks. 60 SRV 1 2 5060 ftp.service.coredns.rocks.",
      "additional ftp.service.coredns.rocks. 60 A 192.0.2.30",
    ],
  },
  {
    rules: "rewrite name prefix web www answer auto",
    ask: "web.example.org",
    reply: ["NOERROR aa", "web.example.org. 60 A 192.0.2.80"],
  },
  { rules: "rewrite name prefix web www", ask: "webby.example.org", reply: ["NXDOMAIN aa"] },
  {
    rules: "rewrite name exact apex.example.com example.org",
    ask: "apex.example.com",
    type: "MX",
    whole: true,
    // Names below the one looked up are turned back with it.
    reply: [
      "NOERROR aa",
      "apex.example.com. 60 MX 10 mail.apex.example.com.",
      "additional mail.apex.example.com. 60 A 192.0.2.25",
    ],
  },
  {
    rules: `rewrite stop {
      name suffix .arpa .arpa
      answer name auto
      answer value (.*)\\.service\\.consul\\. {1}.coredns.rocks.
    }`,
    ask: "30.30.30.10.in-addr.arpa",
    type: "PTR",
    reply: ["NOERROR aa", "30.30.30.10.in-addr.arpa. 60 PTR ftp-us-west-1.coredns.rocks."],
  },
  {
    rules:
      "rewrite continue name a.example b.example\nrewrite continue name b.example c.example\nrewrite name c.example www.example.org",
    ask: "a.example",
    reply: ["NOERROR aa", "a.example. 60 A 192.0.2.80"],
  },
  {
    rules: "rewrite name a.example www.example.org\nrewrite name www.example.org mail.example.org",
    ask: "a.example",
    reply: ["NOERROR aa", "a.example. 60 A 192.0.2.80"],
  },
  {
    rules: "rewrite name regex ^(a+)$ {1}..org",
    ask: "a.example",
    reply: ["REFUSED"],
  },
  { rules: "rewrite name regex ^a {0}..org", ask: "a.example", reply: ["SERVFAIL"] },
  // Types and classes.
  {
    rules: "rewrite type AAAA A",
    ask: "www.example.org",
    type: "AAAA",
    reply: ["NOERROR aa", "www.example.org. 60 A 192.0.2.80"],
  },
  { rules: "rewrite type ANY HINFO", ask: "www.example.org", type: "ANY", reply: ["NOERROR aa"] },
  {
    rules: "rewrite class CH IN",
    ask: "www.example.org",
    how: { class: "CH" },
    reply: ["NOERROR aa", "www.example.org. 60 CH A 192.0.2.80"],
  },
  { rules: "rewrite class HS IN", ask: "www.example.org", how: { class: "CH" }, reply: ["REFUSED"] },
  // TTLs.
  {
    rules: "rewrite continue {\n ttl regex (.*)\\.example\\.org 15\n}",
    ask: "www.example.org",
    reply: ["NOERROR aa", "www.example.org. 15 A 192.0.2.80"],
  },
  {
    rules: "rewrite ttl example.org. 90-300",
    ask: "example.org",
    reply: ["NOERROR aa", "example.org. 90 A 192.0.2.1"],
  },
  {
    rules: "rewrite ttl example.org -30",
    ask: "example.org",
    reply: ["NOERROR aa", "example.org. 30 A 192.0.2.1"],
  },
  {
    rules: "rewrite ttl example.org 30-",
    ask: "example.org",
    reply: ["NOERROR aa", "example.org. 60 A 192.0.2.1"],
  },
  {
    rules: "rewrite ttl suffix example.org 5",
    ask: "www.example.org",
    reply: ["NOERROR aa", "www.example.org. 5 A 192.0.2.80"],
  },
  {
    rules: "rewrite ttl example.org 5",
    ask: "www.example.org",
    reply: ["NOERROR aa", "www.example.org. 60 A 192.0.2.80"],
  },
  // RCODEs: also where there is no record at all.
  { rules: "rewrite rcode regex (.*)\\.nowhere REFUSED NOERROR", ask: "x.nowhere", reply: ["NOERROR"] },
  { rules: "rewrite rcode substring nowhere 5 3", ask: "x.nowhere", reply: ["NXDOMAIN"] },
  { rules: "rewrite rcode prefix x SERVFAIL NOERROR", ask: "x.nowhere", reply: ["REFUSED"] },
  // Aliases.
  {
    rules: "rewrite cname regex (.*).cdn.example.net. {1}.other.cdn.com.",
    ask: "cdn.example.org",
    reply: ["NOERROR aa", "cdn.example.org. 60 CNAME x.other.cdn.com.", "x.other.cdn.com. 60 A 192.0.2.90"],
  },
  {
    rules: "rewrite cname suffix cdn.example.net other.cdn.com",
    ask: "deep.example.org",
    reply: [
      "NOERROR aa",
      "deep.example.org. 60 CNAME cdn.example.org.",
      "cdn.example.org. 60 CNAME x.other.cdn.com.",
      "x.other.cdn.com. 60 A 192.0.2.90",
    ],
  },
  {
    rules: "rewrite cname WWW.example.org mail.example.org",
    ask: "upper.example.org",
    reply: [
      "NOERROR aa",
      "upper.example.org. 60 CNAME mail.example.org.",
      "mail.example.org. 60 A 192.0.2.25",
    ],
  },
  {
    rules: "rewrite cname x.cdn.example.net x.other.cdn.com",
    ask: "cdn.example.org",
    type: "CNAME",
    reply: ["NOERROR aa", "cdn.example.org. 60 CNAME x.other.cdn.com."],
  },
  {
    rules:
      "rewrite continue name front.example cdn.example.org\nrewrite cname substring cdn.example.net other.cdn.com",
    ask: "front.example",
    reply: ["NOERROR aa", "front.example. 60 CNAME x.other.cdn.com.", "x.other.cdn.com. 60 A 192.0.2.90"],
  },
];

for (const { rules, ask, type = "A", how = {}, reply, whole } of cases) {
  Deno.test(`rewrite: '${rules.replace(/\s+/g, " ")}' for ${ask} ${type}`, () =>
    withRules(rules, async (block) => {
      const lines = await block.ask(ask, type, how);
      assert.deepEqual(whole ? lines : lines.filter((line) => !/^(authority|additional)/.test(line)), reply);
    }));
}

Deno.test("rewrite tells why a name is none to errors", () =>
  withRules("errors\nrewrite name regex ^a {0}..org", async (block) => {
    await block.ask("a.example");
    assert.match(
      block.virtual.logged.join("\n"),
      /a\.example\. A: invalid name after rewrite: Cannot read name "a\.\.org\."/,
    );
  }));

const LOCAL = 0xffee;

/** What the reply shows of local options, in hexadecimal. */
async function optionsOf(rules: string, sent?: string): Promise<string[]> {
  let shown: string[] = [];
  await withRules(rules, async (block) => {
    const options = sent === undefined ? [] : [{ code: LOCAL, data: new TextEncoder().encode(sent) }];
    const reply = await block.message("www.example.org", "A", { options });
    shown = reply!.edns!.options.filter(({ code }) => code === LOCAL)
      .map(({ data }) => new TextDecoder().decode(data));
  });
  return shown;
}

Deno.test("rewrite edns0 shows in the reply what was set, unless it is reverted", async () => {
  assert.deepEqual(await optionsOf("rewrite edns0 local set 0xffee 0x61626364"), ["abcd"]);
  assert.deepEqual(await optionsOf("rewrite edns0 local set 0xffee abcd revert"), []);
  assert.deepEqual(
    await optionsOf(
      "rewrite continue {\n edns0 local set 0xffee abcd\n}\nrewrite edns0 local replace 0xffee bcde revert",
    ),
    ["abcd"],
  );
  assert.deepEqual(await optionsOf("rewrite edns0 local replace 0xffee abcd", "x"), ["abcd"]);
  assert.deepEqual(await optionsOf("rewrite edns0 local replace 0xffee abcd revert", "x"), ["x"]);
  assert.deepEqual(await optionsOf("rewrite edns0 local replace 0xffee abcd"), []);
  assert.deepEqual(await optionsOf("rewrite edns0 local append 0xffee abcd", "x"), []);
  assert.deepEqual(await optionsOf("rewrite edns0 local unset 0xffee", "x"), []);
  assert.deepEqual(await optionsOf("rewrite edns0 local set 0xffee {qname}"), ["www.example.org."]);
  assert.deepEqual(await optionsOf("metadata\ngeo\nrewrite edns0 local set 0xffee {geoip/country/code}"), []);
});
