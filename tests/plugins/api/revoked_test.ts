import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ManualClock } from "../../../core/clock.ts";
import { makeCertificate } from "../../core/access/peer_certificates.ts";
import { Revoked } from "../../../plugins/api/revoked.ts";
import { ApiStage } from "./stage.ts";

async function withFile(run: (file: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(`${folder}/revoked`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a file of fingerprints is read again when it changes; one that cannot be read takes nothing back", async () => {
  await withFile((file) => {
    const [one, two] = ["0a".repeat(32), "0b".repeat(32)], lines: string[] = [], clock = new ManualClock(0);
    const tell = (line: string) => void lines.push(line);
    Deno.writeTextFileSync(file, `${one}\n`);
    const revoked = new Revoked({ revoked: [two], revokedFiles: [file] }, {
      clock,
      log: { info: tell, warn: tell },
    });
    assert.deepEqual(revoked.fingerprints, [two, one]);
    Deno.writeTextFileSync(file, "");
    clock.advance(5000);
    assert.deepEqual(revoked.fingerprints, [two]);
    Deno.writeTextFileSync(file, `${one}\n# both\n${two}\n`);
    clock.advance(5000);
    assert.deepEqual(revoked.fingerprints, [two, one, two]);
    for (const spoil of [() => Deno.writeTextFileSync(file, "12:34\n"), () => Deno.removeSync(file)]) {
      spoil();
      clock.advance(5000);
      assert.deepEqual(revoked.fingerprints, [two, one, two]);
      assert.match(lines.at(-1)!, /what it said before goes on/);
    }
    const told = lines.length;
    clock.advance(60_000);
    assert.equal(lines.length, told, "an unchanged file is told of again");
    revoked.close();
    return Promise.resolve();
  });
});

Deno.test("a certificate that the file names is let in no more, on connections that are open too", async () => {
  await withFile(async (file) => {
    const raw = await makeCertificate({ subject: "/CN=ops-anna" }), clock = new ManualClock(Date.now());
    const certificate = { authorized: true, raw }, caller = { address: "127.0.0.1", certificate };
    await Deno.writeTextFile(file, "");
    const certificates = [{ by: "common-name", pattern: "ops-*", grants: [{ role: "viewer" }] }] as const;
    await using stage = await ApiStage.open({}, undefined, {
      clock,
      access: { certificates, revokedFiles: [file] },
    });
    assert.equal((await stage.ask(caller, "GET", "/v1/nodes")).status, 200);
    await Deno.writeTextFile(file, createHash("sha256").update(raw).digest("hex"));
    clock.advance(5000);
    const { status, body } = await stage.ask(caller, "GET", "/v1/nodes");
    assert.deepEqual([status, /was revoked/.test(body.detail)], [401, true]);
  });
});
