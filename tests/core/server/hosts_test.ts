import assert from "node:assert/strict";
import { hostAddresses, resolveHosts } from "../../../core/server/hosts.ts";

const INTERFACES = [
  { name: "lo", address: "127.0.0.1" },
  { name: "lo", address: "::1" },
  { name: "eth0", address: "192.0.2.1" },
  { name: "eth0", address: "192.0.2.2" },
  { name: "eth0", address: "2001:db8::1" },
  { name: "eth0", address: "fe80::1" },
  { name: "eth1", address: "fe80::1" },
];

function resolve(...hosts: string[]) {
  const { addresses, unknown } = resolveHosts(hosts, () => INTERFACES);
  return { addresses: [...addresses.keys()], unknown };
}

Deno.test("resolveHosts() takes every address when no host is given", () => {
  const everything = [
    "127.0.0.1",
    "::1",
    "192.0.2.1",
    "192.0.2.2",
    "2001:db8::1",
    "fe80::1%eth0",
    "fe80::1%eth1",
  ];
  assert.deepEqual(resolve(), { addresses: everything, unknown: [] });
  assert.deepEqual(resolve("::"), { addresses: everything, unknown: [] });
  assert.deepEqual(resolve("0.0.0.0").addresses, ["127.0.0.1", "192.0.2.1", "192.0.2.2"]);
});

Deno.test("resolveHosts() takes the addresses of an interface, and addresses as they stand", () => {
  assert.deepEqual(resolve("lo").addresses, ["127.0.0.1", "::1"]);
  assert.deepEqual(resolve("127.0.53.77", "lo", "127.0.0.1").addresses, ["127.0.53.77", "127.0.0.1", "::1"]);
  assert.deepEqual(resolve("2001:DB8:0::7").addresses, ["2001:db8::7"]);
  assert.deepEqual(resolve("fe80::1%eth0").addresses, ["fe80::1%eth0"]);
});

Deno.test("resolveHosts() leaves out what follows a !, of that host alone", () => {
  assert.deepEqual(resolve("eth0!192.0.2.1!fe80::1%eth0").addresses, ["192.0.2.2", "2001:db8::1"]);
  assert.deepEqual(resolve("::!eth0!eth1!::1").addresses, ["127.0.0.1"]);
  assert.deepEqual(resolve("lo!127.0.0.1", "127.0.0.1").addresses, ["::1", "127.0.0.1"]);
});

Deno.test("resolveHosts() tells names that stand for no address", () => {
  assert.deepEqual(resolve("eth9", "lo"), { addresses: ["127.0.0.1", "::1"], unknown: ["eth9"] });
});

Deno.test("resolveHosts() asks for no interfaces where only addresses are given", () => {
  const { addresses } = resolveHosts(["192.0.2.9", "::1"], () => assert.fail("asked"));
  assert.deepEqual([...addresses.keys()], ["192.0.2.9", "::1"]);
});

Deno.test("hostAddresses() gives canonical addresses without zones", () => {
  assert.deepEqual(hostAddresses(["eth1", "192.0.2.9"], () => INTERFACES), ["fe80::1", "192.0.2.9"]);
});
