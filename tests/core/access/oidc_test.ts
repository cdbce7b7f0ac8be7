import assert from "node:assert/strict";
import { createHmac, createPublicKey } from "node:crypto";
import { exportSPKI, importJWK, SignJWT } from "jose";
import type { Actor } from "../../../core/access/actor.ts";
import { isSafeUrl } from "../../../core/access/issuer_keys.ts";
import { checkOidcConfig, grantsOfClaims, type OidcConfig, OidcVerifier } from "../../../core/access/oidc.ts";
import type { Unverified } from "../../../core/access/verifier.ts";
import { type Clock, ManualClock } from "../../../core/clock.ts";
import { AUDIENCE, FakeIssuer, ISSUER, type IssuerKey, makeKey, rawToken } from "./issuer.ts";

const CONFIG: OidcConfig = {
  issuer: ISSUER,
  audience: [AUDIENCE],
  grants: [
    { claim: "groups", value: "dns-ops", grant: { role: "operator", pools: ["eu-*"] } },
    { claim: "realm_access.roles", value: "dns-admin", grant: { role: "admin" } },
    { claim: "sub", value: "*", grant: { role: "viewer" } },
  ],
};

const KEY = await makeKey("a"), OTHER = await makeKey("b"), RSA = await makeKey("r", "RS256");

interface Scene {
  readonly clock: ManualClock;
  readonly issuer: FakeIssuer;
  readonly verifier: OidcVerifier;
}

function scene(config: Partial<OidcConfig> = {}, ...keys: readonly IssuerKey[]): Scene {
  const clock = new ManualClock(Date.UTC(2026, 10, 23)),
    issuer = new FakeIssuer(clock, ...keys.length ? keys : [KEY]);
  const issuers = [{ ...CONFIG, ...config }];
  return { clock, issuer, verifier: new OidcVerifier({ issuers, fetch: issuer.fetch, clock }) };
}

async function actorOf({ verifier }: Scene, token: string): Promise<Actor> {
  assert.ok(verifier.recognises(token));
  const verified = await verifier.verify(token);
  assert.ok("actor" in verified, JSON.stringify(verified));
  return verified.actor;
}

async function faultOf({ verifier }: Scene, token: string): Promise<Unverified> {
  const verified = await verifier.verify(token);
  assert.ok("fault" in verified, JSON.stringify(verified));
  return verified;
}

Deno.test("a token is somebody with what the claims are worth, told apart by issuer and subject", async () => {
  const world = scene();
  const token = await world.issuer.token(KEY, { groups: ["x", "dns-ops"], realm_access: { roles: ["y"] } });
  assert.deepEqual(await actorOf(world, token), {
    id: "oidc:17@login.example.org/realms/ops",
    way: "oidc",
    people: ["17@login.example.org/realms/ops", "17@login.example.org/realms/ops"],
    grants: [{ role: "operator", pools: ["eu-*"] }, { role: "viewer" }],
  });
});

Deno.test("a person can be named by e-mail, if the issuer has verified that", async () => {
  const world = scene({ person: "email" }), email = "Anna@example.org";
  const actor = await actorOf(world, await world.issuer.token(KEY, { email, email_verified: true }));
  assert.deepEqual([actor.id, actor.people], [
    "oidc:Anna@example.org",
    ["Anna@example.org", "17@login.example.org/realms/ops"],
  ]);
  for (
    const claims of [{ email }, { email, email_verified: "true" }, { email_verified: true }, {
      email: ["a", "b"],
    }]
  ) {
    assert.match(
      (await faultOf(world, await world.issuer.token(KEY, claims))).fault,
      /verified|names nobody/,
    );
  }
  for (const sub of ["", "a b", "a\nb", "a\u202eb", "x".repeat(256)]) {
    assert.match(
      (await faultOf(scene(), await world.issuer.token(KEY, { sub }))).fault,
      /names nobody|missing/,
    );
  }
});

Deno.test("every algorithm that is allowed works", async () => {
  for (const alg of ["RS256", "PS256", "ES256", "ES384", "EdDSA"]) {
    const key = await makeKey("k", alg), world = scene({}, key);
    await actorOf(world, await world.issuer.token(key));
  }
});

Deno.test("wrong issuer, audience, time, type or shape: no token is taken", async () => {
  const world = scene(), now = world.clock.nowMs() / 1000;
  const cases: [object, RegExp][] = [
    [{ iss: "https://evil.example" }, /no issuer that is trusted/],
    [{ iss: `${ISSUER}/` }, /no issuer that is trusted/],
    [{ iss: [ISSUER] }, /no issuer that is trusted/],
    [{ iss: undefined }, /no issuer that is trusted/],
    [{ aud: "other" }, /"aud"/],
    [{ aud: ["other", "meridian2"] }, /"aud"/],
    [{ aud: undefined }, /"aud"/],
    [{ aud: { meridian: true } }, /"aud"/],
    [{ exp: now - 31 }, /expired/],
    [{ exp: undefined }, /"exp"/],
    [{ exp: `${now + 600}` }, /"exp"/],
    [{ nbf: now + 31 }, /"nbf"/],
    [{ iat: now + 31 }, /"iat"/],
    [{ iat: undefined }, /"iat"/],
    [{ iat: now - 86_431, exp: now + 600 }, /too old/],
    [{ sub: undefined }, /"sub"/],
    [{ cnf: { jkt: "x" } }, /bound to a key/],
  ];
  for (const [claims, why] of cases) {
    assert.match(
      (await faultOf(world, await world.issuer.token(KEY, claims))).fault,
      why,
      JSON.stringify(claims),
    );
  }
  for (const typ of ["logout+jwt", "secevent+jwt", "application/dpop+jwt"]) {
    assert.match((await faultOf(world, await world.issuer.token(KEY, {}, { typ }))).fault, /of type/);
  }
  for (const typ of ["JWT", "at+jwt", "application/at+jwt", undefined]) {
    await actorOf(world, await world.issuer.token(KEY, {}, { typ }));
  }
});

Deno.test("clocks may be apart by as much as is said, and no more", async () => {
  const world = scene({ skewSeconds: 60 }), now = world.clock.nowMs() / 1000;
  await actorOf(world, await world.issuer.token(KEY, { exp: now - 59, iat: now + 60, nbf: now + 60 }));
  await faultOf(world, await world.issuer.token(KEY, { exp: now - 60 }));
  const strict = scene({ skewSeconds: 0, maxAgeSeconds: 60 });
  await actorOf(strict, await strict.issuer.token(KEY, { iat: now - 60 }));
  assert.equal((await faultOf(strict, await strict.issuer.token(KEY, { iat: now - 61 }))).isGenuine, true);
});

Deno.test("a signature by another key, of another text, or none is nobody's", async () => {
  const world = scene(),
    token = await world.issuer.token(KEY),
    [header, payload, signature] = token.split(".");
  const claims = JSON.parse(atob(payload!.replaceAll("-", "+").replaceAll("_", "/")));
  const forged = rawToken({ alg: "ES256", kid: "a" }, { ...claims, groups: ["dns-ops"] }, signature);
  const wrong = [
    await world.issuer.token({ ...OTHER, kid: "a" }),
    forged,
    `${header}.${payload}.`,
    `${header}.${payload}.${signature!.slice(2)}`,
    rawToken({ alg: "ES256", kid: "a" }, claims, "A".repeat(86)),
  ];
  for (const one of wrong) {
    const { fault, isGenuine } = await faultOf(world, one);
    assert.match(fault, /signature|Signature/, one);
    assert.equal(isGenuine, undefined);
  }
});

Deno.test('"none" is no algorithm, however it is written', async () => {
  const world = scene(), now = world.clock.nowMs() / 1000;
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: "17", iat: now, exp: now + 600 };
  for (const alg of ["none", "None", "NONE", "nOnE", "", null, undefined, 0, ["ES256"]]) {
    await faultOf(world, rawToken({ alg, kid: "a" }, claims));
    await faultOf(world, rawToken({ alg, kid: "a" }, claims, "AAAA"));
  }
});

Deno.test("the public key is no secret to sign with: HS256 over its PEM, its DER or its JWK is refused", async () => {
  const world = scene({}, RSA), now = world.clock.nowMs() / 1000;
  const claims = { iss: ISSUER, aud: AUDIENCE, sub: "17", iat: now, exp: now + 600 };
  const pem = await exportSPKI(await importJWK(RSA.jwk, "RS256") as unknown as CryptoKey);
  const der = createPublicKey(pem).export({ type: "spki", format: "der" });
  for (const alg of ["HS256", "HS384", "HS512"]) {
    const text = rawToken({ alg, kid: "r" }, claims).slice(0, -1);
    for (const secret of [pem, pem.trim(), der, JSON.stringify(RSA.jwk), ""]) {
      const mac = createHmac(`sha${alg.slice(2)}`, secret).update(text).digest("base64url");
      await faultOf(world, `${text}.${mac}`);
    }
  }
});

Deno.test("a symmetric or a private key in the issuer's set is not used", async () => {
  const world = scene(), now = world.clock.nowMs() / 1000, k = btoa("0123456789abcdef0123456789abcdef");
  world.issuer.keys.push({ kty: "oct", kid: "s", alg: "HS256", k }, { ...OTHER.jwk, d: "AAAA", kid: "p" });
  const text = rawToken({ alg: "HS256", kid: "s" }, {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "1",
    iat: now,
    exp: now + 9,
  });
  const mac = createHmac("sha256", atob(k)).update(text.slice(0, -1)).digest("base64url");
  await faultOf(world, `${text}${mac}`);
  assert.match((await faultOf(world, await world.issuer.token({ ...OTHER, kid: "p" }))).fault, /no such key/);
  assert.equal(world.verifier.status[0]!.keys, 1);
});

Deno.test("a token's own key is not looked at: not in the header, not at an address that it names", async () => {
  const world = scene();
  for (
    const header of [
      { jwk: OTHER.jwk },
      { jwk: OTHER.jwk, kid: undefined },
      { jku: "https://evil.example/keys" },
      { x5u: "https://evil.example/cert" },
      { x5c: ["MIIB"] },
    ]
  ) {
    await faultOf(world, await world.issuer.token(OTHER, {}, header));
    await faultOf(world, await world.issuer.token({ ...OTHER, kid: "a" }, {}, header));
  }
  assert.deepEqual(world.issuer.asked.filter((url) => !url.startsWith(ISSUER)), []);
});

Deno.test("a key id is a name in the issuer's set and nothing else", async () => {
  const world = scene();
  await actorOf(world, await world.issuer.token(KEY));
  for (
    const kid of [
      "../../etc/passwd",
      "' OR 1=1 --",
      "__proto__",
      "constructor",
      "0",
      "http://evil.example/a",
      "",
    ]
  ) {
    assert.match(
      (await faultOf(world, await world.issuer.token(KEY, {}, { kid }))).fault,
      /no such key/,
      kid,
    );
  }
  await faultOf(world, rawToken({ alg: "ES256", kid: 0 }, JSON.parse(`{"iss":"${ISSUER}"}`), "AAAA"));
});

Deno.test("an algorithm that is not among the issuer's is refused though the key would fit", async () => {
  const world = scene({ algorithms: ["PS256"] }, await makeKey("r", "PS256"), KEY);
  assert.match((await faultOf(world, await world.issuer.token(KEY))).fault, /alg/);
});

Deno.test("a token with a critical header that is not understood is refused, though its signature is right", async () => {
  const world = scene(), now = world.clock.nowMs() / 1000;
  const token = await new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: "17", iat: now, exp: now + 600 })
    .setProtectedHeader({ alg: "ES256", kid: "a", crit: ["x"], x: 1 }).sign(KEY.privateKey, {
      crit: { x: true },
    });
  assert.match((await faultOf(world, token)).fault, /x/);
  await actorOf(world, await world.issuer.token(KEY, {}, { x: 1 }));
});

Deno.test("a token that is no token, or a huge one, is refused and throws nothing", async () => {
  const world = scene();
  for (
    const one of [
      "eyJ",
      "eyJ..",
      "eyJhbGciOiJub25lIn0.e30.",
      "eyJ%.e30.x",
      `eyJ.${"A".repeat(20_000)}.x`,
      "a.b",
      "",
    ]
  ) {
    await faultOf(world, one);
  }
  assert.deepEqual([world.verifier.recognises("mer_a_b"), world.verifier.recognises("eyJhbGci.e30.a.b.c")], [
    false,
    false,
  ]);
  assert.deepEqual(world.issuer.asked, []);
});

Deno.test("keys come from where the issuer's metadata says, which has to be about that issuer", async () => {
  const world = scene();
  await actorOf(world, await world.issuer.token(KEY));
  assert.deepEqual(world.issuer.asked, [`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/keys`]);
  for (
    const metadata of [
      { issuer: "https://other.example", jwks_uri: `${ISSUER}/keys` },
      { issuer: ISSUER, jwks_uri: "http://login.example.org/keys" },
      { issuer: ISSUER, jwks_uri: "file:///etc/passwd" },
      { issuer: ISSUER },
      null,
      "text",
    ]
  ) {
    const other = scene();
    other.issuer.metadata = metadata;
    assert.equal((await faultOf(other, await other.issuer.token(KEY))).isUnavailable, true);
  }
  const direct = scene({ jwksUrl: `${ISSUER}/keys` });
  await actorOf(direct, await direct.issuer.token(KEY));
  assert.deepEqual(direct.issuer.asked, [`${ISSUER}/keys`]);
});

Deno.test("keys are kept while the issuer is away, with their age, for a day", async () => {
  const world = scene({ jwksUrl: `${ISSUER}/keys` });
  await actorOf(world, await world.issuer.token(KEY));
  world.issuer.instead = () => Promise.reject(new Error("no route to host"));
  world.clock.advance(3_600_000);
  await actorOf(world, await world.issuer.token(KEY));
  await actorOf(world, await world.issuer.token(KEY));
  assert.deepEqual(world.verifier.status, [
    { issuer: ISSUER, keys: 1, ageMs: 3_600_000, fault: "no route to host" },
  ]);
  world.clock.advance(23 * 3_600_000);
  await actorOf(world, await world.issuer.token(KEY));
  world.clock.advance(1);
  const { fault, isUnavailable } = await faultOf(world, await world.issuer.token(KEY));
  assert.match(fault, /24 hours old, and no route to host/);
  assert.equal(isUnavailable, true);
  world.issuer.instead = undefined;
  world.clock.advance(30_000);
  await actorOf(world, await world.issuer.token(KEY));
  assert.deepEqual(world.verifier.status, [{ issuer: ISSUER, keys: 1, ageMs: 0 }]);
});

Deno.test("without any keys it is the issuer that is away, not the token that is wrong", async () => {
  for (
    const instead of [
      () => new Response("", { status: 500 }),
      () => new Response("not JSON"),
      () => Response.json({ keys: [] }),
      () => Response.json({ keys: "none" }),
      () => Response.json([null]),
      () => Response.json({ keys: [null, 7, { kty: "oct", k: "AAAA" }] }),
      () => Response.json({ keys: [KEY.jwk], padding: "x".repeat(300_000) }),
      () => Promise.reject(new TypeError("redirect")),
    ]
  ) {
    const world = scene({ jwksUrl: `${ISSUER}/keys` });
    world.issuer.instead = instead;
    assert.equal((await faultOf(world, await world.issuer.token(KEY))).isUnavailable, true, `${instead}`);
  }
});

Deno.test("an issuer that hangs is given up after five seconds", async () => {
  const clock = new ManualClock(), hung = Promise.withResolvers<void>();
  const fetch = ((_: string, init: RequestInit) =>
    new Promise((_, reject) => {
      init.signal!.addEventListener("abort", () => reject(init.signal!.reason));
      hung.resolve();
    })) as typeof globalThis.fetch;
  const verifier = new OidcVerifier({ issuers: [CONFIG], fetch, clock });
  const verifying = verifier.verify(await new FakeIssuer(clock, KEY).token(KEY));
  await hung.promise;
  clock.advance(5000);
  const verified = await verifying;
  assert.ok("fault" in verified && verified.isUnavailable);
  assert.match(verified.fault, /did not answer in time/);
});

Deno.test("a new key is found at once, and made-up key ids do not have the issuer asked more than twice a minute", async () => {
  const world = scene({ jwksUrl: `${ISSUER}/keys` });
  await actorOf(world, await world.issuer.token(KEY));
  world.clock.advance(30_000);
  world.issuer.keys = [OTHER.jwk];
  await actorOf(world, await world.issuer.token(OTHER));
  assert.match((await faultOf(world, await world.issuer.token(KEY))).fault, /no such key/);
  const asked = world.issuer.asked.length;
  for (let i = 0; i < 120; i++) {
    world.clock.advance(500);
    await Promise.all(
      [1, 2, 3].map(async (n) =>
        await faultOf(world, await world.issuer.token(OTHER, {}, { kid: `${i} ${n}` }))
      ),
    );
  }
  assert.equal(world.issuer.asked.length - asked, 2);
});

Deno.test("keys are fetched again in the background once they are ten minutes old", async () => {
  const world = scene({ jwksUrl: `${ISSUER}/keys` });
  await actorOf(world, await world.issuer.token(KEY));
  world.clock.advance(600_000);
  await actorOf(world, await world.issuer.token(KEY));
  assert.equal(world.issuer.asked.length, 1);
  world.clock.advance(1);
  const slow = Promise.withResolvers<Response>();
  world.issuer.instead = () => slow.promise;
  await actorOf(world, await world.issuer.token(KEY));
  assert.equal(world.issuer.asked.length, 2);
  slow.resolve(Response.json({ keys: [OTHER.jwk] }));
});

Deno.test("a token that names no key is tried with those that there are", async () => {
  const world = scene({}, KEY, OTHER);
  for (const key of [KEY, OTHER]) await actorOf(world, await world.issuer.token(key, {}, { kid: undefined }));
  assert.match(
    (await faultOf(world, await world.issuer.token(await makeKey("c"), {}, { kid: undefined }))).fault,
    /signature/,
  );
  const late = await world.issuer.token(OTHER, { exp: 1 }, { kid: undefined });
  assert.match((await faultOf(world, late)).fault, /expired/);
});

Deno.test("the keys of one issuer do not speak for another", async () => {
  const clock = new ManualClock(), mine = new FakeIssuer(clock, KEY), other = "https://other.example";
  const fetch =
    ((url: string, init: RequestInit) =>
      url.startsWith(other)
        ? Promise.resolve(Response.json({ keys: [OTHER.jwk] }))
        : mine.fetch(url, init)) as typeof globalThis.fetch;
  const issuers = [CONFIG, { ...CONFIG, issuer: other, jwksUrl: `${other}/keys` }];
  const verifier = new OidcVerifier({ issuers, fetch, clock });
  const verify = async (key: IssuerKey, iss: string) =>
    "actor" in await verifier.verify(await mine.token(key, { iss }));
  assert.deepEqual([await verify(KEY, ISSUER), await verify(OTHER, other)], [true, true]);
  assert.deepEqual([await verify(KEY, other), await verify(OTHER, ISSUER)], [false, false]);
});

Deno.test("grantsOfClaims() finds claims by name or by way, whole values, elements and words of a scope", () => {
  const rule = (claim: string, value: string) => [{ claim, value, grant: { role: "viewer" } as const }];
  const has = (claims: Record<string, unknown>, claim: string, value: string) =>
    grantsOfClaims(claims, rule(claim, value)).length === 1;
  assert.ok(has({ groups: ["a", "b"] }, "groups", "b"));
  assert.ok(has({ realm_access: { roles: ["b"] } }, "realm_access.roles", "b"));
  assert.ok(has({ "https://example.org/roles": "b" }, "https://example.org/roles", "b"));
  assert.ok(has({ scope: "a b" }, "scope", "b"));
  assert.ok(has({ staff: true }, "staff", "true"));
  assert.ok(has({ staff: 7 }, "staff", "*"));
  assert.ok(!has({ groups: "a b" }, "groups", "b"));
  assert.ok(!has({ groups: ["ab"] }, "groups", "a"));
  assert.ok(!has({ groups: ["B"] }, "groups", "b"));
  assert.ok(!has({ groups: [["b"]] }, "groups", "b"));
  assert.ok(!has({ groups: { b: true } }, "groups", "b"));
  assert.ok(!has({ groups: [] }, "groups", "*"));
  assert.ok(!has({}, "constructor.name", "Object"));
  assert.ok(!has({}, "toString", "*"));
  assert.ok(!has({ a: "text" }, "a.length", "4"));
  assert.ok(!has(Object.create({ groups: "b" }), "groups", "b"), "only what the token itself says");
});

Deno.test("checkOidcConfig() refuses what would let in too many, and names the field", () => {
  const cases: [Partial<OidcConfig>, string][] = [
    [{ issuer: "http://login.example.org" }, "issuer"],
    [{ issuer: "login.example.org" }, "issuer"],
    [{ issuer: "https://user:pass@login.example.org" }, "issuer"],
    [{ jwksUrl: "ftp://login.example.org" }, "jwksUrl"],
    [{ audience: [] }, "audience"],
    [{ audience: [""] }, "audience"],
    [{ algorithms: [] }, "algorithms"],
    [{ algorithms: ["ES256", "HS256"] }, "algorithms"],
    [{ algorithms: ["none"] }, "algorithms"],
    [{ skewSeconds: 301 }, "skewSeconds"],
    [{ skewSeconds: NaN }, "skewSeconds"],
    [{ maxAgeSeconds: 0 }, "maxAgeSeconds"],
    [{ maxAgeSeconds: Infinity }, "maxAgeSeconds"],
    [{ grants: [{ claim: "", value: "a", grant: { role: "viewer" } }] }, "grants.0"],
    [{ grants: [{ claim: "a", value: "a", grant: { role: "node" } }] }, "grants.0.grant.role"],
    [
      { grants: [{ claim: "a", value: "a", grant: { role: "viewer", pools: ["a b"] } }] },
      "grants.0.grant.pools.0",
    ],
  ];
  checkOidcConfig(CONFIG);
  checkOidcConfig({ ...CONFIG, issuer: "http://127.0.0.1:8080/" });
  for (const [more, field] of cases) {
    assert.throws(() => checkOidcConfig({ ...CONFIG, ...more }), { kind: "invalid", field }, field);
  }
  assert.deepEqual(["http://localhost.evil.example/", "http://127.0.0.1.evil.example/"].map(isSafeUrl), [
    false,
    false,
  ]);
});

Deno.test("when the clock has been set back a new key is found all the same", async () => {
  const manual = new ManualClock(Date.UTC(2026, 10, 23));
  let backMs = 0;
  const clock: Clock = {
    nowMs: () => manual.nowMs() - backMs,
    after: (delayMs, then) => manual.after(delayMs, then),
  };
  const issuer = new FakeIssuer(clock, KEY);
  const issuers = [{ ...CONFIG, jwksUrl: `${ISSUER}/keys` }];
  const world = {
    clock: manual,
    issuer,
    verifier: new OidcVerifier({ issuers, fetch: issuer.fetch, clock }),
  };
  await actorOf(world, await issuer.token(KEY));
  backMs = 3_600_000;
  issuer.keys = [OTHER.jwk];
  await actorOf(world, await issuer.token(OTHER));
});
