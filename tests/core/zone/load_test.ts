import assert from "node:assert/strict";
import { loadZone, type ReadLimits } from "../../../core/zone/load.ts";
import { nameOf, withFiles, zoneText } from "../../plugins/file/file_fixture.ts";

const ORIGIN = nameOf("example.org");

/** The errors of the zone file `db` as `LINE:COLUMN message`, the folder left out. */
function errorsIn(folder: string, limits: Partial<ReadLimits> = {}): string[] {
  return loadZone(`${folder}/db`, ORIGIN, limits).errors.map(({ at, message }) =>
    `${at.line}:${at.column} ${message.replaceAll(folder, "…")}`
  );
}

/** A FIFO that nobody writes to: to open it is to wait for ever. */
async function makeFifo(path: string): Promise<void> {
  const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
  assert.ok(success);
}

Deno.test("loadZone() refuses what is no regular file", async () => {
  await withFiles({ db: zoneText(1, "$INCLUDE fifo", "$INCLUDE link", "$INCLUDE sub") }, async (folder) => {
    await makeFifo(`${folder}/fifo`);
    await Deno.symlink("fifo", `${folder}/link`);
    await Deno.mkdir(`${folder}/sub`);
    assert.deepEqual(errorsIn(folder), [
      "5:10 cannot read '…/fifo': it is a FIFO, a device or a socket: wanted a regular file",
      "6:10 cannot read '…/link': it is a FIFO, a device or a socket: wanted a regular file",
      "7:10 cannot read '…/sub': it is a folder: wanted a regular file",
    ]);
  });
  await withFiles({}, async (folder) => {
    await makeFifo(`${folder}/db`);
    assert.match(loadZone(`${folder}/db`, ORIGIN).unreadable!, /^it is a FIFO/);
    assert.match(loadZone("/dev/zero", ORIGIN).unreadable!, /a device or a socket: wanted a regular file$/);
  });
});

Deno.test("loadZone() refuses a file that is too large, and too much of them", async () => {
  const more = "x A 192.0.2.1\n";
  await withFiles({ db: zoneText(1, "$INCLUDE more", "$INCLUDE more"), more }, (folder) => {
    const db = zoneText(1, "$INCLUDE more", "$INCLUDE more").length;
    assert.deepEqual(errorsIn(folder, { file: db, zone: db + 28 }), []);
    assert.deepEqual(errorsIn(folder, { file: db - 1 }), [
      `1:1 cannot read the zone file: it has ${db} octets: wanted at most ${db - 1}`,
    ]);
    assert.deepEqual(errorsIn(folder, { zone: db + 27 }), [
      `6:10 cannot read '…/more': with it the zone's files have ${db + 28} octets: wanted at most ${db + 27}`,
    ]);
  });
  await withFiles({ db: "" }, async (folder) => {
    await Deno.truncate(`${folder}/db`, 2 ** 40);
    assert.match(errorsIn(folder)[0]!, /it has 1099511627776 octets: wanted at most 67108864$/);
  });
});

Deno.test("loadZone() includes nothing from outside the folder of the zone's own file", async () => {
  const includes = ["../secret", "/etc/passwd", "sub/link", "sub/../sub/more"];
  await withFiles({ secret: "root:x:0\n" }, async (folder) => {
    const zones = `${folder}/zones`;
    await Deno.mkdir(`${zones}/sub`, { recursive: true });
    await Deno.symlink("../../secret", `${zones}/sub/link`);
    await Deno.writeTextFile(`${zones}/sub/more`, "more A 192.0.2.1\n");
    await Deno.writeTextFile(`${zones}/db`, zoneText(1, ...includes.map((file) => `$INCLUDE ${file}`)));
    const rule = "it lies outside the folder of the zone's own file: wanted a file in that folder or below";
    assert.deepEqual(errorsIn(zones), [
      `5:10 cannot read '…/../secret': ${rule}`,
      `6:10 cannot read '/etc/passwd': ${rule}`,
      `7:10 cannot read '…/sub/link': ${rule}`,
    ]);
  });
});

Deno.test("loadZone() includes what lies beside a zone file that is reached through a link", async () => {
  await withFiles({}, async (folder) => {
    await Deno.mkdir(`${folder}/1`);
    await Deno.writeTextFile(`${folder}/1/db`, zoneText(1, "$INCLUDE more"));
    await Deno.writeTextFile(`${folder}/1/more`, "more A 192.0.2.1\n");
    await Deno.symlink("1/db", `${folder}/db`);
    await Deno.symlink("1/more", `${folder}/more`);
    assert.deepEqual(errorsIn(folder), []);
  });
});
