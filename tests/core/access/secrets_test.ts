import assert from "node:assert/strict";
import fc from "fast-check";
import { readSecretKeys } from "../../../core/access/key_source.ts";
import { SecretBox, type SecretKey, secretKey } from "../../../core/access/secrets.ts";
import { SecretStore } from "../../../core/access/secret_store.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { person, repeatable, withWorld } from "./support.ts";

const random = repeatable(5);
const keyOf = (seed: number): SecretKey => secretKey(repeatable(seed)(32));
const OLD = keyOf(1), NEW = keyOf(2);
const text = (octets: Uint8Array) => new TextDecoder().decode(octets);
const octets = (text: string) => new TextEncoder().encode(text);
const ADMIN = person("anna", { role: "admin" });

Deno.test("SecretBox opens what it sealed, and seals the same differently each time", () => {
  const box = new SecretBox([NEW], random);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), (secret, name) => {
      const sealed = box.seal(name, secret);
      assert.deepEqual(box.open(name, structuredClone(sealed)), secret);
      assert.notEqual(box.seal(name, secret).box, sealed.box);
    }),
    { numRuns: 100, seed: 1 },
  );
});

Deno.test("SecretBox opens nothing that was changed by a bit, cut, moved to another name, or given another nonce", () => {
  const box = new SecretBox([NEW], random), sealed = box.seal("tsig", octets("secret"));
  const raw = Uint8Array.fromBase64(sealed.box);
  for (let i = 0; i < raw.length * 8; i++) {
    const changed = raw.slice();
    changed[i >> 3]! ^= 1 << (i & 7);
    assert.throws(() => box.open("tsig", { ...sealed, box: changed.toBase64() }), /not as it was sealed/);
  }
  for (let length = 0; length < raw.length; length++) {
    assert.throws(() => box.open("tsig", { ...sealed, box: raw.slice(0, length).toBase64() }), /not as it/);
  }
  assert.throws(() => box.open("TSIG", sealed), /not as it was sealed/);
  assert.throws(() => box.open("tsig", { ...sealed, nonce: random(12).toBase64() }), /not as it was sealed/);
  assert.throws(() => box.open("tsig", { ...sealed, box: "?" }), /not as it was sealed/);
});

Deno.test("SecretBox opens with old keys, seals with the newest, and says which key is missing", () => {
  const before = new SecretBox([OLD], random), after = new SecretBox([NEW, OLD], random);
  const sealed = before.seal("tsig", octets("secret"));
  assert.deepEqual([before.isOld(sealed), after.isOld(sealed)], [false, true]);
  const again = after.reseal("tsig", sealed);
  assert.equal(again.key, NEW.id);
  assert.equal(text(after.open("tsig", again)), "secret");
  assert.throws(() => before.open("tsig", again), {
    name: "SecretError",
    message: `Cannot open secret tsig: it takes key ${NEW.id}, and there is ${OLD.id}`,
  });
  assert.throws(() => new SecretBox([], random), /without a key/);
});

Deno.test("secretKey() takes 32 octets that are not all the same", () => {
  assert.throws(() => secretKey(new Uint8Array(16)), /16 octets: wanted 32/);
  assert.throws(() => secretKey(new Uint8Array(32)), /all the same/);
  assert.match(NEW.id, /^[0-9a-f]{16}$/);
  assert.ok(!NEW.octets.toHex().includes(NEW.id));
});

async function withFile(content: string, mode: number, run: (path: string, folder: string) => void) {
  const folder = await Deno.makeTempDir(), path = `${folder}/keys`;
  try {
    await Deno.writeTextFile(path, content);
    await Deno.chmod(path, mode);
    run(path, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const NOTHING = { environment: () => undefined };
const LINES = `# newest first\n${NEW.octets.toBase64()}  # since May\n\n${OLD.octets.toHex()}\n`;

Deno.test("readSecretKeys() reads a file that nobody else can get at, the newest key first", async () => {
  await withFile(LINES, 0o600, (path) => {
    assert.deepEqual(readSecretKeys({ from: "file", path }, NOTHING).map(({ id }) => id), [NEW.id, OLD.id]);
    const own = Deno.uid()!;
    assert.equal(readSecretKeys({ from: "file", path }, { ...NOTHING, userId: own }).length, 2);
  });
});

Deno.test("readSecretKeys() refuses a file that group or others can read or write", async () => {
  for (const mode of [0o640, 0o620, 0o604, 0o602, 0o666, 0o610]) {
    await withFile(LINES, mode, (path) => {
      assert.throws(
        () => readSecretKeys({ from: "file", path }, NOTHING),
        /others can get at it/,
        mode.toString(8),
      );
    });
  }
});

Deno.test("readSecretKeys() refuses what is no file, is not there, or is somebody else's", async () => {
  await withFile(LINES, 0o600, (path, folder) => {
    const read = (path: string, userId?: number) =>
      readSecretKeys({ from: "file", path }, { ...NOTHING, ...userId !== undefined && { userId } });
    assert.throws(() => read(folder), /no regular file|Cannot read/);
    assert.throws(() => read(`${folder}/none`), /Cannot read the keys of/);
    if (Deno.uid() === 0) Deno.chownSync(path, 12_345, null);
    assert.throws(() => read(path, 54_321), /belongs to user/);
  });
});

Deno.test("readSecretKeys() reads a variable, and a credential by its name, whatever mode systemd gave it", async () => {
  const environment = (variable: string) => variable === "MERIDIAN_KEYS" ? LINES : undefined;
  const read = (variable: string) => readSecretKeys({ from: "environment", variable }, { environment });
  assert.equal(read("MERIDIAN_KEYS")[0]!.id, NEW.id);
  assert.throws(() => read("OTHER"), /\$OTHER: it is not set/);
  await withFile(LINES, 0o440, (_, folder) => {
    const scope = { environment: (name: string) => name === "CREDENTIALS_DIRECTORY" ? folder : undefined };
    const credential = (name: string) => readSecretKeys({ from: "credential", name }, scope);
    assert.equal(credential("keys")[0]!.id, NEW.id);
    for (const name of ["../keys", "..", "", "a/b"]) {
      assert.throws(() => credential(name), /name of a credential/);
    }
    assert.throws(() => credential("none"), /Cannot read/);
  });
  assert.throws(() => readSecretKeys({ from: "credential", name: "keys" }, NOTHING), /CREDENTIALS_DIRECTORY/);
});

Deno.test("readSecretKeys() tells the line of a wrong key, and never what stands in it", async () => {
  const wrong = ["not a key!", "c2hvcnQ=", NEW.octets.toHex().slice(1), "00".repeat(32)];
  for (const line of wrong) {
    await withFile(`${OLD.octets.toBase64()}\n${line}\n`, 0o600, (path) => {
      assert.throws(() => readSecretKeys({ from: "file", path }, NOTHING), (error: Error) => {
        assert.ok(error.message.includes(`${path}:2`), error.message);
        assert.ok(!error.message.includes(line));
        return true;
      });
    });
  }
  await withFile("# none\n", 0o600, (path) => {
    assert.throws(() => readSecretKeys({ from: "file", path }, NOTHING), /Cannot find a key/);
  });
  await withFile(`${LINES}${OLD.octets.toBase64()}\n`, 0o600, (path) => {
    assert.throws(() => readSecretKeys({ from: "file", path }, NOTHING), /key 3 is there twice/);
  });
});

Deno.test("SecretStore keeps nothing in clear: neither in the store nor in the log", async () => {
  await withWorld(async (world) => {
    const secrets = new SecretStore({ ...world, box: new SecretBox([NEW], random) });
    await secrets.put(ADMIN, "tsig", octets("swordfish"));
    await secrets.put(ADMIN, "tsig", octets("swordfish2"));
    assert.equal(text(await secrets.open("tsig")), "swordfish2");
    const all = JSON.stringify((await world.store.list("")).entries);
    for (const form of ["swordfish", btoa("swordfish").slice(0, 11), octets("swordfish").toHex()]) {
      assert.ok(!all.includes(form));
    }
    assert.deepEqual(await secrets.list(), [{ name: "tsig", key: NEW.id, isOld: false }]);
    await secrets.remove(ADMIN, "tsig");
    await assert.rejects(secrets.open("tsig"), { kind: "absent" });
    await assert.rejects(secrets.remove(ADMIN, "tsig"), { kind: "absent" });
    assert.deepEqual((await world.records()).map(({ action }) => action), [
      "secret.create",
      "secret.update",
      "secret.delete",
    ]);
  });
});

Deno.test("SecretStore lets only admins write, and takes a secret's name for what it is", async () => {
  await withWorld(async (world) => {
    const secrets = new SecretStore({ ...world, box: new SecretBox([NEW], random) });
    await assert.rejects(secrets.put(person("bert", { role: "operator" }), "tsig", octets("a")), {
      kind: "forbidden",
    });
    for (const name of ["", "a b", "a/b", "x".repeat(129)]) {
      await assert.rejects(secrets.put(ADMIN, name, octets("a")), { kind: "invalid", field: "name" });
    }
    await assert.rejects(secrets.put(ADMIN, "big", new Uint8Array(65_537)), {
      kind: "invalid",
      field: "secret",
    });
    const sealed = secrets.seal("tsig", octets("a"));
    await assert.rejects(secrets.plan(ADMIN, "other", sealed), { name: "SecretError" });
  });
});

Deno.test("reseal() brings all to the newest key, and leaves and names what it cannot open", async () => {
  await withWorld(async (world) => {
    const old = new SecretStore({ ...world, box: new SecretBox([OLD], random) });
    for (let i = 0; i < 40; i++) await old.put(ADMIN, `s${i}`, octets(`secret ${i}`));
    const lost = new SecretStore({ ...world, box: new SecretBox([keyOf(3)], random) });
    await lost.put(ADMIN, "lost", octets("gone"));
    await world.store.transact([{
      put: KEYS.secret("torn"),
      value: JSON.stringify({ key: OLD.id, nonce: "", box: "" }),
    }]);
    const both = new SecretStore({ ...world, box: new SecretBox([NEW, OLD], random) });
    assert.deepEqual(await both.reseal("server:fra"), { resealed: 40, left: ["lost", "torn"] });
    assert.deepEqual(await both.reseal("server:fra"), { resealed: 0, left: ["lost", "torn"] });
    const after = new SecretStore({ ...world, box: new SecretBox([NEW], random) });
    for (let i = 0; i < 40; i++) assert.equal(text(await after.open(`s${i}`)), `secret ${i}`);
    assert.equal((await world.records()).filter(({ action }) => action === "secret.reseal").length, 2);
  });
});
