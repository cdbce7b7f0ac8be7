/**
 * Geographies that are kept in the state directory.
 *
 * @module
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { ManualClock } from "../../../core/clock.ts";
import { locate } from "../../../core/fleet/locate.ts";
import type { Geography } from "../../../core/fleet/place.ts";
import { parseAddress, parsePrefix } from "../../../core/plugin.ts";
import { GeographyBuilder } from "../../../plugins/geo/geography.ts";
import { encodeGeography, readGeography } from "../../../plugins/geo/geography_file.ts";
import { keepGeography } from "../../../plugins/geo/keep.ts";
import { readKept, writeKept } from "../../../plugins/geo/kept.ts";
import { type Records, writeMmdb } from "../../support/mmdb_writer.ts";
import { TestScope } from "./control_scope.ts";

const CLIENT = parseAddress("8.8.8.8")!;

const at = (latitude: number): Records => ({ "8.0.0.0/8": { latitude, longitude: 0.1, country_code: "US" } });

function geographyAt(latitude: number): Geography {
  const place = { latitude: 1.5, longitude: 2.5, country: "FR", subdivision: "IDF" };
  const networks = [{ prefix: parsePrefix("9.9.9.0/24")!, place }];
  const builder = new GeographyBuilder(1000, { networks, builtMs: 7 });
  builder.addDatabase({ name: "a.mmdb", octets: writeMmdb(at(latitude)) });
  return builder.finish(3);
}

class Folder implements AsyncDisposable {
  readonly path = Deno.makeTempDirSync();

  file(name: string): string {
    return join(this.path, name);
  }

  get kept(): string[] {
    try {
      return [...Deno.readDirSync(this.file("state/geo"))].map(({ name }) => this.file(`state/geo/${name}`))
        .sort();
    } catch {
      return [];
    }
  }

  /** Another file in place of the old one. */
  put(name: string, content: Records | string): void {
    const octets = typeof content === "string" ? new TextEncoder().encode(content) : writeMmdb(content);
    Deno.writeFileSync(this.file(`${name}.new`), octets);
    Deno.renameSync(this.file(`${name}.new`), this.file(name));
  }

  /** Starts anew with the state that there is. @returns The latitude of the client, and what was logged. */
  async start({ networks = false, state = true, inWorker = false, nowMs = 0 } = {}) {
    const test = new TestScope(new ManualClock(nowMs));
    const files = {
      databases: [this.file("a.mmdb")],
      ...networks && { networks: this.file("networks.yaml") },
      inWorker,
    };
    const scope = { ...test.scope, ...state && { stateDirectory: this.file("state") } };
    await keepGeography(files, scope);
    await test.close();
    return { latitude: locate(test.geography, CLIENT).place?.latitude, logged: test.logged, test };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Deno.remove(this.path, { recursive: true });
  }
}

Deno.test("a geography comes back from its file as it was, in shared memory", async () => {
  await using folder = new Folder();
  const path = folder.file("x.tables"), geography = geographyAt(12.25);
  Deno.writeFileSync(path, encodeGeography(geography));
  const read = readGeography(path);
  assert.deepEqual(read, geography);
  assert.ok(read.v6.codes.buffer instanceof SharedArrayBuffer);
  assert.equal(locate(read, parseAddress("9.9.9.9")!).place?.subdivision, "IDF");
});

Deno.test("a file that is damaged anywhere, cut short or of another kind is refused", async () => {
  await using folder = new Folder();
  const path = folder.file("x.tables"), octets = encodeGeography(geographyAt(12.25));
  const refused = (changed: Uint8Array) => {
    Deno.writeFileSync(path, changed);
    assert.throws(() => readKept(path, 1, 0), Error, `${changed.length} octets`);
  };
  for (let i = 0; i < octets.length; i += 7) refused(octets.with(i, octets[i]! ^ 0x10));
  for (const length of [0, 5, 32, 40, octets.length - 8, octets.length - 1]) refused(octets.slice(0, length));
  refused(new TextEncoder().encode("something else, and long enough to be told: ".repeat(4)));
});

Deno.test("a geography is kept, and the next start takes it as its own", async () => {
  for (const inWorker of [false, true]) {
    await using folder = new Folder();
    folder.put("a.mmdb", at(1));
    const first = await folder.start({ inWorker });
    assert.deepEqual([first.latitude, folder.kept.length], [1, 1]);
    assert.deepEqual(first.logged.filter((line) => line.includes("cannot")), []);
    // That it is the file that is read shows by another geography in it.
    writeKept(folder.kept[0]!, geographyAt(50));
    const { latitude, logged, test } = await folder.start({ inWorker, nowMs: 5_000_000 });
    assert.deepEqual([latitude, logged], [50, []]);
    assert.deepEqual([test.geography.epoch, test.geography.sources[0]!.loadedMs], [1, 5_000_000]);
  }
});

Deno.test("a geography whose build ends after the block was closed is not kept, and nothing is left to do", async () => {
  await using folder = new Folder();
  folder.put("a.mmdb", at(1));
  const clock = new ManualClock(0), test = new TestScope(clock);
  const scope = { ...test.scope, stateDirectory: folder.file("state") };
  const kept = keepGeography({ databases: [folder.file("a.mmdb")], inWorker: false }, scope);
  await test.close();
  await kept;
  assert.deepEqual([folder.kept, clock.nextMs], [[], Infinity]);
  assert.match(test.logged.join(), /^debug: geo: closed before .* was written, leaving it out$/);
});

Deno.test("what is kept of other files is not taken", async () => {
  await using folder = new Folder();
  folder.put("a.mmdb", at(1));
  folder.put("networks.yaml", "networks: [{ prefix: 8.8.8.0/24, latitude: 20, longitude: 0 }]");
  assert.equal((await folder.start()).latitude, 1);
  assert.equal((await folder.start({ networks: true })).latitude, 20);
  folder.put("networks.yaml", "networks: [{ prefix: 8.8.8.0/24, latitude: 30, longitude: 0 }]");
  assert.equal((await folder.start({ networks: true })).latitude, 30);
  folder.put("a.mmdb", at(2));
  assert.equal((await folder.start()).latitude, 2);
  assert.equal(folder.kept.length, 4);
});

Deno.test("a kept file that cannot be used is told, and replaced", async () => {
  await using folder = new Folder();
  folder.put("a.mmdb", at(1));
  await folder.start();
  const [path] = folder.kept, whole = Deno.readFileSync(path!);
  for (const octets of [whole.slice(0, 100), whole.with(whole.length - 9, 99), new Uint8Array(0)]) {
    Deno.writeFileSync(path!, octets);
    const { latitude, logged } = await folder.start();
    assert.equal(latitude, 1);
    assert.match(
      logged.join("\n"),
      /^warn: geo: cannot use .*\.tables, building it anew: it is (cut short|damaged.*)$/,
    );
    assert.deepEqual(Deno.readFileSync(path!).length, whole.length);
    assert.deepEqual((await folder.start()).logged, []);
  }
});

Deno.test("the four that were used last are kept, and nothing that was left half written", async () => {
  await using folder = new Folder();
  const used: string[] = [];
  for (let i = 1; i <= 6; i++) {
    folder.put("a.mmdb", at(i));
    await folder.start({ nowMs: i * 1_000_000 });
    used.push(folder.kept.find((path) => !used.includes(path))!);
    Deno.utimeSync(used.at(-1)!, i * 1000, i * 1000);
    if (i === 1) {
      Deno.writeTextFileSync(folder.file("state/geo/x.tables.1.new"), "half");
      Deno.utimeSync(folder.file("state/geo/x.tables.1.new"), 1, 1);
    }
    // The first is used again and again.
    if (i > 1) Deno.utimeSync(used[0]!, i * 1000 + 1, i * 1000 + 1);
  }
  assert.deepEqual(folder.kept, [used[0], ...used.slice(3)].sort());
});

Deno.test("nothing is kept without a state directory, and one that cannot be written is told", async () => {
  await using folder = new Folder();
  folder.put("a.mmdb", at(1));
  assert.deepEqual((await folder.start({ state: false })).logged, []);
  assert.throws(() => Deno.statSync(folder.file("state")), Deno.errors.NotFound);
  Deno.writeTextFileSync(folder.file("state"), "a file where a folder should be");
  const { latitude, logged } = await folder.start();
  assert.equal(latitude, 1);
  assert.match(logged.join("\n"), /^warn: geo: cannot (use|keep) /m);
});
