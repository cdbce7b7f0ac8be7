import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { Problems } from "../../../core/plugin.ts";
import api from "../../../plugins/api/mod.ts";
import { isLoopback } from "../../../plugins/api/parse.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

function read(text: string, sharesState = true) {
  const problems = new Problems();
  const config = problems.attempt(() =>
    api.parse(directivesOf(text), parseScopeOf({ problems, sharesState, path: ({ text }) => `/etc/${text}` }))
  );
  return { config, errors: problems.errors.map(({ at, message }) => `${formatPosition(at)} ${message}`) };
}

Deno.test("parse() reads where it listens, for whom, and how much", () => {
  const { config, errors } = read(`api :8443 {
    tls a.pem a.key
    client-ca ca.pem
    certificate dns *.nodes.example.org node
    certificate common-name ops-* operator pool eu-*
    oidc https://login.example.org {
      audience meridian
      claim groups sre operator pool eu-*
    }
    body-max 4096
    rate 5
    approvals on all
  }`);
  assert.deepEqual(errors, []);
  assert.deepEqual(config, {
    hostname: "::",
    port: 8443,
    tls: { certificate: "/etc/a.pem", key: "/etc/a.key" },
    clientCa: "/etc/ca.pem",
    certificates: [
      { by: "dns", pattern: "*.nodes.example.org", grants: [{ role: "node" }] },
      { by: "common-name", pattern: "ops-*", grants: [{ role: "operator", pools: ["eu-*"] }] },
    ],
    oidc: [{
      issuer: "https://login.example.org",
      audience: ["meridian"],
      grants: [{ claim: "groups", value: "sre", grant: { role: "operator", pools: ["eu-*"] } }],
    }],
    bodyOctetsMax: 4096,
    approvals: "all",
    rate: { perSecond: 5, burst: 10 },
  });
  structuredClone(config);
});

Deno.test("parse() reads what issuers' tokens may be, and which certificates count no more", async () => {
  const file = await Deno.makeTempFile(), fingerprint = "AB:".repeat(31) + "CD";
  try {
    await Deno.writeTextFile(
      file,
      `# of the rack that was stolen\n${fingerprint}  # n7\n\n${"0f".repeat(32)}\n`,
    );
    const { config, errors } = read(`api localhost:8443 {
      tls a.pem a.key
      client-ca ca.pem
      revoked ${"0a".repeat(32)} ${fingerprint}
      revoked file ../../..${file}
      oidc https://login.example.org/realms/ops {
        audience meridian dns
        claim realm_access.roles eu operator pool eu-*
        person email
        jwks https://login.example.org/keys
        algorithms ES256 EdDSA
        skew 1m30s
        max-age 8h
      }
    }`);
    assert.deepEqual(errors, []);
    assert.deepEqual(config!.revoked, ["0a".repeat(32), fingerprint]);
    assert.deepEqual(config!.revokedFiles, [`/etc/../../..${file}`]);
    assert.deepEqual(config!.oidc, [{
      issuer: "https://login.example.org/realms/ops",
      audience: ["meridian", "dns"],
      grants: [{ claim: "realm_access.roles", value: "eu", grant: { role: "operator", pools: ["eu-*"] } }],
      ...{ jwksUrl: "https://login.example.org/keys", person: "email", algorithms: ["ES256", "EdDSA"] },
      ...{ skewSeconds: 90, maxAgeSeconds: 28_800 },
    }]);
    await Deno.writeTextFile(file, `${fingerprint}\nAB:CD\n`);
    assert.match(
      read(`api localhost:8443 {\ntls a b\nclient-ca c\nrevoked file ../../..${file}\n}`).errors.join(),
      /5:14 api: revoked: .*:2: Cannot use "AB:CD" as a fingerprint: wanted 64/,
    );
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("parse() refuses an address that others reach, without TLS", () => {
  for (const address of [":8443", "0.0.0.0:8443", "[::]:8443", "192.0.2.1:8443", "host.example:8443"]) {
    assert.match(
      read(`api ${address}`).errors.join(),
      /2:5 api: .* can be reached from other machines: want `tls/,
    );
  }
  for (const address of ["localhost:8443", "127.0.0.9:8443", "[::1]:8443"]) {
    assert.deepEqual(read(`api ${address}`).errors, []);
  }
  assert.equal(isLoopback("127.1.2.3"), true);
  assert.equal(isLoopback("::ffff:192.0.2.1"), false);
  assert.equal(isLoopback("::ffff:127.0.0.1"), true);
});

Deno.test("parse() says where and what is wrong", () => {
  const table: [text: string, message: RegExp, sharesState?: boolean][] = [
    ["api localhost:8443", /^Corefile:2:1 api: wants a store: `state sqlite FILE`/, false],
    ["api localhost", /2:5 api: ADDRESS must be \[HOST\]:PORT/],
    ["api localhost:8443 {\nclient-ca ca.pem\n}", /3:11 api: client-ca wants tls too/],
    ["api localhost:8443 {\ncertificate dns * wizard\n}", /3:19 api: certificate: .*wizard/],
    [
      "api localhost:8443 {\ncertificate dsn * viewer\n}",
      /3:13 certificate: KIND must be .*did you mean 'dns'/,
    ],
    ["api localhost:8443 {\ncertificate dns nodes node\n}", /3:17 api: certificate: .*with one \*/],
    [
      "api localhost:8443 {\noidc http://login.example.org {\naudience a\n}\n}",
      /3:6 api: oidc: .*wanted an https: URL/,
    ],
    ["api localhost:8443 {\noidc https://login.example.org\n}", /3:6 api: oidc: .*at least one audience/],
    [
      "api localhost:8443 {\noidc https://login.example.org {\naudience a\nclaim groups x nod\n}\n}",
      /5:16 api: claim: .*nod/,
    ],
    ["api localhost:8443 {\nsecrets file none.key\n}", /3:14 api: secrets: Cannot read .*none\.key/],
    ["api localhost:8443 {\nsecrets fil a.key\n}", /3:9 secrets: SOURCE must be .*did you mean 'file'/],
    ["api localhost:8443 {\nsecrets environment MERIDIAN_NO_KEY\n}", /3:21 api: secrets: .*is not set/],
    [
      "api localhost:8443 {\nsecrets credential none.key\n}",
      /3:20 api: secrets: Cannot find credential none/,
    ],
    [
      "api localhost:8443 {\ntls a b\nclient-ca c\nrevoked 12:34\n}",
      /5:9 api: revoked: Cannot use "12:34" as a/,
    ],
    [
      "api localhost:8443 {\ntls a b\nclient-ca c\nrevoked file none\n}",
      /5:14 api: revoked: cannot read none: there/,
    ],
    [`api localhost:8443 {\nrevoked ${"0a".repeat(32)}\n}`, /3:9 api: revoked wants client-ca too/],
    [
      "api localhost:8443 {\noidc https://a.example {\naudience a\nskew 10m\n}\n}",
      /5:6 skew: DURATION must be .*5m/,
    ],
    [
      "api localhost:8443 {\noidc https://a.example {\naudience a\nalgorithms HS256\n}\n}",
      /3:6 api: oidc: Cannot use "HS256" as an algorithm/,
    ],
    [
      "api localhost:8443 {\noidc https://a.example {\naudience a\n}\noidc https://a.example {\naudience b\n}\n}",
      /6:6 api: oidc: issuer https:\/\/a\.example stands twice/,
    ],
    ["api localhost:8443 {\nbody 3\n}", /3:1 api: unknown property 'body'/],
    ["api localhost:8443\napi localhost:8444", /3:1 api: stands twice/],
  ];
  for (const [text, message, sharesState] of table) {
    assert.match(read(text, sharesState).errors.join("\n"), message, text);
  }
});
