import assert from "node:assert/strict";
import { VERSION } from "../../../core/command/version.ts";
import { Problems } from "../../../core/plugin.ts";
import chaos from "../../../plugins/chaos/mod.ts";
import { startBlock } from "../../support/block.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

Deno.test("chaos tells version, authors, host and digest in class CH", async () => {
  const block = await startBlock(
    `.:1053 {\n chaos CoreDNS-001 info@example.org root@example.org\n whoami\n}\n`,
  );
  const ask = (name: string, id = 0) => block.ask(name, "TXT", { class: "CH", id });
  assert.deepEqual(await ask("version.bind"), ["NOERROR aa", 'version.bind. 0 CH TXT "CoreDNS-001"']);
  assert.deepEqual(await ask("Version.Server"), ["NOERROR aa", 'Version.Server. 0 CH TXT "CoreDNS-001"']);
  assert.deepEqual(await ask("authors.bind"), [
    "NOERROR aa",
    'authors.bind. 0 CH TXT "info@example.org"',
    'authors.bind. 0 CH TXT "root@example.org"',
  ]);
  assert.equal((await ask("authors.bind", 1))[1], 'authors.bind. 0 CH TXT "root@example.org"');
  for (const name of ["hostname.bind", "id.server"]) {
    assert.equal((await ask(name))[1], `${name}. 0 CH TXT "${Deno.hostname()}"`);
  }
  assert.match((await ask("digest.meridian"))[1]!, /^digest\.meridian\. 0 CH TXT "[0-9a-f]{32}"$/);
  await block.close();
});

Deno.test("chaos passes on what is not asked of it, and nobody else sees class CH", async () => {
  const block = await startBlock(`.:1053 {\n chaos\n whoami\n}\n`);
  assert.deepEqual(await block.ask("version.bind", "A", { class: "CH" }), ["REFUSED"]);
  assert.deepEqual(await block.ask("example.org", "TXT", { class: "CH" }), ["REFUSED"]);
  assert.match((await block.ask("version.bind", "TXT"))[1]!, /^additional/);
  assert.equal(
    (await block.ask("version.bind", "TXT", { class: "CH" }))[1],
    `version.bind. 0 CH TXT "Meridian-${VERSION}"`,
  );
  assert.deepEqual(await block.ask("authors.bind", "TXT", { class: "CH" }), ["NOERROR aa"]);
  await block.close();
});

Deno.test("chaos refuses a text that is no character-string", () => {
  const problems = new Problems();
  chaos.parse(directivesOf(`chaos ${"x".repeat(256)}`), parseScopeOf({ problems }));
  assert.match(problems.errors[0]!.message, /at most 255 octets: got 256/);
});
