import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import type { Actor } from "../../../core/access/actor.ts";
import {
  type CertificateConfig,
  type CertificateRule,
  checkCertificateConfig,
  verifyCertificate,
} from "../../../core/access/certificates.ts";
import { readCertificateNames } from "../../../core/access/der.ts";
import { makeCertificate } from "./peer_certificates.ts";

const RAW = await makeCertificate({
  subject: "/C=DE/O=Example/OU=a/OU=b/CN=Anna Ä/CN=second",
  names: [
    "DNS.1 = fra1.nodes.example.org",
    "DNS.2 = *.wild.example.org",
    "URI.1 = spiffe://example.org/node/fra1",
    "email.1 = anna@example.org",
    "IP.1 = 192.0.2.1",
    // One name each, that reads like two in the text that TLS libraries make of it.
    'DNS.3 = "evil.example\\, DNS:ops.example.org"',
    'URI.2 = "http://evil.example/\\, DNS:admin.example.org"',
  ],
});
const NOW = Date.now();

const verify = (
  rules: readonly CertificateRule[],
  more: Partial<CertificateConfig> = {},
  nowMs = NOW,
  raw = RAW,
) => verifyCertificate({ authorized: true, raw }, { rules, ...more }, nowMs);
const actorOf = (...args: Parameters<typeof verify>): Actor | undefined => {
  const verified = verify(...args);
  return "actor" in verified ? verified.actor : undefined;
};
const VIEWER = [{ role: "viewer" }] as const, NODE = [{ role: "node" }] as const;

Deno.test("readCertificateNames() reads each name whole, where the usual text shows two of one", () => {
  const { fromMs, untilMs, ...names } = readCertificateNames(RAW), other = new X509Certificate(RAW);
  assert.deepEqual(names, {
    commonNames: ["Anna Ä", "second"],
    dns: ["fra1.nodes.example.org", "*.wild.example.org", "evil.example, DNS:ops.example.org"],
    uris: ["spiffe://example.org/node/fra1", "http://evil.example/, DNS:admin.example.org"],
    emails: ["anna@example.org"],
  });
  assert.deepEqual([fromMs, untilMs], [Date.parse(other.validFrom), Date.parse(other.validTo)]);
});

Deno.test("readCertificateNames() reads a certificate without alternative names", async () => {
  const { commonNames, dns } = readCertificateNames(await makeCertificate({ subject: "/CN=fra1" }));
  assert.deepEqual([commonNames, dns], [["fra1"], []]);
});

Deno.test("readCertificateNames() throws SyntaxError and nothing else, whatever octets it gets", () => {
  const attempt = (octets: Uint8Array) => {
    try {
      readCertificateNames(octets);
    } catch (error) {
      assert.ok(error instanceof SyntaxError, `${error}`);
    }
  };
  for (let length = 0; length < RAW.length; length++) {
    assert.throws(() => readCertificateNames(RAW.slice(0, length)), SyntaxError);
  }
  fc.assert(
    fc.property(fc.nat(RAW.length - 1), fc.nat(255), (at, octet) => {
      const changed = RAW.slice();
      changed[at] = octet;
      attempt(changed);
    }),
    { numRuns: 2000, seed: 1 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), attempt), { numRuns: 500, seed: 2 });
});

Deno.test("verifyCertificate() takes the first rule that matches, by each kind of name", () => {
  const id = (by: CertificateRule["by"], pattern: string) => actorOf([{ by, pattern, grants: VIEWER }])?.id;
  assert.equal(id("common-name", "anna ä"), "certificate:Anna Ä");
  assert.equal(id("common-name", "second"), "certificate:second");
  assert.equal(id("dns", "FRA1.nodes.example.org"), "certificate:fra1.nodes.example.org");
  assert.equal(id("uri", "spiffe://example.org/*"), "certificate:spiffe://example.org/node/fra1");
  assert.equal(id("email", "*@example.org"), "certificate:anna@example.org");
  const both = actorOf([
    { by: "dns", pattern: "nobody", grants: [{ role: "admin" }] },
    { by: "email", pattern: "anna@*", grants: VIEWER },
    { by: "email", pattern: "*", grants: [{ role: "admin" }] },
  ]);
  assert.deepEqual(both, {
    ...{
      id: "certificate:anna@example.org",
      way: "certificate",
      grants: VIEWER,
      people: ["anna@example.org"],
    },
  });
});

Deno.test("verifyCertificate() does not find a name within a name, nor let a wildcard stand for somebody", () => {
  for (
    const pattern of [
      "ops.example.org",
      "admin.example.org",
      "evil.example",
      "a.wild.example.org",
      "*.wild.*",
    ]
  ) {
    const verified = verify([{ by: "dns", pattern, grants: VIEWER }]);
    assert.ok("fault" in verified && /stands for nobody/.test(verified.fault), pattern);
  }
});

Deno.test("verifyCertificate() takes a node's id from where the star is", () => {
  const node = (by: CertificateRule["by"], pattern: string) => actorOf([{ by, pattern, grants: NODE }]);
  assert.deepEqual(node("dns", "*.nodes.example.org"), {
    ...{ id: "certificate:fra1", way: "certificate", grants: NODE, node: "fra1" },
    people: ["fra1.nodes.example.org"],
  });
  assert.equal(node("uri", "spiffe://example.org/node/*")!.node, "fra1");
  for (const pattern of ["fra1.*", "*.example.org", "fra1.nodes.example.org*", "*"]) {
    assert.equal(node("dns", pattern), undefined, pattern);
  }
  assert.equal(node("uri", "spiffe://example.org/*"), undefined);
});

Deno.test("verifyCertificate() takes none that is unsigned, revoked, too early or too late, though the connection stands", () => {
  const rules: CertificateRule[] = [{ by: "dns", pattern: "fra1.*", grants: VIEWER }];
  assert.ok(actorOf(rules));
  const unsigned = verifyCertificate({ authorized: false, raw: RAW }, { rules }, NOW);
  assert.ok("fault" in unsigned && unsigned.isGenuine === undefined);
  const { fingerprint256 } = new X509Certificate(RAW);
  for (const revoked of [fingerprint256, fingerprint256.replaceAll(":", "").toLowerCase()]) {
    assert.equal(actorOf(rules, { revoked: [revoked] }), undefined);
  }
  const { fromMs, untilMs } = readCertificateNames(RAW);
  assert.deepEqual(
    [fromMs - 1, fromMs, untilMs, untilMs + 1].map((nowMs) => actorOf(rules, {}, nowMs) !== undefined),
    [
      false,
      true,
      true,
      false,
    ],
  );
  assert.equal(actorOf(rules, {}, NOW, RAW.slice(0, 100)), undefined);
});

Deno.test("checkCertificateConfig() refuses what maps to no one node, and names the field", () => {
  const rule = (more: object) => ({
    rules: [{ by: "dns", pattern: "*.example.org", grants: NODE, ...more }],
  });
  const cases: [object, string][] = [
    [rule({ by: "ip" }), "rules.0.by"],
    [rule({ by: "constructor" }), "rules.0.by"],
    [rule({ pattern: "" }), "rules.0.pattern"],
    [rule({ pattern: "fra1.example.org" }), "rules.0"],
    [rule({ pattern: "*.*" }), "rules.0"],
    [rule({ grants: [...NODE, ...VIEWER] }), "rules.0"],
    [rule({ grants: [] }), "rules.0.grants"],
    [{ rules: [], revoked: ["AB:CD"] }, "revoked.0"],
  ];
  checkCertificateConfig(rule({}) as CertificateConfig);
  for (const [config, field] of cases) {
    assert.throws(
      () => checkCertificateConfig(config as CertificateConfig),
      { kind: "invalid", field },
      field,
    );
  }
});
