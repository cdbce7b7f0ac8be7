/**
 * Corefile, question, reply: the examples of CoreDNS's manual, and what follows from it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type AskedBlock, type BlockQuestion, startBlock } from "../../support/block.ts";

async function withBlock(lines: string, use: (block: AskedBlock) => Promise<void>): Promise<void> {
  const block = await startBlock(`.:1053 {\n${lines}\n}\n`);
  try {
    await use(block);
  } finally {
    await block.close();
  }
}

interface Case {
  readonly name: string;
  readonly block: string;
  /** Question, how it is asked, and all lines of the reply. */
  readonly asked: readonly (readonly [question: string, reply: readonly string[], how?: BlockQuestion])[];
}

const SERVFAIL = ["SERVFAIL"];

const cases: Case[] = [
  {
    name: "everything is NXDOMAIN",
    block: "template ANY ANY {\n rcode NXDOMAIN\n}",
    asked: [["x.example A", ["NXDOMAIN aa"]], ["x.example TXT", ["NXDOMAIN aa"], { class: "CH" }]],
  },
  {
    name: ".invalid is NXDOMAIN",
    block: `template ANY ANY invalid {
      rcode NXDOMAIN
      authority "invalid. 60 {{ .Class }} SOA ns.invalid. hostmaster.invalid. (1 60 60 60 60)"
      ederror 21 "Blocked according to RFC2606"
    }
    whoami`,
    asked: [
      ["x.invalid A", [
        "NXDOMAIN aa",
        "authority invalid. 60 SOA ns.invalid. hostmaster.invalid. 1 60 60 60 60",
      ]],
      ["x.invalid A", [
        "NXDOMAIN aa",
        "authority invalid. 60 CH SOA ns.invalid. hostmaster.invalid. 1 60 60 60 60",
      ], {
        class: "CH",
      }],
      ["x.example A", ["REFUSED"], { class: "CH" }],
    ],
  },
  {
    name: "search domain completions are NXDOMAIN",
    block: `template IN ANY example.com {
      match "example\\.com\\.(dc1\\.example\\.com\\.)$"
      rcode NXDOMAIN
      authority "{{ index .Match 1 }} 60 IN SOA ns.{{ index .Match 1 }} hostmaster.{{ index .Match 1 }} (1 60 60 60 60)"
      fallthrough
    }
    template IN A {
      answer "{{ .Name }} 60 IN A 192.0.2.9"
    }`,
    asked: [
      ["a.example.com.dc1.example.com A", [
        "NXDOMAIN aa",
        "authority dc1.example.com. 60 SOA ns.dc1.example.com. hostmaster.dc1.example.com. 1 60 60 60 60",
      ]],
      ["b.example.com A", ["NOERROR aa", "b.example.com. 60 A 192.0.2.9"]],
    ],
  },
  {
    name: "A and PTR for .example",
    block: `template IN A example {
      match (^|[.])ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$
      answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
      fallthrough
    }
    template IN PTR in-addr.arpa {
      match ^(?P<d>[0-9]*)[.](?P<c>[0-9]*)[.](?P<b>[0-9]*)[.](?P<a>[0-9]*)[.]in-addr[.]arpa[.]$
      answer "{{ .Name }} 60 IN PTR ip-{{ .Group.a }}-{{ .Group.b }}-{{ .Group.c }}-{{ .Group.d }}.example."
    }`,
    asked: [
      ["ip-192-0-2-7.example A", ["NOERROR aa", "ip-192-0-2-7.example. 60 A 192.0.2.7"]],
      ["x.ip-192-0-2-7.example A", ["NOERROR aa", "x.ip-192-0-2-7.example. 60 A 192.0.2.7"]],
      ["7.2.0.192.in-addr.arpa PTR", ["NOERROR aa", "7.2.0.192.in-addr.arpa. 60 PTR ip-192-0-2-7.example."]],
      // Without fallthrough what does not match has nobody else.
      ["x.2.0.192.in-addr.arpa PTR", SERVFAIL],
      // With it, it comes to the end of the chain.
      ["no.example A", ["REFUSED"]],
      // What matches, and makes no record.
      ["ip-192-0-2-777.example A", SERVFAIL],
    ],
  },
  {
    name: "addresses of devices, bounded by a condition",
    block: `template IN A example.com {
      match ^(?P<ip>[0-9]{1,3}(-[0-9]{1,3}){3})[.](?P<id>[a-z2-7]{26})[.]example[.]com[.]$
      var ip replace(group('ip'), '-', '.')
      expr "any(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'], incidr(ip, #))"
      answer "{{ .Name }} 60 IN A {{ .Var.ip }}"
      fallthrough
    }`,
    asked: [
      [`10-1-2-3.${"a".repeat(26)}.example.com A`, [
        "NOERROR aa",
        `10-1-2-3.${"a".repeat(26)}.example.com. 60 A 10.1.2.3`,
      ]],
      [`192-0-2-3.${"a".repeat(26)}.example.com A`, ["REFUSED"]],
      // What is no address at all: the condition comes to nothing.
      [`10-1-2-300.${"a".repeat(26)}.example.com A`, SERVFAIL],
    ],
  },
  {
    name: "hexadecimal addresses",
    block: `template IN A example {
      match "^ip0a(?P<b>[a-f0-9]{2})(?P<c>[a-f0-9]{2})(?P<d>[a-f0-9]{2})[.]example[.]$"
      answer "{{ .Name }} 60 IN A 10.{{ parseInt .Group.b 16 8 }}.{{ parseInt .Group.c 16 8 }}.{{ parseInt .Group.d 16 8 }}"
      fallthrough
    }`,
    asked: [["IP0a7b7b7b.example A", ["NOERROR aa", "IP0a7b7b7b.example. 60 A 10.123.123.123"]]],
  },
  {
    name: "several regular expressions for one answer",
    block: `template IN A example {
      match "^ip-(?P<a>10)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]dc[.]example[.]$"
      match "^(?P<a>[0-9]*)[.](?P<b>[0-9]*)[.](?P<c>[0-9]*)[.](?P<d>[0-9]*)[.]ext[.]example[.]$"
      answer "{{ .Name }} 60 IN A {{ .Group.a}}.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
      fallthrough
    }`,
    asked: [
      ["ip-10-0-2-7.dc.example A", ["NOERROR aa", "ip-10-0-2-7.dc.example. 60 A 10.0.2.7"]],
      ["192.0.2.7.ext.example A", ["NOERROR aa", "192.0.2.7.ext.example. 60 A 192.0.2.7"]],
    ],
  },
  {
    name: "several sections",
    block: `template IN MX example {
      match ^ip-10-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$
      answer "{{ .Name }} 60 IN MX 10 {{ .Name }}"
      additional "{{ .Name }} 60 IN A 10.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"
      authority  "example. 60 IN NS ns0.example."
      authority  "example. 60 IN NS ns1.example."
      fallthrough
    }`,
    asked: [["ip-10-1-2-3.example MX", [
      "NOERROR aa",
      "ip-10-1-2-3.example. 60 MX 10 ip-10-1-2-3.example.",
      "authority example. 60 NS ns0.example.",
      "authority example. 60 NS ns1.example.",
      "additional ip-10-1-2-3.example. 60 A 10.1.2.3",
    ]]],
  },
  {
    name: "a fabricated CNAME, followed for addresses",
    block: `template IN ANY foogle.com {
      match "^foogle\\.com\\.$"
      answer "foogle.com 60 IN CNAME google.com"
    }
    template IN A google.com {
      answer "google.com IN 30 A 192.0.2.6"
    }`,
    asked: [
      ["foogle.com A", ["NOERROR aa", "foogle.com. 60 CNAME google.com.", "google.com. 30 A 192.0.2.6"]],
      ["foogle.com TXT", ["NOERROR aa", "foogle.com. 60 CNAME google.com."]],
    ],
  },
  {
    name: "aliases in a circle",
    block: `template IN A a.example {
      answer "{{ .Name }} 60 CNAME b.example."
    }
    template IN A b.example {
      answer "{{ .Name }} 60 CNAME a.example."
    }`,
    asked: [["a.example A", [
      "NOERROR aa",
      "a.example. 60 CNAME b.example.",
      "b.example. 60 CNAME a.example.",
    ]]],
  },
  {
    name: "records of one owner and type make one RRset, and the default TTL is an hour",
    block: `template IN ANY {
      answer "{{ .Name }} A 192.0.2.1" "{{ .Name }} 60 A 192.0.2.2"
      answer "{{ .Name }} 60 TXT \\"a b\\" {{ .Type }}"
    }`,
    asked: [["x.example ANY", [
      "NOERROR aa",
      "x.example. 3600 A 192.0.2.1",
      "x.example. 3600 A 192.0.2.2",
      'x.example. 60 TXT "a b" "ANY"',
    ]]],
  },
  {
    name: "what a template is given",
    block: `metadata
    geo
    template IN TXT example {
      match ^(?P<host>[a-z]+)[.]
      var length len(group('host')) + len(group(1))
      answer "{{ .Name }} 0 TXT {{ .Zone }} {{ .Type }} {{ .Class }} {{ .Remote }} {{ .Var.length }} {{ .Question.Qtype }} {{ .Message.Id }} {{ .Message.RecursionDesired }} \\"{{ .Regex }}\\" \\"{{ .Meta \`geoip/country/code\` }}\\""
    }`,
    asked: [["abc.example TXT", [
      "NOERROR aa",
      'abc.example. 0 TXT "example." "TXT" "IN" "198.51.100.7" "6" "16" "77" "false" "^(?P<host>[a-z]+)[.]" "DE"',
    ], { id: 77, source: "198.51.100.7" }]],
  },
  {
    name: "SERVFAIL as wanted",
    block: `template IN A {\n answer "x. 60 A 192.0.2.1"\n rcode SERVFAIL\n ederror 0\n}`,
    asked: [["x A", SERVFAIL]],
  },
  {
    name: "fallthrough in some zones",
    block: `template IN A example {
      match ^ok[.]
      answer "{{ .Name }} 60 A 192.0.2.1"
      fallthrough a.example
      upstream
    }
    whoami`,
    asked: [
      ["no.b.example A", SERVFAIL],
      ["no.b.example AAAA", [
        "NOERROR aa",
        "additional no.b.example. 0 A 127.0.0.1",
        "additional _udp.no.b.example. 0 SRV 0 0 5353 .",
      ]],
      ["ok.b.example A", ["NOERROR aa", "ok.b.example. 60 A 192.0.2.1"]],
      ["no.a.example A", [
        "NOERROR aa",
        "additional no.a.example. 0 A 127.0.0.1",
        "additional _udp.no.a.example. 0 SRV 0 0 5353 .",
      ]],
    ],
  },
];

for (const { name, block: lines, asked } of cases) {
  Deno.test(`template: ${name}`, () =>
    withBlock(lines, async (block) => {
      for (const [question, reply, how] of asked) {
        const [owner, type] = question.split(" ");
        assert.deepEqual(await block.ask(owner!, type, how), reply, question);
      }
    }));
}

Deno.test("template sends the extended error, and tells errors why it failed", () =>
  withBlock(
    `errors
    template IN A blocked {
      rcode NXDOMAIN
      ederror 15 "not here"
    }
    template IN A {
      answer "{{ .Name }} 60 A {{ index .Match 1 }}"
    }`,
    async (block) => {
      const reply = (await block.message("blocked"))!;
      assert.equal(new TextDecoder().decode(reply.edns!.options[0]!.data.subarray(2)), "not here");
      assert.deepEqual(await block.ask("x"), SERVFAIL);
      assert.match(block.virtual.logged.join(), /x\. A: answer '.*': index 1 of 1/);
    },
  ));

Deno.test("template says by scope and keys what an answer hangs on", () =>
  withBlock(
    `metadata
    geo
    template IN A {
      expr metadata('geoip/country/code') == 'DE'
      answer "{{ .Name }} 60 A 192.0.2.1"
      fallthrough
    }
    template IN A static {
      answer "{{ .Name }} 60 A 192.0.2.2"
    }
    template IN TXT {
      answer "{{ .Name }} 60 TXT {{ .Meta \`geoip/country/code\` }}x"
    }
    template IN MX {
      answer "{{ .Name }} 60 MX 10 ."
    }`,
    async (block) => {
      const scopeOf = async (type: string, subnet: string) =>
        (await block.message("static", type, { subnet }))!.edns!.options[0]!.data[3];
      assert.equal(await scopeOf("A", "198.51.100.0/24"), 24);
      // The first template was not for this client: that hangs on where it is, too.
      assert.equal(await scopeOf("A", "203.0.113.0/24"), 25);
      assert.equal(await scopeOf("TXT", "203.0.113.0/24"), 25);
      assert.equal(await scopeOf("MX", "203.0.113.0/24"), 0);
    },
  ));
