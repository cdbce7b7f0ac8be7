import assert from "node:assert/strict";
import { type ParseScope, Problems } from "../../../core/plugin.ts";
import bind from "../../../plugins/bind/mod.ts";
import { directivesOf } from "../../support/directives.ts";

function read(text: string) {
  const problems = new Problems();
  const config = problems.attempt(() => bind.parse(directivesOf(text), { problems } as ParseScope));
  return {
    hosts: config && bind.listenOn(config),
    errors: problems.errors.map(({ message, at }) => `${at.line}:${at.column} ${message}`),
  };
}

Deno.test("bind lists addresses and interfaces, of several directives too", () => {
  assert.deepEqual(read("bind 127.0.0.1 ::1\nbind eth0 fe80::1%eth0 br-1a2b.100"), {
    hosts: ["127.0.0.1", "::1", "eth0", "fe80::1%eth0", "br-1a2b.100"],
    errors: [],
  });
});

Deno.test("bind puts behind each host what its own except leaves out", () => {
  const text = "bind eth0 eth1 {\n except 192.0.2.1 fe80::1%eth0\n except lo\n}\nbind 192.0.2.1";
  assert.deepEqual(read(text).hosts, [
    "eth0!192.0.2.1!fe80::1%eth0!lo",
    "eth1!192.0.2.1!fe80::1%eth0!lo",
    "192.0.2.1",
  ]);
});

Deno.test("bind tells every word that is neither address nor interface", () => {
  const wrong = (word: string) =>
    `bind: ADDRESS or IFACE must be an IP address or the name of an interface: got '${word}'`;
  assert.deepEqual(read("bind 127.0.0.256 ::1 fe80:::1").errors, [
    `2:6 ${wrong("127.0.0.256")}`,
    `2:22 ${wrong("fe80:::1")}`,
  ]);
  assert.deepEqual(read("bind lo {\n except 192.0.2.0/24\n}").errors, [`3:9 ${wrong("192.0.2.0/24")}`]);
  assert.deepEqual(read("bind averylonginterfacename").errors, [`2:6 ${wrong("averylonginterfacename")}`]);
});

Deno.test("bind wants at least one host, and except something to leave out", () => {
  assert.match(read("bind").errors[0]!, /2:1 .*bind wants ADDRESS or IFACE/);
  assert.match(read("bind lo {\n except\n}").errors[0]!, /3:2 .*except wants ADDRESS or IFACE/);
  assert.match(
    read("bind lo {\n exept ::1\n}").errors[0]!,
    /unknown property 'exept'; did you mean 'except'\?/,
  );
});
