import assert from "node:assert/strict";
import { VersionFolder } from "../../core/command/version_folder.ts";
import { withFolder } from "./meridian.ts";

const one = { number: 1, digest: "a".repeat(64), corefile: "# one\n", files: { "zones/x.zone": "x" } };

Deno.test("a version lies in its folder, for nobody else to read", async () => {
  await withFolder({}, (state) => {
    const folder = new VersionFolder(state), path = folder.write(one);
    assert.equal(path, `${state}/configuration/1-${"a".repeat(16)}`);
    assert.equal(Deno.readTextFileSync(`${path}/Corefile`), "# one\n");
    assert.equal(Deno.readTextFileSync(`${path}/zones/x.zone`), "x");
    assert.equal(Deno.statSync(`${path}/zones/x.zone`).mode! & 0o777, 0o600);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o700);
    return Promise.resolve();
  });
});

Deno.test("no version writes beside its folder, and one that cannot be written leaves nothing", async () => {
  await withFolder({}, (state) => {
    const folder = new VersionFolder(state);
    for (
      const path of [
        "../x",
        "/tmp/x",
        "a/../../x",
        "a//b",
        ".x",
        "a/.x",
        "",
        "Corefile",
        "a\0b",
        "Corefile/x",
        "a\n",
      ]
    ) {
      assert.throws(
        () => folder.write({ ...one, files: { ok: "", [path]: "x" } }),
        Error,
        JSON.stringify(path),
      );
      assert.deepEqual([...Deno.readDirSync(folder.path)], [], JSON.stringify(path));
    }
    assert.throws(() => folder.write({ ...one, files: { a: "", "a/b": "" } }));
    assert.deepEqual([...Deno.readDirSync(state)].map(({ name }) => name), ["configuration"]);
    return Promise.resolve();
  });
});

Deno.test("the version that is applied is found again, and others go", async () => {
  await withFolder({}, (state) => {
    const folder = new VersionFolder(state), two = { ...one, number: 2, digest: "b".repeat(64) };
    assert.equal(folder.applied(), undefined);
    for (const version of [one, two]) folder.write(version);
    folder.apply(two);
    assert.deepEqual(new VersionFolder(state).applied(), { number: 2, digest: two.digest });
    assert.throws(() => Deno.statSync(folder.folderOf(one)), Deno.errors.NotFound);
    Deno.writeTextFileSync(`${folder.path}/applied.json`, '{"number":1,"digest":"../../../etc"}');
    assert.equal(folder.applied(), undefined);
    folder.apply(undefined);
    assert.deepEqual([...Deno.readDirSync(folder.path)], []);
    return Promise.resolve();
  });
});
