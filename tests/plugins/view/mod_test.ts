import assert from "node:assert/strict";
import { loadCorefile } from "../../../core/command/load.ts";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { parseAddress, Problems, ROOT } from "../../../core/plugin.ts";
import { plugins } from "../../../plugins/mod.ts";
import view from "../../../plugins/view/mod.ts";
import { startBlock } from "../../support/block.ts";
import { directivesOf } from "../../support/directives.ts";
import { encodeQuery } from "../../support/server.ts";
import { factsOf, parseScopeOf } from "../../support/scopes.ts";

const answering = (address: string) =>
  `template IN A {
    answer "{{ .Name }} 60 IN A ${address}"
  }`;

Deno.test("view says what is wrong in a condition, and where", () => {
  const table: [text: string, message: string][] = [
    ["view", "Corefile:2:1 Wrong argument count or unexpected line ending after 'view': view wants NAME"],
    ["view a", "Corefile:2:1 view: a has no condition: wanted expr EXPRESSION in its block"],
    ["view a {\n expr type(\n}", "Corefile:3:12 expr: found the end: wanted a value"],
    [
      "view a {\n expr\n}",
      "Corefile:3:2 Wrong argument count or unexpected line ending after 'expr': expr wants EXPRESSION",
    ],
    ["view a {\n expr name()\n}", "Corefile:3:7 expr: expr wants true or false: found a text"],
    ["view a {\n when true\n}", "Corefile:3:2 view: unknown property 'when'; view has expr"],
  ];
  for (const [text, message] of table) {
    const scope = parseScopeOf({ problems: new Problems() });
    scope.problems.attempt(() => view.parse(directivesOf(text), scope));
    assert.deepEqual(
      scope.problems.errors.map((error) => `${formatPosition(error.at)} ${error.message}`).slice(0, 1),
      [message],
    );
  }
});

Deno.test("the first block whose view holds answers, and the one without a view when none does", async () => {
  // CoreDNS's own example, of loopback and documentation addresses.
  const block = await startBlock(`
test:1053 {
  view example1 {
    expr incidr(client_ip(), '127.0.0.0/24')
  }
  ${answering("192.0.2.1")}
}
test:1053 {
  view example2 {
    expr incidr(client_ip(), '192.168.0.0/16')
  }
  ${answering("192.0.2.2")}
}
test:1053 {
  view v6 {
    expr incidr(client_ip(), '2001:0DB8::/32')
  }
  ${answering("192.0.2.3")}
}
test:1053 {
  ${answering("192.0.2.4")}
}
`);
  const from = async (source: string) => (await block.ask("test", "A", { source }))[1];
  assert.equal(await from("127.0.0.9"), "test. 60 A 192.0.2.1");
  assert.equal(await from("192.168.3.4"), "test. 60 A 192.0.2.2");
  assert.equal(await from("2001:db8::5"), "test. 60 A 192.0.2.3");
  assert.equal(await from("127.0.1.9"), "test. 60 A 192.0.2.4");
  const decisions: string[] = [];
  const address = parseAddress("192.168.3.4")!;
  await block.virtual.server.answering.examine(
    encodeQuery("test", "A"),
    { source: { address, port: 1 }, server: { address, port: 1053 }, transport: "udp" },
    ({ plugin, what }) => void (plugin === "view" && decisions.push(what)),
  );
  assert.deepEqual(decisions, [
    "the conditions of view example1 do not hold",
    "the conditions of view example2 hold",
  ]);
  await block.close();
});

Deno.test("a query that no view of a zone takes goes to the zone above, and is refused in the end", async () => {
  const block = await startBlock(`
www.example.org:1053 {
  view tcp {
    expr proto() == 'tcp'
  }
  ${answering("192.0.2.1")}
}
example.org:1053 {
  view a {
    expr type() in ['A', 'AAAA']
    expr name() matches '^w+\\\\.'
  }
  ${answering("192.0.2.2")}
}
`);
  assert.equal(
    (await block.ask("www.example.org", "A", { transport: "tcp" }))[1],
    "www.example.org. 60 A 192.0.2.1",
  );
  assert.equal((await block.ask("www.example.org"))[1], "www.example.org. 60 A 192.0.2.2");
  assert.deepEqual(await block.ask("x.example.org"), ["REFUSED"]);
  assert.deepEqual(await block.ask("www.example.org", "MX"), ["REFUSED"]);
  await block.close();
});

Deno.test("what a view looked at is in the scope of every answer, also behind the next block", async () => {
  const block = await startBlock(`
example.org:1053 {
  view german {
    expr metadata('geoip/country/code') == 'DE'
  }
  metadata
  geo
  ${answering("192.0.2.1")}
}
example.org:1053 {
  metadata
  geo
  ${answering("192.0.2.2")}
}
`);
  const scoped = async (subnet: string) => {
    const reply = (await block.message("example.org", "A", { subnet }))!;
    return [reply.answer[0]!.rdata.join("."), reply.edns!.options[0]!.data[3]];
  };
  assert.deepEqual(await scoped("198.51.100.0/24"), ["192.0.2.1", 24]);
  assert.deepEqual(await scoped("203.0.113.0/24"), ["192.0.2.2", 25]);
  await block.close();
});

Deno.test("a condition that comes to nothing does not hold", async () => {
  const block = await startBlock(`
example.org:1053 {
  view broken {
    expr incidr(name(), '192.0.2.0/24')
  }
  ${answering("192.0.2.1")}
}
example.org:1053 {
  ${answering("192.0.2.2")}
}
`);
  assert.equal((await block.ask("example.org"))[1], "example.org. 60 A 192.0.2.2");
  assert.deepEqual(block.virtual.logged, []);
  await block.close();
});

Deno.test("view warns of labels that nobody tells in its block", () => {
  const scope = parseScopeOf({ problems: new Problems() });
  const config = view.parse(directivesOf("view a {\n expr metadata('geoip/country/code') == 'DE'\n}"), scope);
  const warned = (facts: Parameters<typeof factsOf>[0]) => {
    const problems = new Problems();
    view.verify(config, factsOf(facts), problems);
    return problems.warnings.map(({ at, message }) => `${formatPosition(at)} ${message}`);
  };
  const empty = "Corefile:2:1 view: label 'geoip/country/code' is always empty: this server block has no";
  assert.deepEqual(warned({}), [`${empty} metadata`, `${empty} geo`]);
  assert.deepEqual(warned({ labelZones: [ROOT], plugins: ["geo"] }), []);
});

Deno.test("a view below a block that takes every query for its zone is told of", async () => {
  const text = `example.org:1053 {
  whoami
}
example.org:1053 example.net:1053 {
  view late {
    expr do()
  }
  whoami
}
`;
  const { problems } = await loadCorefile({ file: "Corefile", text }, plugins, 1053);
  assert.deepEqual(problems.errors, []);
  assert.deepEqual(problems.warnings.map(({ at, message }) => `${formatPosition(at)} ${message}`), [
    "Corefile:4:1 view late is never asked: the block at Corefile:1:1 takes every query for example.org.:1053, and must stand below",
  ]);
});
