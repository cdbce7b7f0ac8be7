import assert from "node:assert/strict";
import { Problems } from "../../../core/plugin.ts";
import local from "../../../plugins/local/mod.ts";
import { startBlock } from "../../support/block.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

const SOA = "604800 SOA localhost. root.localhost. 1 0 0 0 604800";
const V6 = `1.${"0.".repeat(31)}ip6.arpa.`;

Deno.test("local answers for the names of the asking machine", async () => {
  const block = await startBlock(".:1053 {\n local\n whoami\n}\n");
  const table: [name: string, type: string, reply: string[]][] = [
    ["localhost.", "A", ["NOERROR aa", "localhost. 604800 A 127.0.0.1"]],
    ["LOCALHOST.", "AAAA", ["NOERROR aa", "LOCALHOST. 604800 AAAA ::1"]],
    ["localhost.", "SOA", ["NOERROR aa", `localhost. ${SOA}`]],
    ["localhost.", "MX", ["NOERROR aa", `authority localhost. ${SOA}`]],
    ["a.b.localhost.", "A", ["NOERROR aa", "a.b.localhost. 604800 A 127.0.0.1"]],
    ["a.localhost.", "MX", ["NOERROR aa", `authority localhost. ${SOA}`]],
    ["localhost.example.org.", "A", ["NOERROR aa", "localhost.example.org. 604800 A 127.0.0.1"]],
    ["localhost.example.org.", "MX", ["NOERROR aa", `authority localhost.example.org. ${SOA}`]],
    ["1.0.0.127.in-addr.arpa.", "PTR", ["NOERROR aa", "1.0.0.127.in-addr.arpa. 604800 PTR localhost."]],
    ["1.0.0.127.in-addr.arpa.", "A", ["NOERROR aa", `authority 127.in-addr.arpa. ${SOA}`]],
    ["0.0.127.in-addr.arpa.", "A", ["NOERROR aa", `authority 127.in-addr.arpa. ${SOA}`]],
    ["2.0.0.127.in-addr.arpa.", "PTR", ["NXDOMAIN aa", `authority 127.in-addr.arpa. ${SOA}`]],
    ["255.in-addr.arpa.", "NS", ["NOERROR aa", "255.in-addr.arpa. 604800 NS localhost."]],
    ["1.0.in-addr.arpa.", "PTR", ["NXDOMAIN aa", `authority 0.in-addr.arpa. ${SOA}`]],
    [V6, "PTR", ["NOERROR aa", `${V6} 604800 PTR localhost.`]],
  ];
  for (const [name, type, reply] of table) {
    assert.deepEqual(await block.ask(name, type), reply, `${name} ${type}`);
  }
  assert.match((await block.ask("notlocalhost."))[1]!, /^additional notlocalhost. 0 A/);
  await block.close();
});

Deno.test("local leaves localhost.example.org alone under 'localhost_prefix off'", async () => {
  const block = await startBlock(".:1053 {\n local {\n localhost_prefix off\n }\n whoami\n}\n");
  assert.match((await block.ask("localhost.example.org."))[1]!, /^additional localhost.example.org. 0 A/);
  assert.equal((await block.ask("x.localhost."))[1], "x.localhost. 604800 A 127.0.0.1");
  await block.close();
});

Deno.test("local takes on or off, once", () => {
  const problems = new Problems();
  local.parse(directivesOf("local x {\n localhost_prefix yes\n}\nlocal"), parseScopeOf({ problems }));
  assert.deepEqual(problems.errors.map(({ message }) => message), [
    "local: stands twice in this server block: want it once",
    "Wrong argument count or unexpected line ending after 'x': local takes no more here",
    "localhost_prefix: localhost_prefix must be on or off: got 'yes'",
  ]);
});
