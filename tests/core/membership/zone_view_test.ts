import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { fold, parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { Records } from "../../../core/management/records.ts";
import { importZone } from "../../../core/management/zone_transfer.ts";
import { Zones } from "../../../core/management/zones.ts";
import { ZoneMaker } from "../../../core/membership/zone_maker.ts";
import type { ZoneChanges } from "../../../core/membership/zone_view.ts";
import { openZone } from "../../../core/zone/packed_zone.ts";
import type { SharedZone } from "../../../core/zone/shared_zone.ts";
import { ANNA, emptyWorld } from "../management/support.ts";

const ZONE = "example.org.", NS = ["ns.example.net"];

/** A store whose zones are followed by a maker that has its own clock. */
function open() {
  const world = emptyWorld(), clock = new ManualClock(), told: ZoneChanges[] = [], errors: string[] = [];
  const { store } = world, known = new Map<string, SharedZone>();
  const maker = new ZoneMaker({
    replica: {
      *below(prefix) {
        for (const entry of store.entries.values()) if (entry.key.startsWith(prefix)) yield entry;
      },
    },
    clock,
    log: { error: (message) => void errors.push(message) },
    tell(zones) {
      told.push(zones);
      for (const [name, zone] of Object.entries(zones)) zone ? known.set(name, zone) : known.delete(name);
    },
  });
  let before = new Map(store.entries);
  /** Tells what is different since the last time, as a replica does. */
  const hear = () => {
    for (const key of new Set([...before.keys(), ...store.entries.keys()])) {
      const was = before.get(key), is = store.entries.get(key);
      if (was !== is) maker.take({ key, ...was && { before: was }, ...is && { after: is } });
    }
    before = new Map(store.entries);
    maker.makeSoon();
  };
  const catchUp = () => (hear(), clock.advance(1000));
  return {
    world,
    zones: new Zones(world),
    records: new Records(world),
    clock,
    told,
    errors,
    known,
    maker,
    hear,
    catchUp,
  };
}

/** TTL and number of records of an RRset; undefined where it is not there. */
function found(zone: SharedZone | undefined, name: string, type: keyof typeof TYPE): string | undefined {
  const rrset = zone?.zone && openZone(zone.zone).nodes.get(fold(parseName(name)))?.rrsets.get(TYPE[type]);
  return rrset && `${rrset.ttl} ${rrset.rdata.length}`;
}

const A = (ttl: number, ...rdata: string[]) => ({ ttl, rdata });

Deno.test("zones of the store are told as they come, change and go", async () => {
  const { zones, records, known, told, catchUp, errors } = open();
  await zones.create({ name: ZONE, nameServers: NS }, ANNA);
  catchUp();
  assert.deepEqual([known.get(ZONE)!.serial, known.get(ZONE)!.refused], [1, undefined]);
  await records.put(ZONE, "www.example.org", "A", A(60, "192.0.2.1"), ANNA);
  await records.put(ZONE, "www.example.org", "TXT", A(60, "x"), ANNA);
  catchUp();
  assert.equal(known.get(ZONE)!.serial, 3);
  assert.equal(found(known.get(ZONE), "www.example.org", "A"), "60 1");
  assert.equal(told.length, 2, "changes that come together are told together");
  await records.remove(ZONE, "www.example.org", "A", ANNA);
  catchUp();
  assert.equal(found(known.get(ZONE), "www.example.org", "A"), undefined);
  assert.equal(found(known.get(ZONE), "www.example.org", "TXT"), "60 1");
  await zones.remove(ZONE, ANNA);
  catchUp();
  assert.deepEqual([...known], []);
  assert.deepEqual(errors, []);
});

Deno.test("an import is there as a whole, and what is staged for it is seen by nobody", async () => {
  const { world, zones, known, told, catchUp } = open();
  await zones.create({ name: ZONE, nameServers: NS }, ANNA);
  catchUp();
  const staged = world.store.apply.bind(world.store);
  world.store.apply = (writes) => {
    staged(writes);
    catchUp();
  };
  const text = "@ 300 SOA ns host 9 2 3 4 5\n@ 300 NS ns.example.net.\n" +
    Array.from({ length: 700 }, (_, i) => `h${i} 60 A 192.0.2.1`).join("\n");
  await importZone(world, ZONE, text, ANNA);
  catchUp();
  assert.deepEqual(told.map((zones) => zones[ZONE]?.serial), [1, 9]);
  assert.equal(openZone(known.get(ZONE)!.zone!).nodes.size, 701);
});

Deno.test("a delegation, which hides what is below it, and its end", async () => {
  const { records, zones, known, catchUp } = open();
  await zones.create({ name: ZONE, nameServers: NS }, ANNA);
  await records.put(ZONE, "sub.example.org", "NS", A(60, "ns.sub.example.org."), ANNA);
  await records.put(ZONE, "ns.sub.example.org", "A", A(60, "192.0.2.1"), ANNA);
  catchUp();
  assert.deepEqual([...openZone(known.get(ZONE)!.zone!).cuts], [fold(parseName("sub.example.org"))]);
  await records.remove(ZONE, "sub.example.org", "NS", ANNA);
  catchUp();
  assert.deepEqual([...openZone(known.get(ZONE)!.zone!).cuts], []);
});

Deno.test("what cannot be served leaves the zone as it was, says why, and is mended by what can", async () => {
  const { world: { store }, zones, records, known, catchUp } = open();
  await zones.create({ name: ZONE, nameServers: NS }, ANNA);
  await records.put(ZONE, "www.example.org", "A", A(60, "192.0.2.1"), ANNA);
  catchUp();
  const key = store.entries.keys().find((key) => key.endsWith("/www.example.org./A"))!,
    sound = store.entries.get(key)!;
  store.apply([{ put: key, value: sound.value.replace("192.0.2.1", "192.0.2") }]);
  catchUp();
  const broken = known.get(ZONE)!;
  assert.match(
    broken.refused!,
    /^records\/example\.org\.%40.*\/www\.example\.org\.\/A:1:1: cannot be read: .*192\.0\.2/,
  );
  assert.deepEqual([broken.serial, found(broken, "www.example.org", "A")], [2, "60 1"]);
  // Beside it something changes: the zone still is not sound.
  await records.put(ZONE, "b.example.org", "A", A(60, "192.0.2.1"), ANNA);
  catchUp();
  assert.equal(found(known.get(ZONE), "b.example.org", "A"), undefined);
  assert.notEqual(known.get(ZONE)!.refused, undefined);
  store.apply([{ put: key, value: sound.value }]);
  catchUp();
  assert.deepEqual([known.get(ZONE)!.serial, known.get(ZONE)!.refused], [3, undefined]);
  assert.equal(found(known.get(ZONE), "b.example.org", "A"), "60 1");
});

Deno.test("all that is known is there when it starts, and a large zone is made in turns afterwards", async () => {
  const { world, clock, told, maker, hear } = open();
  const text = (serial: number) =>
    `@ 300 SOA ns host ${serial} 2 3 4 5\n@ 300 NS ns.example.net.\n$GENERATE 1-9000 h$ 60 A 192.0.2.1`;
  await importZone(world, ZONE, text(1), ANNA);
  for (const after of world.store.entries.values()) maker.take({ key: after.key, after });
  assert.equal(maker.start()[ZONE]?.serial, 1);
  await importZone(world, ZONE, text(2), ANNA);
  let between = 0;
  const lookIn = () => {
    if (told.length > 0) return;
    between++;
    clock.after(0, lookIn);
  };
  hear();
  clock.after(5, lookIn);
  clock.advance(10);
  assert.equal(told[0]![ZONE]?.serial, 2);
  assert.ok(between > 20, `${between}`);
});

Deno.test("zones are made for no more than half of the time, and at once where nothing was made lately", async () => {
  const { world, clock, told, hear, catchUp, records } = open();
  await importZone(world, ZONE, "@ 300 SOA ns host 1 2 3 4 5\n@ 300 NS ns.example.net.\n", ANNA);
  catchUp();
  // Somebody else takes his turns, and time.
  const { after } = clock;
  clock.after = (delayMs, then) => after.call(clock, delayMs === 0 ? 200 : delayMs, then);
  const put = async (name: string) => {
    await records.put(ZONE, name, "A", A(60, "192.0.2.1"), ANNA);
    hear();
  };
  const text = `@ 300 SOA ns host 2 2 3 4 5\n@ 300 NS ns.example.net.\n$GENERATE 1-2500 h$ 60 A 192.0.2.1`;
  await importZone(world, ZONE, text, ANNA);
  hear();
  for (let turns = 0; told.length < 2 && turns < 100; turns++) clock.advance(100);
  await put("a.example.org");
  clock.advance(1000);
  assert.equal(told.length, 2, "it rests");
  clock.advance(10_000);
  assert.equal(told.length, 3);
  clock.advance(60_000);
  await put("b.example.org");
  clock.advance(405);
  assert.equal(told.length, 4, "it has rested");
});

Deno.test("who writes a name first in other letters decides nothing that others would not", async () => {
  const { world, zones, records, known, catchUp } = open();
  await zones.create({ name: ZONE, nameServers: NS }, ANNA);
  catchUp();
  await records.put(ZONE, "wWw.example.org", "TXT", A(60, "x"), ANNA);
  catchUp();
  await records.put(ZONE, "www.example.org", "A", A(60, "192.0.2.1"), ANNA);
  catchUp();
  await records.remove(ZONE, "www.example.org", "A", ANNA);
  catchUp();
  const late = open();
  for (const [key, entry] of world.store.entries) late.world.store.entries.set(key, entry);
  late.catchUp();
  const spelled = (zone: SharedZone) =>
    openZone(zone.zone!).nodes.get(fold(parseName("www.example.org")))!.name;
  assert.equal(spelled(known.get(ZONE)!), spelled(late.known.get(ZONE)!));
});
