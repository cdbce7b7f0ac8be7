import assert from "node:assert/strict";
import { join } from "node:path";
import { type Clock, ManualClock, SYSTEM_CLOCK } from "../../../core/clock.ts";
import { parseAddress } from "../../../core/plugin.ts";
import { keepGeography } from "../../../plugins/geo/keep.ts";
import { locate } from "../../../core/fleet/locate.ts";
import { type Records, writeMmdb } from "../../support/mmdb_writer.ts";
import { TestScope } from "./control_scope.ts";

const CLIENT = parseAddress("8.8.8.8")!;

/** A folder with the files named; those that are not text are databases. */
function folderOf(files: Record<string, Records | string>): AsyncDisposable & { path(name: string): string } {
  const folder = Deno.makeTempDirSync();
  for (const [name, content] of Object.entries(files)) put(join(folder, name), content);
  return {
    path: (name) => join(folder, name),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** Puts a file in place at once, as an operator should. */
function put(path: string, content: Records | string): void {
  if (typeof content === "string") Deno.writeTextFileSync(`${path}.new`, content);
  else Deno.writeFileSync(`${path}.new`, writeMmdb(content));
  Deno.renameSync(`${path}.new`, path);
}

const at = (latitude: number): Records => ({ "8.0.0.0/8": { latitude, longitude: 0 } });
const networks = (latitude: number) =>
  `networks: [{ prefix: 8.8.0.0/16, latitude: ${latitude}, longitude: 0 }]`;

/** Lets five seconds pass, and what was waiting for them come to its end. */
async function look(clock: ManualClock): Promise<void> {
  clock.advance(5000);
  await new Promise((resolve) => setTimeout(resolve));
}

async function keeping(databases: string[], networks?: string) {
  const clock = new ManualClock(), test = new TestScope(clock);
  await keepGeography({ databases, ...networks && { networks }, inWorker: false }, test.scope);
  const latitude = () => locate(test.geography, CLIENT).place?.latitude;
  return { clock, test, latitude };
}

Deno.test("keepGeography() publishes before it is done, and nothing while no file changes", async () => {
  await using folder = folderOf({ "a.mmdb": at(1) });
  const { clock, test, latitude } = await keeping([folder.path("a.mmdb")]);
  assert.equal(latitude(), 1);
  for (let i = 0; i < 5; i++) await look(clock);
  assert.equal(test.published.length, 1);
});

Deno.test("keepGeography() takes a changed file", async () => {
  await using folder = folderOf({ "a.mmdb": at(1), "n.yaml": networks(2) });
  const { clock, test, latitude } = await keeping([folder.path("a.mmdb")], folder.path("n.yaml"));
  assert.equal(latitude(), 2);
  put(folder.path("n.yaml"), networks(3));
  await look(clock);
  assert.equal(latitude(), 3);
  put(folder.path("n.yaml"), "networks: []");
  put(folder.path("a.mmdb"), at(4));
  await look(clock);
  assert.equal(latitude(), 4);
  assert.deepEqual(test.published.map(({ epoch }) => epoch), [1, 2, 3]);
  assert.match(
    test.logged.at(-1)!,
    /^info: geo: took .*a\.mmdb, .*n\.yaml: \d+ IPv4 and \d+ IPv6 networks, 1 places$/,
  );
});

Deno.test("keepGeography() keeps what there is when a file turns bad, says so, and takes the next good one", async () => {
  await using folder = folderOf({ "a.mmdb": at(1), "b.mmdb": at(9) });
  const { clock, test, latitude } = await keeping([folder.path("a.mmdb"), folder.path("b.mmdb")]);
  put(folder.path("b.mmdb"), "half a file");
  await look(clock);
  assert.equal(latitude(), 1);
  assert.equal(test.geography.epoch, 1);
  assert.deepEqual(test.geography.sources.map(({ refused }) => refused), [
    undefined,
    "it is no MaxMind DB file, or is cut short: its metadata is missing",
  ]);
  assert.match(
    test.logged.at(-1)!,
    /^error: geo: .*b\.mmdb has changed and cannot be used, serving what was read before/,
  );
  assert.deepEqual(test.counted, ['meridian_geo_reloads_total {"outcome":"refused"}']);
  await look(clock);
  assert.equal(test.published.length, 2, "said once");
  put(folder.path("b.mmdb"), at(9));
  put(folder.path("a.mmdb"), at(5));
  await look(clock);
  assert.equal(latitude(), 5);
  assert.deepEqual(test.geography.sources.map(({ refused }) => refused), [undefined, undefined]);
});

Deno.test("keepGeography() keeps what there is when a file is gone, or the networks are wrong", async () => {
  await using folder = folderOf({ "a.mmdb": at(1), "n.yaml": networks(2) });
  const { clock, test, latitude } = await keeping([folder.path("a.mmdb")], folder.path("n.yaml"));
  put(folder.path("n.yaml"), "networks: [{ prefix: 8.8.8.8/16, country: DE }]");
  await look(clock);
  assert.match(test.geography.sources[1]!.refused!, /n\.yaml:1:22: prefix must be a network/);
  Deno.removeSync(folder.path("a.mmdb"));
  await look(clock);
  assert.equal(test.geography.sources[0]!.refused, "no such file");
  assert.equal(latitude(), 2);
});

Deno.test("keepGeography() does not start without a geography", async () => {
  await using folder = folderOf({ "a.mmdb": "nothing" });
  await assert.rejects(
    keeping([folder.path("a.mmdb")]),
    /geo: cannot use .*a\.mmdb: it is no MaxMind DB file/,
  );
});

Deno.test("keepGeography() takes over what was made of the very same files, and makes the rest anew", async () => {
  await using folder = folderOf({ "a.mmdb": at(1), "b.mmdb": at(2) });
  const start = async (path: string, inherited: unknown) => {
    const test = new TestScope(new ManualClock());
    let make: () => unknown = () => undefined;
    const scope = { ...test.scope, inherited, bequeath: (maker: () => unknown) => void (make = maker) };
    await keepGeography({ databases: [folder.path(path)], inWorker: false }, scope);
    return { geography: test.geography, bequest: make() };
  };
  const first = await start("a.mmdb", undefined);
  assert.equal((await start("a.mmdb", first.bequest)).geography, first.geography);
  const other = await start("b.mmdb", first.bequest);
  assert.equal(locate(other.geography, CLIENT).place?.latitude, 2);
  assert.equal(other.geography.epoch, first.geography.epoch + 1);
  put(folder.path("a.mmdb"), at(30));
  assert.equal(locate((await start("a.mmdb", first.bequest)).geography, CLIENT).place?.latitude, 30);
});

Deno.test("keepGeography() ends when it is closed", async () => {
  await using folder = folderOf({ "a.mmdb": at(1) });
  const { clock, test } = await keeping([folder.path("a.mmdb")]);
  await test.close();
  put(folder.path("a.mmdb"), at(2));
  await look(clock);
  assert.equal(test.published.length, 1);
});

Deno.test("keepGeography() lets a build go that ends after it was closed", async () => {
  await using folder = folderOf({ "a.mmdb": at(1) });
  const { clock, test } = await keeping([folder.path("a.mmdb")]);
  put(folder.path("a.mmdb"), at(2));
  clock.advance(5000);
  await test.close();
  await look(clock);
  assert.equal(test.published.length, 1);
  assert.deepEqual([test.logged, test.counted], [[], []]);
});

Deno.test("a client is located by the old file or the new while a worker builds, never by neither", async () => {
  await using folder = folderOf({ "a.mmdb": at(1) });
  const hasty: Clock = {
    nowMs: SYSTEM_CLOCK.nowMs,
    after: (delayMs, then) => SYSTEM_CLOCK.after(delayMs / 500, then),
  };
  const test = new TestScope(hasty);
  await keepGeography({ databases: [folder.path("a.mmdb")], inWorker: true }, test.scope);
  const seen: (number | undefined)[] = [1];
  for (let latitude = 2; latitude <= 4; latitude++) {
    put(folder.path("a.mmdb"), latitude === 3 ? "broken" : at(latitude));
    const before = test.published.length;
    while (test.published.length === before) {
      const found = locate(test.geography, CLIENT).place?.latitude;
      if (found !== seen.at(-1)) seen.push(found);
      await new Promise((resolve) => setTimeout(resolve));
    }
    seen.push(locate(test.geography, CLIENT).place?.latitude);
  }
  await test.close();
  assert.deepEqual(seen, [1, 2, 2, 4]);
});
