import assert from "node:assert/strict";
import { Control, parseBlock, withFile } from "./hosts_fixture.ts";

const FILE = `# a comment, and a line of nothing

127.0.0.1   localhost
192.0.2.1   Host.example.org  host   # and one behind
192.0.2.2   host.example.org
192.0.2.1   host.example.org
2001:db8::1 host.example.org
192.0.2.9   *.example.org
fe80::1%eth0 linked.example.net
::ffff:192.0.2.4 mapped.example.net
`;

/** Starts `hosts FILE ...` over a file of that text. */
async function serving(
  text: string,
  args: string,
  test: (control: Control, path: string) => void,
): Promise<void> {
  await withFile(text, (path) => {
    const { config, said } = parseBlock(`hosts ${path} ${args}`);
    assert.deepEqual(said, []);
    const control = new Control(config);
    try {
      test(control, path);
    } finally {
      control.close();
    }
  });
}

Deno.test("hosts answers A, AAAA and PTR from its file", async () => {
  await serving(FILE, "", (control) => {
    const table: [question: [string, ("A" | "AAAA" | "PTR" | "MX")?], answer: string][] = [
      [["localhost"], "NOERROR | localhost. 3600 IN A 127.0.0.1"],
      [["HOST"], "NOERROR | HOST. 3600 IN A 192.0.2.1"],
      [
        ["host.Example.ORG"],
        "NOERROR | host.Example.ORG. 3600 IN A 192.0.2.1 | host.Example.ORG. 3600 IN A 192.0.2.2",
      ],
      [["host.example.org", "AAAA"], "NOERROR | host.example.org. 3600 IN AAAA 2001:db8::1"],
      [["localhost", "AAAA"], "NOERROR"],
      [["localhost", "MX"], "NOERROR"],
      [["linked.example.net", "AAAA"], "NOERROR | linked.example.net. 3600 IN AAAA fe80::1"],
      [["mapped.example.net"], "NOERROR | mapped.example.net. 3600 IN A 192.0.2.4"],
      [
        ["1.2.0.192.in-addr.arpa", "PTR"],
        "NOERROR | 1.2.0.192.in-addr.arpa. 3600 IN PTR host.example.org. | 1.2.0.192.in-addr.arpa. 3600 IN PTR host.",
      ],
      [["9.2.0.192.in-addr.arpa", "PTR"], "next"],
      [["99.2.0.192.in-addr.arpa", "PTR"], "next"],
      [["nobody.example.com"], "SERVFAIL"],
      [["nobody.example.com", "MX"], "SERVFAIL"],
    ];
    for (const [[name, type], answer] of table) {
      assert.equal(control.ask(name, type), answer, `${name} ${type}`);
    }
  });
});

Deno.test("a wildcard stands for one label, and not for a name that is there", async () => {
  await serving(FILE, "", (control) => {
    assert.equal(control.ask("any.example.org"), "NOERROR | any.example.org. 3600 IN A 192.0.2.9");
    assert.equal(control.ask("any.example.org", "AAAA"), "NOERROR");
    assert.equal(control.ask("host.example.org", "MX"), "NOERROR");
    assert.equal(control.ask("example.org"), "SERVFAIL");
    assert.equal(control.ask("an.any.example.org"), "SERVFAIL");
    assert.equal(control.ask("*.example.org"), "NOERROR | *.example.org. 3600 IN A 192.0.2.9");
  });
});

Deno.test("hosts answers only in its zones, and leads back only to names in them", async () => {
  await serving(FILE, "example.net EXAMPLE.com", (control) => {
    assert.equal(control.ask("mapped.example.net"), "NOERROR | mapped.example.net. 3600 IN A 192.0.2.4");
    assert.equal(control.ask("host.example.org"), "next");
    assert.equal(control.ask("none.example.com"), "SERVFAIL");
    assert.equal(
      control.ask("4.2.0.192.in-addr.arpa", "PTR"),
      "NOERROR | 4.2.0.192.in-addr.arpa. 3600 IN PTR mapped.example.net.",
    );
    assert.equal(control.ask("1.2.0.192.in-addr.arpa", "PTR"), "next");
  });
});

Deno.test("hosts has the lines of its block behind those of the file, and its options", async () => {
  const block = "{\n192.0.2.8 host localhost\n2001:db8::8 new\nttl 60\nno_reverse\nfallthrough org\n}";
  await serving(FILE, block, (control) => {
    assert.equal(control.ask("host"), "NOERROR | host. 60 IN A 192.0.2.1 | host. 60 IN A 192.0.2.8");
    assert.equal(control.ask("new", "AAAA"), "NOERROR | new. 60 IN AAAA 2001:db8::8");
    assert.equal(control.ask("1.2.0.192.in-addr.arpa", "PTR"), "next");
    assert.equal(control.ask("none.example.net"), "SERVFAIL");
    assert.equal(control.ask("none.of.org"), "next");
    assert.equal(control.ask("host.example.org", "MX"), "NOERROR");
  });
});

Deno.test("hosts asks on for other types where it is told to", async () => {
  await serving(FILE, "{\nfallthrough org\nfallthrough_unsupported\n}", (control) => {
    assert.equal(control.ask("host.example.org", "MX"), "next");
    assert.equal(control.ask("localhost", "MX"), "NOERROR");
    assert.equal(control.ask("linked.example.net"), "NOERROR");
  });
});

Deno.test("hosts says what is wrong with its directive", async () => {
  await withFile("192.0.2.1 a\n", (path) => {
    const table: [text: string, said: RegExp[]][] = [
      [`hosts ${path}\nhosts ${path}`, [
        /^error Corefile:3:1 hosts: this plugin can only be used once per Server Block/,
      ]],
      [`hosts ${path} a..b`, [
        /^error Corefile:2:\d+ zone is not a valid domain name: a\.\.b; it has an empty label/,
      ]],
      [`hosts ${path} {\nttl 0\n}`, [/^error Corefile:3:5 ttl: SECONDS must be from 1 to 65535: got '0'/]],
      [`hosts ${path} {\nttl\n}`, [/^error Corefile:3:1 .*after 'ttl': ttl wants SECONDS/]],
      [`hosts ${path} {\nreload soon\n}`, [/^error Corefile:3:8 reload: DURATION must be a duration/]],
      [`hosts ${path} {\nrelod 5s\n}`, [
        /^error Corefile:3:1 hosts: unknown property 'relod'; did you mean 'reload'\?/,
      ]],
      [`hosts ${path} {\n192.0.2.1\n}`, [/^error Corefile:3:1 hosts: '192\.0\.2\.1' stands alone/]],
      [`hosts ${path} {\n192.0.2.1 a..b\n}`, [/^error Corefile:3:11 hosts: .*label/]],
      [`hosts ${path} {\nfallthrough\n192.0.2.1 a\n}`, [
        /^error Corefile:4:1 hosts: unknown property '192\.0\.2\.1'/,
      ]],
      [`hosts ${path} {\nfallthrough_unsupported\n}`, [/^error Corefile:3:1 hosts: .* requires fallthrough/]],
      [`hosts ${path}.no`, [/^warning Corefile:2:7 hosts: cannot read .*there is no such file/]],
      [`hosts /dev/zero`, [/^error Corefile:2:7 hosts: cannot read .*a device or a socket/]],
    ];
    for (const [text, expected] of table) {
      const { said } = parseBlock(text);
      assert.equal(said.length, expected.length, `${text}: ${said}`);
      expected.forEach((pattern, i) => assert.match(said[i]!, pattern));
    }
  });
});

Deno.test("hosts shows the lines of its file that make no sense, and takes the others", async () => {
  await withFile("192.0.2.1 a\n  nonsense here\n192.0.2.2\n192.0.2.3 b..c d\n", (path) => {
    const { config, said } = parseBlock(`hosts ${path}`);
    assert.deepEqual(said.map((line) => line.replace(`${path}:`, "")), [
      "warning 2:3 hosts: 'nonsense' is no IP address: the line is left out",
      "warning 3:1 hosts: '192.0.2.2' stands alone: wanted an address and names: the line is left out",
      'warning 4:1 hosts: Cannot read name "b..c": it has an empty label: the line is left out',
    ]);
    const control = new Control(config);
    assert.equal(control.ask("a"), "NOERROR | a. 3600 IN A 192.0.2.1");
    assert.equal(control.ask("d"), "NOERROR | d. 3600 IN A 192.0.2.3");
    control.close();
  });
  await withFile("nonsense\n", (path) => {
    assert.match(parseBlock(`hosts ${path}`).said[0]!, /^error .*no line of it is understood: line 1,/);
  });
});

Deno.test("hosts takes a list of a hundred thousand blocked names, each with the one address", async () => {
  const lines = Array.from({ length: 100_000 }, (_, i) => `0.0.0.0 ad${i}.example`);
  await serving(lines.join("\n"), "", (control) => {
    assert.equal(control.ask("ad99999.example"), "NOERROR | ad99999.example. 3600 IN A 0.0.0.0");
    assert.equal(control.table!.names.size, 100_000);
    assert.equal(new Set(control.table!.names.values()).size, 1);
    assert.equal(control.ask("0.0.0.0.in-addr.arpa", "PTR").split("|").length, 101);
  });
});

Deno.test("hosts takes its file anew when it has changed", async () => {
  await serving("192.0.2.1 a\n", "{\n192.0.2.7 fixed\n}", (control, path) => {
    Deno.writeTextFileSync(path, "192.0.2.2 a\n192.0.2.2 b\n");
    assert.equal(control.ask("a"), "NOERROR | a. 3600 IN A 192.0.2.1");
    control.clock.advance(5000);
    assert.equal(control.ask("a"), "NOERROR | a. 3600 IN A 192.0.2.2");
    assert.equal(control.ask("fixed"), "NOERROR | fixed. 3600 IN A 192.0.2.7");
    assert.deepEqual(control.counted, ["meridian_hosts_reloads_total taken"]);
    assert.equal(control.gauges["coredns_hosts_entries"], 6);
    assert.match(control.logged.join(), /^info: hosts: took .*, 6 entries$/);
    control.clock.advance(60_000);
    assert.equal(control.counted.length, 1);
  });
  await serving("192.0.2.1 a\n", "{\nreload 0\n}", (control, path) => {
    Deno.writeTextFileSync(path, "192.0.2.2 a\n\n");
    control.clock.advance(86_400_000);
    assert.equal(control.ask("a"), "NOERROR | a. 3600 IN A 192.0.2.1");
  });
});

Deno.test("hosts keeps what its file said when that can no longer be taken, and says so once", async () => {
  await serving("192.0.2.1 a\n", "", (control, path) => {
    const harms: [why: RegExp, harm: () => void][] = [
      [/there is no such file$/, () => Deno.removeSync(path)],
      [/it is empty/, () => Deno.writeTextFileSync(path, "")],
      [/no line of it is understood/, () => Deno.writeTextFileSync(path, "<html>\n")],
      [/it is no text/, () => Deno.writeFileSync(path, Uint8Array.of(1, 0, 2))],
    ];
    for (const [why, harm] of harms) {
      harm();
      control.clock.advance(20_000);
      assert.match(control.logged.pop()!, why);
      assert.deepEqual(control.logged, []);
      assert.equal(control.ask("a"), "NOERROR | a. 3600 IN A 192.0.2.1");
    }
    assert.equal(new Deno.Command("mkfifo", { args: [`${path}2`] }).outputSync().success, true);
    Deno.renameSync(`${path}2`, path);
    control.clock.advance(20_000);
    assert.match(control.logged.pop()!, /it is a FIFO/);
    Deno.removeSync(path);
    Deno.writeTextFileSync(path, "# nothing\n");
    control.clock.advance(5000);
    assert.equal(control.ask("a"), "SERVFAIL");
  });
});

Deno.test("hosts starts without its file, and takes it when it comes", async () => {
  await withFile("", (path) => {
    const { config } = parseBlock(`hosts ${path}.later {\n192.0.2.7 fixed\n}`);
    const control = new Control(config);
    assert.match(
      control.logged[0]!,
      /^warn: hosts: cannot read .* serving without it: there is no such file/,
    );
    assert.equal(control.ask("fixed"), "NOERROR | fixed. 3600 IN A 192.0.2.7");
    Deno.writeTextFileSync(`${path}.later`, "192.0.2.1 a\n");
    control.clock.advance(5000);
    assert.equal(control.ask("a"), "NOERROR | a. 3600 IN A 192.0.2.1");
    control.close();
  });
});
