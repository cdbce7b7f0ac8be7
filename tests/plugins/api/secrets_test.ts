import assert from "node:assert/strict";
import type { Actor } from "../../../core/access/actor.ts";
import { SecretBox, secretKey } from "../../../core/access/secrets.ts";
import { SYSTEM_RANDOM } from "../../../core/access/random.ts";
import { ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import type { FleetScope } from "../../../core/membership/fleet_half.ts";
import { Seal } from "../../../core/registry/seal.ts";
import { FLEET_SECRET_KEY, FleetSecret } from "../../../plugins/api/fleet_secret.ts";
import { actorOf, ApiStage } from "./stage.ts";

const ADMIN = actorOf("admin");
const KEY_A = "a".repeat(63) + "1", KEY_B = "b".repeat(63) + "2";
const boxOf = (...keys: string[]) =>
  new SecretBox(keys.map((hex) => secretKey(Uint8Array.fromHex(hex))), SYSTEM_RANDOM);

async function withKeys(text: string, run: (stage: ApiStage, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir(), path = `${folder}/secret.key`;
  try {
    await Deno.writeTextFile(path, text, { mode: 0o600 });
    await using stage = await ApiStage.open({}, undefined, { access: { secrets: { from: "file", path } } });
    await run(stage, path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const stored = async ({ member }: ApiStage) => (await member.store.get(FLEET_SECRET_KEY))!.value;

/** Servers of one fleet with clocks that are turned by hand: what one makes, the other knows or does not. */
function scopeOf({ member }: ApiStage, clock: ManualClock, log: string[]): FleetScope {
  const tell = (message: string) => void log.push(message);
  return {
    member,
    clock,
    log: { debug: tell, info: tell, warn: tell, error: tell },
  } as unknown as FleetScope;
}

Deno.test("where servers have a key the secret that they share lies sealed, and no route shows it", async () => {
  await withKeys(KEY_A, async (stage) => {
    assert.doesNotMatch(await stored(stage), /"secret"/);
    const { body } = await stage.ask(ADMIN, "GET", "/v1/secrets");
    assert.deepEqual(body.items.map(({ name, key, isOld }: any) => ({ name, key, isOld })), [
      { name: "registry", key: boxOf(KEY_A).keyIds[0]!, isOld: false },
    ]);
    const [octets] = stage.services.fleetSecret.ring();
    for (const text of [JSON.stringify(body), await stored(stage)]) {
      assert.ok(!text.includes(octets!.toBase64()), "the secret is shown");
    }
  });
  await using plain = await ApiStage.open();
  assert.match(await stored(plain), /"secret":"/);
  const [item] = (await plain.ask(ADMIN, "GET", "/v1/secrets")).body.items;
  assert.deepEqual([item.key, item.isOld], [null, false]);
  assert.equal((await plain.ask(ADMIN, "POST", "/v1/secrets/reseal")).status, 409);
});

Deno.test("that a secret was made is in the audit log once, and the secret is not", async () => {
  await withKeys(KEY_A, async (stage) => {
    // Another server of the fleet finds it there.
    using _other = await FleetSecret.open(scopeOf(stage, new ManualClock(Date.now()), []), boxOf(KEY_A));
    const { body: { items } } = await stage.ask(ADMIN, "GET", "/v1/audit?action=secret.make");
    assert.equal(items.length, 1);
    const [{ actor, subject, after }] = items;
    assert.match(actor, /^server:./);
    assert.deepEqual([subject, after.key], [FLEET_SECRET_KEY, boxOf(KEY_A).keyIds[0]]);
    const [octets] = stage.services.fleetSecret.ring();
    assert.ok(!JSON.stringify(items).includes(octets!.toBase64()), "the secret is shown");
  });
});

Deno.test("reseal seals what lies in clear or under an old key, and changes nothing of what it is", async () => {
  await withKeys(`${KEY_B}\n${KEY_A}`, async (stage) => {
    const scope = scopeOf(stage, new ManualClock(Date.now()), []), { store } = stage.member;
    const secret = Uint8Array.from({ length: 32 }, (_, i) => i);
    for (
      const value of [
        // As it lay there before there were several.
        { secret: secret.toBase64() },
        { secrets: [{ fromMs: 0, sealed: boxOf(KEY_A).seal(FLEET_SECRET_KEY, secret) }] },
      ]
    ) {
      const { revision } = await store.transact([{ put: FLEET_SECRET_KEY, value: JSON.stringify(value) }]);
      await stage.member.replica.reached(revision, 60_000);
      assert.equal((await stage.ask(ADMIN, "GET", "/v1/secrets")).body.items[0].isOld, true);
      const { body } = await stage.ask(ADMIN, "POST", "/v1/secrets/reseal");
      assert.deepEqual(body, { resealed: 1, left: [] });
      assert.equal((await stage.ask(ADMIN, "GET", "/v1/secrets")).body.items[0].isOld, false);
      // The key that it was under can be thrown away.
      using alone = await FleetSecret.open(scope, boxOf(KEY_B));
      assert.deepEqual(alone.ring(), [secret]);
      assert.deepEqual((await stage.ask(ADMIN, "POST", "/v1/secrets/reseal")).body, {
        resealed: 0,
        left: [],
      });
    }
    const { body: { items } } = await stage.ask(ADMIN, "GET", "/v1/audit?action=secret.reseal");
    assert.equal(items.filter(({ subject }: any) => subject === FLEET_SECRET_KEY).length, 2);
    assert.doesNotMatch(JSON.stringify(items), new RegExp(secret.toBase64().slice(0, 20)));
  });
});

Deno.test("while a secret is exchanged no server refuses what another one has made, and then the old one is worth nothing", async () => {
  await using stage = await ApiStage.open();
  const clock = new ManualClock(Date.now()), scope = scopeOf(stage, clock, []);
  using one = await FleetSecret.open(scope, undefined);
  using other = await FleetSecret.open(scope, undefined);
  const [before] = one.ring(), seals = [one, other].map(({ ring }) => new Seal<number>("test", ring));
  const old = seals[0]!.seal(1);
  const { writes } = await one.planRotation("token:ada", { forget: false });
  // A server that has not heard of it yet makes with the old one, as does one that has.
  await stage.member.store.transact(writes);
  await stage.caughtUp();
  assert.deepEqual(one.ring()[0], before);
  assert.equal(one.ring().length, 2);
  clock.advance(31_000);
  assert.notDeepEqual(one.ring()[0], before);
  const young = seals[0]!.seal(2);
  assert.deepEqual([seals[1]!.open(old), seals[1]!.open(young)], [1, 2]);
  assert.equal(one.ring(), one.ring(), "the list is another one each time");
  clock.advance(15 * 60_000);
  assert.deepEqual([seals[1]!.open(old), seals[1]!.open(young)], [undefined, 2]);
});

Deno.test("a secret that has leaked is worth nothing at once, to nodes that were heard before as well", async () => {
  await using stage = await ApiStage.open({}, undefined, { clock: SYSTEM_CLOCK });
  const join = { name: "rack", grants: [{ role: "node" }], join: { usesLeft: 2 } };
  const expires = new Date(Date.now() + 600_000).toISOString();
  const { body: { token } } = await stage.ask(ADMIN, "POST", "/v1/tokens", { ...join, expires });
  const node = { id: "n1", addresses: ["192.0.2.1"], location: { latitude: 50.1, longitude: 8.7 } };
  const { body: { credential } } = await stage.ask(undefined, "POST", "/v1/registrations", {
    node,
    proof: { joinToken: token },
  });
  const beat = async () => {
    const load = { cpu: 0.1, memory: 0.2, network: 0, connections: 3 };
    return (await stage.ask(undefined, "PUT", "/v1/nodes/n1/beat", { load }, {
      Authorization: `Bearer ${credential}`,
    })).status;
  };
  assert.equal(await beat(), 200);
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/secrets/registry/rotate?reason=drill", {})).status, 200);
  assert.equal(await beat(), 200);
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/secrets/registry/rotate", { forget: true })).status, 200);
  assert.equal(await beat(), 401);
  const { body: { items } } = await stage.ask(ADMIN, "GET", "/v1/audit?action=secret.rotate");
  assert.deepEqual(items.map(({ actor, reason, subject }: any) => [actor, reason, subject]), [
    ["token:admin", "drill", "registry/secret"],
    ["token:admin", undefined, "registry/secret"],
  ]);
  assert.equal(
    (await stage.ask(ADMIN, "POST", "/v1/secrets/registry/rotate", { forgett: true })).status,
    422,
  );
});

Deno.test("a server without the key goes on with a secret of its own, and says so", async () => {
  await withKeys(KEY_A, async (stage) => {
    const log: string[] = [], scope = scopeOf(stage, new ManualClock(Date.now()), log);
    for (const box of [undefined, boxOf(KEY_B)]) {
      using without = await FleetSecret.open(scope, box);
      assert.equal(without.ring().length, 1);
      assert.notDeepEqual(without.ring(), stage.services.fleetSecret.ring());
    }
    assert.match(log[0]!, /sealed with key [0-9a-f]{16}: `secrets` is wanted in api/);
    assert.match(log[1]!, /it takes key [0-9a-f]{16}, and there is/);
  });
});

Deno.test("with approvals on the exchange of the secret waits, and is then made", async () => {
  await using stage = await ApiStage.open({}, undefined, { approvals: "on" });
  const before = await stored(stage), ada: Actor = { ...ADMIN, id: "oidc:ada", way: "oidc", people: ["ada"] };
  const asked = await stage.ask(ada, "POST", "/v1/secrets/registry/rotate", { forget: true });
  assert.equal(asked.status, 202);
  assert.equal(await stored(stage), before);
  const bert: Actor = { ...ada, id: "oidc:bert", people: ["bert"] };
  const { digest, id } = asked.body;
  const { body } = await stage.ask(bert, "POST", `/v1/approvals/${id}/approve`, { digest });
  assert.equal(body.state, "executed", JSON.stringify(body));
  assert.notEqual(await stored(stage), before);
});
