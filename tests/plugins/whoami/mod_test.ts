import assert from "node:assert/strict";
import { formatName, parseAddress, parseName, prepend, ROOT } from "../../../core/plugin.ts";
import { Problems } from "../../../core/plugin.ts";
import type { ParseScope } from "../../../core/plugin.ts";
import module, { whoami } from "../../../plugins/whoami/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

Deno.test("whoami() tells address, transport and port in the additional section alone", () => {
  const answer = whoami(contextOf());
  assert.deepEqual([answer.rcode, answer.authoritative], [0, true]);
  assert.deepEqual([answer.answer, answer.authority], [[], []]);
  assert.deepEqual(answer.additional.map(({ name, type, ttl }) => [formatName(name), type, ttl]), [
    ["WWW.example.org.", 1, 0],
    ["_udp.WWW.example.org.", 33, 0],
  ]);
  assert.deepEqual(answer.additional[0]!.rdata, [Uint8Array.of(192, 0, 2, 53)]);
  // SRV 0 0 50759 .
  assert.deepEqual(answer.additional[1]!.rdata, [Uint8Array.of(0, 0, 0, 0, 50759 >> 8, 50759 & 255, 0)]);
});

Deno.test("whoami() tells an IPv6 address as AAAA, and TCP", () => {
  const address = parseAddress("2001:db8::53")!;
  const { additional } = whoami(contextOf({ source: { address, port: 1 }, transport: "tcp" }, "."));
  assert.equal(additional[0]!.type, 28);
  assert.deepEqual(additional[0]!.rdata, [address.octets]);
  assert.equal(formatName(additional[1]!.name), "_tcp.");
});

Deno.test("whoami() leaves out the SRV record where the name has no room for another label", () => {
  let name = ROOT;
  for (const length of [63, 63, 63, 57]) name = prepend("a".repeat(length), name);
  assert.equal(name.length, 251);
  const question = { name, type: 1, class: 1 };
  assert.equal(whoami(contextOf({ question })).additional.length, 1);
  const shorter = { ...question, name: parseName(formatName(name).slice(1)) };
  assert.equal(whoami(contextOf({ question: shorter })).additional.length, 2);
});

Deno.test("whoami() depends on where the query came from, port included, and not on the client's network", () => {
  const { dependence } = whoami(contextOf());
  assert.deepEqual(dependence.keys, ["source", "port", "transport"]);
  assert.equal(dependence.scopePrefixLength, 0);
});

Deno.test("whoami takes neither arguments nor a block", () => {
  const problems = new Problems();
  module.parse(directivesOf("whoami extra {\n answer\n}"), { problems } as ParseScope);
  assert.deepEqual(problems.errors.map(({ message }) => message), [
    "Wrong argument count or unexpected line ending after 'extra': whoami takes no more here",
    "whoami: unknown property 'answer'; whoami has no options",
  ]);
});
