import assert from "node:assert/strict";
import fc from "fast-check";
import type { Actor } from "../../../core/access/actor.ts";
import { Authenticator, type AuthenticatorOptions, type Refusal } from "../../../core/access/authenticate.ts";
import { failureEvent, FailureLog, type FailureReport } from "../../../core/access/failure_log.ts";
import { OidcVerifier } from "../../../core/access/oidc.ts";
import { hashToken, makeToken } from "../../../core/access/token_text.ts";
import type { TokenRecord } from "../../../core/access/tokens.ts";
import { sourceOf, Throttle } from "../../../core/access/throttle.ts";
import { tokenVerifier, type Verifier } from "../../../core/access/verifier.ts";
import { ManualClock } from "../../../core/clock.ts";
import { AUDIENCE, FakeIssuer, ISSUER, makeKey } from "./issuer.ts";
import { makeCertificate } from "./peer_certificates.ts";
import { repeatable } from "./support.ts";

const HERE = "192.0.2.7", THERE = "198.51.100.9";
const random = repeatable(11);

function scene(more: Partial<AuthenticatorOptions> = {}) {
  const clock = new ManualClock(Date.UTC(2026, 10, 23)), records = new Map<string, TokenRecord>();
  const reports: FailureReport[] = [];
  const authenticator = new Authenticator({
    verifiers: [tokenVerifier((id) => records.get(id), clock)],
    ...{ clock, random, onFailures: (report) => reports.push(report) },
    ...more,
  });
  const issue = (expiresMs = clock.nowMs() + 1e9) => {
    const { id, token } = makeToken(random);
    records.set(id, {
      ...{
        id,
        name: "ci",
        grants: [{ role: "viewer" }],
        person: "anna",
        createdBy: "local:root",
        creators: [],
      },
      ...{ createdMs: 0, expiresMs, ...hashToken(token, random) },
    });
    return { id, token };
  };
  const ask = async (token: string | undefined, address?: string) =>
    await authenticator.authenticate({
      ...token !== undefined && { authorization: `Bearer ${token}` },
      ...address !== undefined && { address },
    });
  const status = async (...args: Parameters<typeof ask>) => {
    const outcome = await ask(...args);
    return "actor" in outcome ? 200 : outcome.refusal.status;
  };
  const refusal = async (...args: Parameters<typeof ask>): Promise<Refusal> => {
    const outcome = await ask(...args);
    assert.ok("refusal" in outcome);
    return outcome.refusal;
  };
  return { clock, records, reports, authenticator, issue, ask, status, refusal };
}

const guess = () => makeToken(random).token;

Deno.test("a request without credentials is told what is wanted, and neither counted nor recorded", async () => {
  const { refusal, authenticator, reports } = scene();
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(await refusal(undefined, HERE), {
      status: 401,
      headers: { "WWW-Authenticate": 'Bearer realm="meridian"' },
      why: "Cannot tell who this is: a bearer token or a client certificate is wanted",
    });
  }
  assert.deepEqual([authenticator.throttled, reports], [0, []]);
});

Deno.test("a token is somebody; a wrong one is told so in the words of RFC 6750, and not why", async () => {
  const { issue, ask, refusal } = scene(), { id, token } = issue();
  assert.deepEqual(await ask(token, HERE), {
    actor: { id: `token:anna/${id}`, way: "token", grants: [{ role: "viewer" }], people: ["anna"] },
  });
  const why = "Cannot tell who this is: the credential is not valid";
  assert.deepEqual(await refusal(guess(), HERE), {
    status: 401,
    headers: {
      "WWW-Authenticate": `Bearer realm="meridian", error="invalid_token", error_description="${why}"`,
    },
    why,
  });
  const mistyped = token.replace(id, makeToken(random).id);
  assert.match((await refusal(mistyped, HERE)).why, /checksum is wrong/);
});

Deno.test("a header that is none, of another scheme or with two tokens is refused and throws nothing", async () => {
  const { authenticator, issue } = scene(), { token } = issue();
  const take = async (authorization: string) =>
    "actor" in await authenticator.authenticate({ authorization });
  assert.deepEqual([await take(`Bearer ${token}`), await take(`bearer   ${token}`)], [true, true]);
  for (
    const header of [
      "",
      "Bearer",
      "Bearer ",
      token,
      `Basic ${btoa(`anna:${token}`)}`,
      `Bearer ${token} ${token}`,
      `Bearer ${token}, Bearer ${token}`,
      `Bearer ${token}\n`,
      `Bearer\t${token}`,
      "Bearer ü",
    ]
  ) assert.equal(await take(header), false, header);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary" }), async (header) => {
      assert.ok("refusal" in await authenticator.authenticate({ authorization: header }));
    }),
    { numRuns: 200, seed: 1 },
  );
});

Deno.test("an expired or revoked token is told so, and not held against where it comes from", async () => {
  const { issue, refusal, status, clock, records, reports } = scene(),
    old = issue(clock.nowMs()),
    lost = issue();
  records.set(lost.id, { ...records.get(lost.id)!, revoked: { by: "local:root", atMs: 0, reason: "lost" } });
  for (let i = 0; i < 100; i++) {
    assert.match((await refusal(old.token, HERE)).headers["WWW-Authenticate"]!, /expired on 2026-11-23/);
    assert.match((await refusal(lost.token, HERE)).why, /revoked/);
  }
  assert.equal(await status(guess(), HERE), 401);
  assert.equal(reports.length, 1);
});

Deno.test("whoever guesses waits twice as long each time, from the sixth time on, up to five minutes", async () => {
  const { refusal, clock, reports } = scene(), waits: number[] = [];
  const retryAfter = async () => Number((await refusal(guess(), HERE)).headers["Retry-After"]);
  for (let i = 0; i < 5; i++) assert.equal((await refusal(guess(), HERE)).status, 401);
  for (let i = 0; i < 12; i++) {
    assert.equal((await refusal(guess(), HERE)).status, 401);
    waits.push(await retryAfter());
    clock.advance(waits.at(-1)! * 1000 - 1);
    assert.equal(await retryAfter(), 1);
    clock.advance(1);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
  assert.ok(reports.length <= 13);
});

Deno.test("a token that is right is let in, however many guess: from elsewhere, from beside it, at its own id", async () => {
  const { issue, status } = scene(), { id, token } = issue();
  const guessAtId = () => {
    const { token: other } = makeToken((count) => count === 10 ? decoded(id) : random(count));
    assert.ok(other.startsWith(`mer_${id}_`));
    return other;
  };
  for (let i = 0; i < 300; i++) {
    for (const address of [HERE, THERE, `192.0.2.${i % 256}`]) await status(guessAtId(), address);
  }
  assert.equal(await status(guess(), HERE), 429);
  for (const address of [HERE, THERE, "203.0.113.1", "2001:db8::1", undefined]) {
    assert.equal(await status(token, address), 200, `${address}`);
  }
});

/** The octets that base32 wrote. */
function decoded(text: string): Uint8Array {
  const bits = [...text].map((one) =>
    "abcdefghijklmnopqrstuvwxyz234567".indexOf(one).toString(2).padStart(5, "0")
  );
  return Uint8Array.from(bits.join("").match(/.{8}/g)!, (octet) => parseInt(octet, 2));
}

Deno.test("a host that was never wrong may be wrong, whoever guessed at the same token from elsewhere", async () => {
  const { status, issue } = scene(), { token } = issue(), one = guess();
  for (let i = 0; i < 200; i++) await status(one, `2001:db8:${i.toString(16)}::1`);
  assert.equal(await status(one, HERE), 401);
  assert.equal(await status(one, HERE), 429);
  assert.equal(await status(guess(), HERE), 401);
  assert.equal(await status(token, HERE), 200);
});

Deno.test("sourceOf() takes a /64 for a host, IPv4 in IPv6 for IPv4, and what is no address for this machine", () => {
  const table: [string | undefined, string, string][] = [
    ["192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"],
    ["::ffff:192.0.2.7", "192.0.2.7/32", "192.0.2.0/24"],
    ["2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"],
    ["fe80::1%eth0", "fe80::/64", "fe80::/48"],
    [undefined, "here", "here"],
    ["@", "here", "here"],
  ];
  for (const [address, host, network] of table) {
    assert.deepEqual(sourceOf(address), { host, network }, `${address}`);
  }
});

Deno.test("a network waits for its hosts: fifty failures are free, wherever in it", () => {
  const clock = new ManualClock(), throttle = new Throttle({ clock });
  for (let i = 0; i < 50; i++) throttle.failed(`192.0.2.${i}`);
  assert.equal(throttle.delayMs("192.0.2.200"), 0);
  throttle.failed("192.0.2.50");
  assert.equal(throttle.delayMs("192.0.2.200"), 1000);
  assert.equal(throttle.delayMs("192.0.3.200"), 0);
  for (let i = 0; i < 51; i++) throttle.failed(`2001:db8:1:${i}::1`);
  assert.deepEqual([throttle.delayMs("2001:db8:1:ff::1"), throttle.delayMs("2001:db8:2::1")], [1000, 0]);
  clock.advance(900_000);
  assert.equal(throttle.delayMs("192.0.2.200"), 0);
  throttle.failed("192.0.2.50");
  assert.equal(throttle.delayMs("192.0.2.50"), 0, "a quarter of an hour later all is forgotten");
});

Deno.test("a flood from many addresses takes no more memory than there is room for", async () => {
  const { authenticator, status, reports, clock } = scene({ entriesMax: 500 });
  for (let i = 0; i < 20_000; i++) {
    const address = `2001:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::1`;
    await status(`mer_${"a".repeat(76)}`, address);
    if (i % 100 === 0) clock.advance(100);
  }
  assert.ok(authenticator.throttled <= 1500, `${authenticator.throttled}`);
  assert.ok(reports.length <= 2);
});

Deno.test("a flood is one line that counts, its beginning is told at once, and its end is told", () => {
  const clock = new ManualClock(0), reports: FailureReport[] = [];
  const log = new FailureLog(clock, (report) => reports.push(report));
  log.add({ host: "a", fault: "wrong" });
  assert.deepEqual(reports, [
    { count: 1, fromMs: 0, untilMs: 0, hosts: 1, examples: [{ host: "a", fault: "wrong" }] },
  ]);
  for (let i = 0; i < 5000; i++) log.add({ host: `h${i}`, fault: `wrong ${i}` });
  assert.equal(reports.length, 1);
  clock.advance(60_000);
  assert.deepEqual([reports.length, reports[1]!.count, reports[1]!.hosts, reports[1]!.examples.length], [
    2,
    5000,
    1000,
    8,
  ]);
  clock.advance(600_000);
  assert.equal(reports.length, 2, "nothing is told of nothing");
  log.add({ host: "b", fault: "wrong", subject: "token x" });
  log.add({ host: "b", fault: "wrong", subject: "token x" });
  assert.equal(reports.length, 3);
  log.close();
  assert.deepEqual(reports.map(({ count }) => count), [1, 5000, 1, 1]);
  clock.advance(600_000);
  assert.equal(reports.length, 4);
  assert.equal(clock.nextMs, Infinity);
});

Deno.test("what is recorded of failures has no secret in it", async () => {
  const { status, reports, authenticator } = scene(), tokens = Array.from({ length: 30 }, guess);
  for (const token of tokens) await status(token, HERE);
  authenticator.close();
  const told = JSON.stringify(reports.map(failureEvent));
  for (const token of tokens) assert.ok(!told.includes(token.slice(21)));
  assert.equal(reports.reduce((sum, { count }) => sum + count, 0), 6, "who has to wait is not counted");
  assert.match(told, /"action":"authentication.fail"/);
});

async function withIssuer() {
  const key = await makeKey("a"),
    clock = new ManualClock(Date.UTC(2026, 10, 23)),
    issuer = new FakeIssuer(clock, key);
  const config = {
    ...{ issuer: ISSUER, audience: [AUDIENCE], jwksUrl: `${ISSUER}/keys` },
    grants: [{ claim: "sub", value: "*", grant: { role: "viewer" } as const }],
  };
  const oidc = new OidcVerifier({ issuers: [config], fetch: issuer.fetch, clock });
  return {
    ...scene({ clock, verifiers: [tokenVerifier(() => undefined, clock), oidc] }),
    clock,
    issuer,
    key,
  };
}

Deno.test("a JWT that was right before is let in beside whoever guesses; a new one waits with them", async () => {
  const { issuer, key, status } = await withIssuer();
  const seen = await issuer.token(key), fresh = await issuer.token(key, { jti: "fresh" });
  assert.equal(await status(seen, HERE), 200);
  for (let i = 0; i < 10; i++) await status(`${seen.slice(0, -4)}AAAA`, HERE);
  assert.deepEqual([await status(seen, HERE), await status(fresh, HERE), await status(fresh, THERE)], [
    200,
    429,
    200,
  ]);
});

Deno.test("a JWT that was right before is looked at anew each time", async () => {
  const { issuer, key, clock, status } = await withIssuer(), token = await issuer.token(key);
  assert.equal(await status(token, HERE), 200);
  clock.advance(631_000);
  assert.equal(await status(token, HERE), 401);
});

Deno.test("an issuer that is away is nobody's fault: 503, and nothing is counted", async () => {
  const { issuer, key, refusal, authenticator, reports } = await withIssuer();
  issuer.instead = () => Promise.reject(new Error("no route to host"));
  for (let i = 0; i < 20; i++) {
    const { status, headers } = await refusal(await issuer.token(key), HERE);
    assert.deepEqual([status, headers], [503, { "Retry-After": "30" }]);
  }
  assert.deepEqual([authenticator.throttled, reports], [0, []]);
});

Deno.test("a certificate counts where there is no header; with a header it is the header that counts", async () => {
  const raw = await makeCertificate({ subject: "/CN=fra1", names: ["DNS.1 = fra1.nodes.example.org"] });
  const clock = new ManualClock(Date.now()), certificate = { authorized: true, raw };
  const certificates = {
    rules: [{ by: "dns" as const, pattern: "*.nodes.example.org", grants: [{ role: "node" as const }] }],
  };
  const { authenticator } = scene({ clock, certificates });
  const outcome = await authenticator.authenticate({ certificate, address: HERE });
  assert.ok("actor" in outcome && outcome.actor.node === "fra1");
  const both = await authenticator.authenticate({
    certificate,
    authorization: `Bearer ${guess()}`,
    address: HERE,
  });
  assert.ok("refusal" in both);
  const none = await scene({ clock }).authenticator.authenticate({ certificate });
  assert.ok("refusal" in none && none.refusal.headers["WWW-Authenticate"] === 'Bearer realm="meridian"');
  for (let i = 0; i < 6; i++) {
    await authenticator.authenticate({ certificate: { authorized: false, raw }, address: THERE });
  }
  const unsigned = await authenticator.authenticate({
    certificate: { authorized: false, raw },
    address: THERE,
  });
  assert.ok("refusal" in unsigned && unsigned.refusal.status === 429);
  assert.ok("actor" in await authenticator.authenticate({ certificate, address: THERE }));
});

Deno.test("error descriptions have nothing that a header must not have", async () => {
  const clock = new ManualClock(),
    odd: Verifier = {
      recognises: () => true,
      verify: () => ({ fault: "x", told: 'a "quoted" \\ line\r\nX-Injected: 1 é' }),
    };
  const { refusal } = scene({ clock, verifiers: [odd] });
  assert.equal(
    (await refusal("x")).headers["WWW-Authenticate"],
    `Bearer realm="meridian", error="invalid_token", error_description="a 'quoted' ? line??X-Injected: 1 ?"`,
  );
});

Deno.test("the first verifier that recognises a credential decides", async () => {
  const clock = new ManualClock(), actor = (id: string): Actor => ({ id, way: "token", grants: [] });
  const of = (id: string, prefix: string): Verifier => ({
    recognises: (credential) => credential.startsWith(prefix),
    verify: () => ({ actor: actor(id) }),
  });
  const { ask, status } = scene({ clock, verifiers: [of("one", "a"), of("two", "ab"), of("three", "b")] });
  assert.deepEqual([await ask("abc"), await ask("b")], [{ actor: actor("one") }, { actor: actor("three") }]);
  assert.equal(await status("c"), 401);
});

Deno.test("nobody waits for longer because the clock has been set back", () => {
  let nowMs = Date.UTC(2026, 10, 23);
  const throttle = new Throttle({ clock: { nowMs: () => nowMs, after: () => () => {} } });
  for (let i = 0; i < 7; i++) throttle.failed("192.0.2.1");
  assert.equal(throttle.delayMs("192.0.2.1"), 2000);
  nowMs -= 600_000;
  assert.equal(throttle.delayMs("192.0.2.1"), 300_000);
  nowMs -= 600_000;
  assert.equal(throttle.delayMs("192.0.2.1"), 0);
});
