import assert from "node:assert/strict";
import { openZone } from "../../../core/zone/packed_zone.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { Control, nameOf, parseBlock, withFiles, zoneText } from "./file_fixture.ts";

const ORIGIN = nameOf("example.org");

/** Starts `file db { ... }` over `files`, and runs `test` with what came of it. */
async function watching(
  files: Record<string, string>,
  options: string,
  test: (control: Control, write: (name: string, text: string) => void) => void,
): Promise<void> {
  await withFiles(files, (folder) => {
    const control = new Control();
    control.start(parseBlock(`file db {\n${options}\n}`, folder).sources);
    try {
      test(control, (name, text) => Deno.writeTextFileSync(`${folder}/${name}`, text));
    } finally {
      control.close();
    }
  });
}

const serialOf = (control: Control) => control.data.zones.get(ORIGIN)!.serial;

Deno.test("file publishes its zones as plain data when it starts", async () => {
  await watching({ db: zoneText(5) }, "", (control) => {
    assert.equal(control.published.length, 1);
    const loaded = control.data.zones.get(ORIGIN)!;
    assert.equal(loaded.serial, 5);
    assert.equal(loaded.loadedMs, control.clock.nowMs());
    assert.ok(openZone(loaded.zone).nodes.has(nameOf("ns.example.org")));
  });
});

Deno.test("file takes a changed file with another serial, when it looks again", async () => {
  await watching({ db: zoneText(1) }, "reload 30s", (control, write) => {
    write("db", zoneText(22, "new A 192.0.2.1"));
    control.clock.advance(29_999);
    assert.equal(serialOf(control), 1);
    control.clock.advance(1);
    assert.equal(serialOf(control), 22);
    assert.ok(openZone(control.data.zones.get(ORIGIN)!.zone).nodes.has(nameOf("new.example.org")));
    assert.match(control.logged.at(-1)!, /^info: file: took .*db, serial 22/);
    assert.deepEqual(control.counted, ["meridian_file_reloads_total taken"]);
  });
});

Deno.test("file reads a large zone again in turns with whatever else is due", async () => {
  await watching({ db: zoneText(1) }, "reload 30s", (control, write) => {
    const lines = Array.from({ length: 5000 }, (_, i) => `h${i} A 192.0.2.1`);
    write("db", zoneText(22, ...lines, "$GENERATE 1-5000 g$ A 192.0.2.1"));
    let between = 0;
    const lookIn = () => {
      if (serialOf(control) !== 1) return;
      between++;
      control.clock.after(0, lookIn);
    };
    control.clock.after(30_000, lookIn);
    control.clock.advance(30_000);
    assert.equal(serialOf(control), 22);
    assert.equal(openZone(control.data.zones.get(ORIGIN)!.zone).nodes.size, 10_002);
    // 10,003 records to read, to sort by owner, and the owners to look at seven times: 5 rests or so each.
    assert.ok(between > 35, String(between));
  });
});

Deno.test("file publishes nothing while nothing changes", async () => {
  await watching({ db: zoneText(1) }, "reload 30s", (control) => {
    control.clock.advance(600_000);
    assert.equal(control.published.length, 1);
    assert.deepEqual(control.logged, []);
  });
});

Deno.test("file keeps the zone when its file turns bad, says so, and takes the next good one", async () => {
  await watching({ db: zoneText(1) }, "reload 30s", (control, write) => {
    const firstMs = control.clock.nowMs();
    write("db", zoneText(22, "x A bad"));
    control.clock.advance(30_000);
    const kept = control.data.zones.get(ORIGIN)!;
    assert.equal(kept.serial, 1);
    assert.equal(kept.loadedMs, firstMs);
    assert.match(kept.refused!, /db:5:5: .*expected an IPv4 address/);
    assert.match(
      control.logged.at(-1)!,
      /^error: file: .*db has changed and cannot be taken, serving serial 1 of 20/,
    );
    assert.deepEqual(control.counted, ["meridian_file_reloads_total refused"]);
    control.clock.advance(300_000);
    assert.equal(control.logged.length, 1);
    write("db", zoneText(333));
    control.clock.advance(30_000);
    assert.equal(serialOf(control), 333);
    assert.equal(control.data.zones.get(ORIGIN)!.refused, undefined);
  });
});

Deno.test("file keeps the zone when its file goes away", async () => {
  await withFiles({ db: zoneText(1) }, (folder) => {
    const control = new Control();
    control.start(parseBlock("file db", folder).sources);
    Deno.removeSync(`${folder}/db`);
    control.clock.advance(60_000);
    assert.match(control.data.zones.get(ORIGIN)!.refused!, /cannot read the zone file/);
    assert.equal(serialOf(control), 1);
    control.close();
  });
});

Deno.test("file leaves a changed file with the same serial, with a warning", async () => {
  await watching({ db: zoneText(1) }, "reload 30s", (control, write) => {
    write("db", zoneText(1, "new A 192.0.2.1"));
    control.clock.advance(30_000);
    assert.equal(control.published.length, 1);
    assert.match(control.logged.at(-1)!, /^warn: .*its serial has not/);
  });
});

Deno.test("file no longer holds an error against a file put back as it was", async () => {
  await watching({ db: zoneText(1) }, "reload 30s", (control, write) => {
    write("db", "bad bad\n");
    control.clock.advance(30_000);
    assert.notEqual(control.data.zones.get(ORIGIN)!.refused, undefined);
    write("db", zoneText(1));
    control.clock.advance(30_000);
    assert.equal(control.data.zones.get(ORIGIN)!.refused, undefined);
  });
});

Deno.test("file takes a changed file with the same serial under reload_by_mtime", async () => {
  await watching({ db: zoneText(1) }, "reload 30s\nreload_by_mtime", (control, write) => {
    write("db", zoneText(1, "new A 192.0.2.1"));
    control.clock.advance(30_000);
    assert.ok(openZone(control.data.zones.get(ORIGIN)!.zone).nodes.has(nameOf("new.example.org")));
  });
});

Deno.test("file looks at included files too", async () => {
  const main = (serial: number) => zoneText(serial, "$INCLUDE more");
  await watching({ db: main(1), more: "a A 192.0.2.1\n" }, "reload_by_mtime", (control, write) => {
    write("more", "a A 192.0.2.1\nbb A 192.0.2.2\n");
    control.clock.advance(60_000);
    assert.ok(openZone(control.data.zones.get(ORIGIN)!.zone).nodes.has(nameOf("bb.example.org")));
  });
});

Deno.test("file never looks again with reload 0, nor once it is closed", async () => {
  await watching({ db: zoneText(1) }, "reload 0", (control, write) => {
    write("db", zoneText(22));
    control.clock.advance(86_400_000);
    assert.equal(serialOf(control), 1);
  });
  await watching({ db: zoneText(1) }, "reload 1s", (control, write) => {
    control.close();
    write("db", zoneText(22));
    control.clock.advance(86_400_000);
    assert.equal(serialOf(control), 1);
  });
});

Deno.test("file does not start with a bad file, or with one at odds with a pool", async () => {
  await withFiles({ db: zoneText(1, "www A 192.0.2.1") }, (folder) => {
    const { sources } = parseBlock("file db", folder);
    const owned = [{ name: nameOf("www.example.org"), types: [TYPE.A], pool: "p" }];
    assert.throws(
      () => new Control().start(sources, owned),
      /Corefile:2:6: www\.example\.org\. is of pool p, but the zone has A there/,
    );
    Deno.writeTextFileSync(`${folder}/db`, "nonsense\n");
    assert.throws(() => new Control().start(sources), /db:1:9: .*wanted a type/);
  });
});
