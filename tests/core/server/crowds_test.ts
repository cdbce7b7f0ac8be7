import assert from "node:assert/strict";
import { parseAddress } from "../../../core/net/address.ts";
import { Crowds } from "../../../core/server/crowds.ts";

const member = (text: string) => ({ source: parseAddress(text)!, text });
const at = (text: string) => parseAddress(text)!;

function crowdsOf(...texts: string[]) {
  const crowds = new Crowds<ReturnType<typeof member>>();
  const members = texts.map(member);
  for (const one of members) crowds.add(one);
  return { crowds, members };
}

Deno.test("crowds are those of an IPv4 address and its /24, of an IPv6 /64 and its /48", () => {
  const { crowds } = crowdsOf(
    "192.0.2.1",
    "192.0.2.1",
    "192.0.2.9",
    "2001:db8::1",
    "2001:db8::ffff:1",
    "2001:db8:0:9::",
  );
  assert.equal(crowds.atAddress(at("192.0.2.1")).size, 2);
  assert.equal(crowds.inNetwork(at("192.0.2.200")).size, 3);
  assert.equal(crowds.atAddress(at("2001:db8::7")).size, 2);
  assert.equal(crowds.inNetwork(at("2001:db8:0:1::")).size, 3);
  assert.equal(crowds.inNetwork(at("192.0.3.1")).size, 0);
  assert.equal(crowds.inNetwork(at("2001:db8:1::")).size, 0);
});

Deno.test("largerThanAt() is the largest address's crowd, else the largest network's, if a newcomer would make a smaller one", () => {
  const { crowds, members } = crowdsOf("192.0.2.1", "192.0.2.1", "192.0.2.1", "198.51.100.1");
  const textsAt = (text: string) => [...crowds.largerThanAt(at(text)) ?? []].map(({ text }) => text);
  assert.deepEqual(textsAt("203.0.113.1"), ["192.0.2.1", "192.0.2.1", "192.0.2.1"]);
  assert.deepEqual(textsAt("198.51.100.1"), ["192.0.2.1", "192.0.2.1", "192.0.2.1"]);
  assert.deepEqual(textsAt("192.0.2.1"), []);
  for (const one of members) crowds.delete(one);
  assert.deepEqual(textsAt("203.0.113.1"), []);
  const spread = crowdsOf("192.0.2.1", "192.0.2.2", "192.0.2.3", "198.51.100.1").crowds;
  assert.equal(spread.largerThanAt(at("203.0.113.1"))?.size, 3);
  assert.equal(spread.largerThanAt(at("192.0.2.4")), undefined);
});
