/** Holds the codec against dns-packet, which knows nothing of it: same octets, same records. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import dnsPacket from "dns-packet";
import { decodeMessage, encodeMessage } from "../../../core/dns/message.ts";
import { lineOf } from "./records.ts";

const hostName = fc.array(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/), {
  minLength: 1,
  maxLength: 4,
})
  .map((labels) => labels.join("."));
const u8 = fc.nat(255), u16 = fc.nat(65535), u32 = fc.nat(0xffffffff);
const some = (least: number) =>
  fc.uint8Array({ minLength: least, maxLength: 40 }).map((octets) => Buffer.from(octets));
const word = fc.stringMatching(/^[a-zA-Z0-9]{1,20}$/);
const types = fc.uniqueArray(fc.constantFrom("A", "NS", "MX", "TXT", "AAAA", "RRSIG", "NSEC", "CAA"), {
  minLength: 1,
});
const hex = (octets: Uint8Array) => octets.toHex().toUpperCase();
const base64 = (octets: Uint8Array) => octets.toBase64();
const time = (s: number) => new Date(s * 1000).toISOString().replace(/[-:T]|\.000Z/g, "");

/** For each type: data for dns-packet, and the RDATA it must read as. */
const DATA: Record<string, [fc.Arbitrary<any>, (data: any) => string]> = {
  A: [fc.ipV4(), (data) => data],
  NS: [hostName, (data) => `${data}.`],
  CNAME: [hostName, (data) => `${data}.`],
  DNAME: [hostName, (data) => `${data}.`],
  PTR: [hostName, (data) => `${data}.`],
  MX: [fc.record({ preference: u16, exchange: hostName }), (d) => `${d.preference} ${d.exchange}.`],
  TXT: [fc.array(some(0), { minLength: 1, maxLength: 3 }), () => ""],
  HINFO: [fc.record({ cpu: word, os: word }), (d) => `"${d.cpu}" "${d.os}"`],
  SOA: [
    fc.record({
      mname: hostName,
      rname: hostName,
      serial: u32,
      refresh: u32,
      retry: u32,
      expire: u32,
      minimum: u32,
    }),
    (d) => `${d.mname}. ${d.rname}. ${d.serial} ${d.refresh} ${d.retry} ${d.expire} ${d.minimum}`,
  ],
  SRV: [
    fc.record({ priority: u16, weight: u16, port: u16, target: hostName }),
    (d) => `${d.priority} ${d.weight} ${d.port} ${d.target}.`,
  ],
  CAA: [
    fc.record({ flags: u8, tag: word, value: word }),
    (d) => `${d.flags} ${d.tag} "${d.value}"`,
  ],
  TLSA: [
    fc.record({ usage: u8, selector: u8, matchingType: u8, certificate: some(1) }),
    (d) => `${d.usage} ${d.selector} ${d.matchingType} ${hex(d.certificate)}`,
  ],
  SSHFP: [
    fc.record({
      algorithm: fc.constant(4),
      hash: fc.constant(1),
      fingerprint: fc.uint8Array({ minLength: 20, maxLength: 20 }).map((f) => f.toHex()),
    }),
    (d) => `${d.algorithm} ${d.hash} ${d.fingerprint.toUpperCase()}`,
  ],
  NAPTR: [
    fc.record({
      order: u16,
      preference: u16,
      flags: word,
      services: word,
      regexp: word,
      replacement: hostName,
    }),
    (d) => `${d.order} ${d.preference} "${d.flags}" "${d.services}" "${d.regexp}" ${d.replacement}.`,
  ],
  DNSKEY: [
    fc.record({ flags: u16, algorithm: u8, key: some(1) }),
    (d) => `${d.flags} 3 ${d.algorithm} ${base64(d.key)}`,
  ],
  DS: [
    fc.record({ keyTag: u16, algorithm: u8, digestType: u8, digest: some(1) }),
    (d) => `${d.keyTag} ${d.algorithm} ${d.digestType} ${hex(d.digest)}`,
  ],
  RRSIG: [
    fc.record({
      typeCovered: fc.constantFrom("A", "NSEC", "SOA"),
      algorithm: u8,
      labels: u8,
      originalTTL: u32,
      expiration: u32,
      inception: u32,
      keyTag: u16,
      signersName: hostName,
      signature: some(1),
    }),
    (d) =>
      `${d.typeCovered} ${d.algorithm} ${d.labels} ${d.originalTTL} ${time(d.expiration)} ${
        time(d.inception)
      } ` +
      `${d.keyTag} ${d.signersName}. ${base64(d.signature)}`,
  ],
  NSEC: [fc.record({ nextDomain: hostName, rrtypes: types }), () => ""],
  NSEC3: [
    fc.record({
      algorithm: u8,
      flags: u8,
      iterations: u16,
      salt: some(0),
      nextDomain: some(1),
      rrtypes: types,
    }),
    () => "",
  ],
  RP: [fc.record({ mbox: hostName, txt: hostName }), (d) => `${d.mbox}. ${d.txt}.`],
};

/** What dns-packet reads, in a form that compares. */
function asRead(octets: Uint8Array): unknown {
  const { answers, questions, additionals } = dnsPacket.decode(Buffer.from(octets));
  return JSON.parse(JSON.stringify({ answers, questions, additionals }));
}

for (const [type, [data, text]] of Object.entries(DATA)) {
  Deno.test(`${type}: what dns-packet writes is read, and what is written dns-packet reads`, () => {
    fc.assert(
      fc.property(hostName, fc.nat(0x7fffffff), data, (name, ttl, value) => {
        const theirs = dnsPacket.encode({
          type: "response",
          id: 1,
          questions: [{ type: "A", name }],
          answers: [{ type, name, ttl, class: "IN", data: value } as dnsPacket.Answer],
        });
        const message = decodeMessage(theirs), line = lineOf(message.answer[0]!);
        const wanted = text(value);
        if (wanted) assert.equal(line, `${name}. ${ttl} ${type} ${wanted}`);
        else assert.ok(line.startsWith(`${name}. ${ttl} ${type} `) && !line.includes("\\#"), line);
        const ours = encodeMessage(message);
        assert.ok(ours.length < theirs.length);
        assert.deepEqual(asRead(ours), asRead(theirs));
      }),
      { seed: 1, numRuns: 40 },
    );
  });
}

Deno.test("AAAA: what dns-packet writes is read, and what is written dns-packet reads", () => {
  const theirs = dnsPacket.encode({
    type: "response",
    answers: [{ type: "AAAA", name: "a.example.org", ttl: 5, class: "IN", data: "2001:db8::1" }],
  });
  const message = decodeMessage(theirs);
  assert.equal(lineOf(message.answer[0]!), "a.example.org. 5 AAAA 2001:db8::1");
  assert.deepEqual(asRead(encodeMessage(message)), asRead(theirs));
});

Deno.test("OPT: dns-packet and we read each other's payload size, DO, ECS and EDE-free options", () => {
  const theirs = dnsPacket.encode({
    type: "query",
    questions: [{ type: "A", name: "a.example.org" }],
    additionals: [{
      type: "OPT",
      name: ".",
      udpPayloadSize: 1400,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: dnsPacket.DNSSEC_OK,
      flag_do: true,
      options: [
        { code: "CLIENT_SUBNET", ip: "198.51.100.0", sourcePrefixLength: 24, scopePrefixLength: 0 },
        { code: 10, data: Buffer.from("0102030405060708", "hex") },
      ],
    } as unknown as dnsPacket.Answer],
  });
  const message = decodeMessage(theirs);
  assert.equal(message.edns?.payloadSize, 1400);
  assert.equal(message.edns?.dnssecOk, true);
  assert.deepEqual(message.edns?.clientSubnet, {
    address: { family: 4, octets: Uint8Array.of(198, 51, 100, 0) },
    sourcePrefixLength: 24,
  });
  assert.deepEqual(asRead(encodeMessage(message)), asRead(theirs));
});
