import assert from "node:assert/strict";
import fc from "fast-check";
import { managedZones } from "../../../core/management/managed_zone.ts";
import { CHANGES_MAX } from "../../../core/management/record_changes.ts";
import { Records } from "../../../core/management/records.ts";
import { isAfter, nextSerial } from "../../../core/management/serial.ts";
import { exportZone, importZone, sweepRecords } from "../../../core/management/zone_transfer.ts";
import { Zones } from "../../../core/management/zones.ts";
import { fold, formatName, parseName } from "../../../core/dns/name.ts";
import { makeZone } from "../../../core/zone/make_zone.ts";
import { PREFIXES } from "../../../core/state/keys.ts";
import { ANNA, emptyWorld, faultsIn, problemIn } from "./support.ts";

const ZONE = "example.org.";

async function zoneWorld() {
  const world = emptyWorld(), zones = new Zones(world), records = new Records(world);
  await zones.create({ name: "example.org", nameServers: ["ns.example.net"] }, ANNA);
  return { world, zones, records };
}

type World = Awaited<ReturnType<typeof zoneWorld>>;

/** Puts an RRset that stands as lines of a zone file do: `www 300 A 192.0.2.1`, RDATA divided by `|`. */
function putLine({ records }: World, line: string, asking = ANNA) {
  const [, owner, ttl, type, rdata] = /^(\S+) (\d+) (\S+) (.*)$/.exec(line)!;
  const name = owner === "@" ? ZONE : `${owner}.${ZONE}`;
  return records.put(ZONE, name, type!, { ttl: Number(ttl), rdata: rdata!.split(" | ") }, asking);
}

const linesOf = async ({ world }: World) => (await exportZone(world.store, ZONE)).trimEnd().split("\n");
const serialOf = async ({ zones }: World) => (await zones.get(ZONE)).value.serial;

Deno.test("a new zone has a SOA and its name servers, and serial 1", async () => {
  const world = await zoneWorld();
  assert.deepEqual(await linesOf(world), [
    "$ORIGIN example.org.",
    "example.org. 3600 IN SOA ns.example.net. hostmaster.example.org. 1 7200 3600 1209600 60",
    "example.org. 3600 IN NS ns.example.net.",
  ]);
  assert.equal(
    (await problemIn(() => world.zones.create({ name: ZONE, nameServers: ["a."] }, ANNA))).status,
    409,
  );
});

Deno.test("each change raises the serial by one, in the same transaction, and is told in the log", async () => {
  const world = await zoneWorld(), { store } = world.world;
  assert.equal((await putLine(world, "www 300 A 192.0.2.1 | 192.0.2.2")).status, 201);
  assert.equal(await serialOf(world), 2);
  assert.equal((await putLine(world, "www 300 A 192.0.2.1")).status, 200);
  assert.equal(await serialOf(world), 3);
  assert.deepEqual((await linesOf(world)).slice(3), ["www.example.org. 300 IN A 192.0.2.1"]);
  const before = store.transactions;
  await world.records.remove(ZONE, "WWW.example.org", "a", ANNA);
  assert.equal(store.transactions, before + 1);
  const { action, subject, before: was, after: is } = (await world.world.audit()).at(-1)!;
  assert.deepEqual([action, subject], ["records.change", "records/example.org./www.example.org./A"]);
  const rrset = { name: "www.example.org.", type: "A", ttl: 300, rdata: ["192.0.2.1"] };
  assert.deepEqual([was, is], [{ serial: 3, rrsets: [rrset] }, { serial: 4, rrsets: [] }]);
});

Deno.test("what changes nothing raises no serial", async () => {
  const world = await zoneWorld();
  await putLine(world, "www 300 AAAA 2001:db8::1");
  assert.equal((await putLine(world, "www 300 AAAA 2001:DB8:0::1")).status, 200);
  assert.equal(await serialOf(world), 2);
});

Deno.test("what a zone cannot have is refused", async () => {
  const world = await zoneWorld();
  await putLine(world, "www 300 A 192.0.2.1");
  await putLine(world, "alias 300 CNAME www.example.org.");
  await putLine(world, "sub 300 NS ns.sub.example.org.");
  await putLine(world, "ns.sub 300 A 192.0.2.3");
  await putLine(world, "tree 300 DNAME example.net.");
  const serial = await serialOf(world);
  for (
    const [line, fault] of [
      ["www 300 CNAME alias.example.org.", ""],
      ["alias 300 A 192.0.2.1", ""],
      ["www 300 CNAME a. | b.", ""],
      ["@ 300 CNAME www.example.org.", ""],
      ["www 300 SOA a. b. 1 1 1 1 1", ""],
      ["host.sub 300 TXT hidden", ""],
      ["sub 300 TXT hidden", ""],
      ["leaf.tree 300 A 192.0.2.1", ""],
      ["www 300 A 192.0.2.256", "/rdata/0"],
      ["www 300 A 192.0.2.1 | 192.0.2.1", "/rdata/1"],
      ["www 300 MX 10", "/rdata/0"],
      ["www 300 TXT v=DKIM1; k=rsa", "/rdata/0"],
      ["www 300 TXT ( a b )", "/rdata/0"],
      ["www 300 ANY x", "/type"],
      ["www 300 AAAAA ::1", "/type"],
      ["www 2147483648 A 192.0.2.1", "/ttl"],
    ] as const
  ) {
    assert.deepEqual([...new Set(await faultsIn(() => putLine(world, line)))], [fault], line);
  }
  assert.equal(await serialOf(world), serial);
});

Deno.test("a type that was mistyped is told, and so are all fields at once", async () => {
  const { records } = await zoneWorld();
  const body = {
    changes: [{ change: "putt", name: "www.example.net.", type: "CNAM", ttl: 1, rdata: ["x"] }],
  };
  assert.deepEqual(await faultsIn(() => records.change(ZONE, body, ANNA)), ["/changes/0/change"]);
  const { errors } = await problemIn(() =>
    records.change(ZONE, { changes: [{ ...body.changes[0], change: "put" }] }, ANNA)
  );
  assert.deepEqual(errors!.map(({ pointer, nearest }) => [pointer, nearest]), [
    ["/changes/0/name", undefined],
    ["/changes/0/type", "CNAME"],
  ]);
});

Deno.test("a relative name is told from a whole one", async () => {
  const { records } = await zoneWorld();
  const { status, detail } = await problemIn(() => records.get(ZONE, "www", "A"));
  assert.equal(status, 404);
  assert.match(detail, /names are whole here/);
});

Deno.test("a delegation must not hide what is there", async () => {
  const world = await zoneWorld();
  await putLine(world, "host.sub 300 A 192.0.2.1");
  await putLine(world, "sub 300 NS host.sub.example.org.");
  await world.records.remove(ZONE, "sub.example.org.", "NS", ANNA);
  await putLine(world, "host.sub 300 TXT visible");
  assert.deepEqual(await faultsIn(() => putLine(world, "sub 300 NS ns.example.net.")), [""]);
  assert.equal((await problemIn(() => putLine(world, "sub 300 DNAME example.net."))).status, 422);
});

Deno.test("the apex keeps its SOA and its NS", async () => {
  const { records } = await zoneWorld();
  for (const type of ["SOA", "NS"]) {
    assert.equal((await problemIn(() => records.remove(ZONE, ZONE, type, ANNA))).status, 422, type);
  }
});

Deno.test("a set of changes is done as a whole: an address may give way to a CNAME", async () => {
  const world = await zoneWorld();
  await putLine(world, "www 300 A 192.0.2.1");
  const { value } = await world.records.change(ZONE, {
    changes: [
      { change: "delete", name: "www.example.org.", type: "A" },
      { change: "put", name: "www.example.org.", type: "CNAME", ttl: 60, rdata: ["web.example.net"] },
    ],
  }, ANNA);
  assert.equal(value!.serial, 3);
  assert.deepEqual((await linesOf(world)).slice(3), ["www.example.org. 60 IN CNAME web.example.net."]);
});

Deno.test("a set has each RRset once, and as many as a transaction takes", async () => {
  const { records } = await zoneWorld();
  const put = (i: number) => ({
    change: "put",
    name: `h${i}.${ZONE}`,
    type: "A",
    ttl: 1,
    rdata: ["192.0.2.1"],
  });
  const many = Array.from({ length: CHANGES_MAX }, (_, i) => put(i));
  const asking = { ...ANNA, idempotencyKey: "k" };
  assert.equal((await records.change(ZONE, { changes: many }, asking)).value!.put.length, CHANGES_MAX);
  assert.deepEqual(await faultsIn(() => records.change(ZONE, { changes: [put(1), put(1)] }, ANNA)), [
    "/changes/1",
  ]);
  assert.deepEqual(await faultsIn(() => records.change(ZONE, { changes: [...many, put(99)] }, ANNA)), [
    "/changes",
  ]);
});

Deno.test("what no transaction can hold is told to be too large", async () => {
  const { records } = await zoneWorld();
  const rdata = Array.from({ length: 240 }, (_, i) => `"${String(i).padStart(250, "x")}"`);
  const put = (i: number) => ({ change: "put", name: `h${i}.${ZONE}`, type: "TXT", ttl: 1, rdata });
  const changes = Array.from({ length: 9 }, (_, i) => put(i));
  assert.equal((await problemIn(() => records.change(ZONE, { changes }, ANNA))).status, 413);
});

Deno.test("a SOA that is put keeps the server's serial, or takes a later one", async () => {
  const world = await zoneWorld();
  const soa = (serial: number, refresh: number) =>
    `@ 3600 SOA ns.example.net. admin.example.org. ${serial} ${refresh} 1 1 60`;
  await putLine(world, soa(0, 100));
  assert.equal(await serialOf(world), 2);
  await putLine(world, soa(2026120100, 100));
  assert.equal(await serialOf(world), 2026120100);
  await putLine(world, soa(7, 200));
  assert.equal(await serialOf(world), 2026120101);
  await putLine(world, soa(7, 200));
  assert.equal(await serialOf(world), 2026120101);
});

Deno.test("serials go round (RFC 1982)", () => {
  assert.deepEqual([1, 2 ** 32 - 1].map(nextSerial), [2, 1]);
  assert.deepEqual([
    isAfter(1, 0),
    isAfter(0, 2 ** 32 - 1),
    isAfter(2 ** 31, 0),
    isAfter(5, 5),
    isAfter(4, 5),
  ], [
    true,
    true,
    false,
    false,
    false,
  ]);
});

Deno.test("bounds of a zone hold for every TTL", async () => {
  const world = emptyWorld(), zones = new Zones(world), records = new Records(world);
  await zones.create({ name: ZONE, nameServers: ["ns.example.net"], ttl: { min: 30, max: 600 } }, ANNA);
  const put = (ttl: number) => records.put(ZONE, `www.${ZONE}`, "A", { ttl, rdata: ["192.0.2.1"] }, ANNA);
  assert.deepEqual(await faultsIn(() => put(29)), ["/ttl"]);
  assert.deepEqual(await faultsIn(() => put(601)), ["/ttl"]);
  assert.equal((await put(30)).status, 201);
});

Deno.test("of two changes of a zone at once neither makes what is no zone", async () => {
  const world = await zoneWorld();
  const done = await Promise.allSettled([
    putLine(world, "www 300 A 192.0.2.1"),
    putLine(world, "www 300 CNAME web.example.net."),
    putLine(world, "x 300 TXT a"),
  ]);
  assert.deepEqual(done.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.equal(await serialOf(world), 3);
});

Deno.test("an RRset's tag is its own, the zone's that of its last change", async () => {
  const world = await zoneWorld();
  const { etag } = await putLine(world, "www 300 A 192.0.2.1");
  const { etag: zoneTag } = await world.zones.get(ZONE);
  await putLine(world, "x 300 TXT a", { actor: "token:bert" });
  const changes = [{ change: "delete", name: `www.${ZONE}`, type: "A" }];
  const { status, changed } = await problemIn(() =>
    world.records.change(ZONE, { changes }, { ...ANNA, ifMatch: zoneTag })
  );
  assert.deepEqual([status, changed!.actor], [412, "token:bert"]);
  assert.equal((await world.records.get(ZONE, `www.${ZONE}`, "A")).etag, etag);
  assert.equal(
    (await putLine(world, "www 300 A 192.0.2.9", { ...ANNA, ifMatch: etag! } as typeof ANNA)).status,
    200,
  );
});

Deno.test("RRsets are listed in pages, by name and type", async () => {
  const world = await zoneWorld();
  for (const owner of ["a", "b", "c"]) await putLine(world, `${owner} 300 A 192.0.2.1`);
  const first = await world.records.list(ZONE, { limit: 2 }, { type: "a" });
  const second = await world.records.list(ZONE, { limit: 2, cursor: first.next! }, { type: "a" });
  const names = [...first.items, ...second.items].map(({ value }) => value.name);
  assert.deepEqual(names, ["a.example.org.", "b.example.org.", "c.example.org."]);
  assert.equal((await world.records.list(ZONE, {}, { name: "B.example.org" })).items.length, 1);
});

const FILE = `$ORIGIN example.org.
$TTL 300
@ SOA ns.example.net. hostmaster 40 7200 3600 1209600 60
@ NS ns.example.net.
www A 192.0.2.1
    A 192.0.2.2
    TXT "v=DKIM1; k=rsa" "\\"quoted\\""
*.wild CNAME www
sub NS ns.sub
ns.sub A 192.0.2.3
hidden.sub TXT lost
$GENERATE 1-3 host$ A 192.0.2.$
`;

Deno.test("a master file becomes a zone, and comes out as it went in", async () => {
  const world = emptyWorld();
  const { status, value } = await importZone(world, "example.org", FILE, ANNA);
  assert.deepEqual([status, value!.serial, value!.rrsets], [201, 40, 10]);
  assert.equal(value!.warnings.length, 1);
  assert.match(value!.warnings[0]!, /^11:1: TXT at hidden\.sub\.example\.org\. is hidden by the delegation/);
  const text = await exportZone(world.store, ZONE);
  assert.ok(text.includes('www.example.org. 300 IN TXT "v=DKIM1; k=rsa" "\\"quoted\\""\n'), text);
  const other = emptyWorld();
  await importZone(other, ZONE, text, ANNA);
  assert.equal(await exportZone(other.store, ZONE), text);
});

Deno.test("an import takes the place of the whole zone at once, with a later serial", async () => {
  const world = await zoneWorld();
  await putLine(world, "old 300 A 192.0.2.1");
  await importZone(world.world, ZONE, FILE, ANNA);
  assert.equal(await serialOf(world), 40);
  assert.equal((await linesOf(world)).some((line) => line.startsWith("old")), false);
  await importZone(world.world, ZONE, FILE, ANNA);
  assert.equal(await serialOf(world), 41);
  const { entries } = await world.world.store.list(PREFIXES.records);
  assert.equal(entries.length, 10);
});

Deno.test("an import that breaks off changes nothing, and what it left is swept", async () => {
  const world = await zoneWorld(), { store, clock } = world.world, before = await linesOf(world);
  const transact = store.transact.bind(store);
  let left = 1;
  store.transact = (...args) => left-- > 0 ? transact(...args) : Promise.reject(new Error("power is gone"));
  await assert.rejects(() => importZone(world.world, ZONE, FILE, ANNA));
  store.transact = transact;
  assert.deepEqual(await linesOf(world), before);
  assert.equal(managedZones((await store.list("")).entries)[0]!.records.length, 2);
  assert.equal(await sweepRecords(store, clock.nowMs()), 0);
  assert.equal(await sweepRecords(store, clock.nowMs() + 3_600_001), 9);
  assert.deepEqual(await linesOf(world), before);
});

Deno.test("an import that somebody's change comes before is planned on it", async () => {
  const world = await zoneWorld();
  const { etag } = await world.zones.get(ZONE);
  await putLine(world, "www 300 A 192.0.2.1");
  const { status } = await problemIn(() => importZone(world.world, ZONE, FILE, { ...ANNA, ifMatch: etag }));
  assert.equal(status, 412);
});

Deno.test("what is wrong in a master file is told with lines and columns", async () => {
  const world = emptyWorld();
  const broken = FILE.replace("192.0.2.1\n", "192.0.2.999\n").replace("TXT lost", "TXTT lost");
  const { errors } = await problemIn(() => importZone(world, ZONE, broken, ANNA));
  assert.deepEqual(errors!.map(({ detail }) => detail.split(" ")[0]), ["5:7:", "11:12:"]);
  const included = "$INCLUDE /etc/passwd\n";
  assert.equal((await problemIn(() => importZone(world, ZONE, included, ANNA))).status, 422);
});

Deno.test("a zone that is removed is gone, and its records are swept", async () => {
  const world = await zoneWorld(), { store, clock } = world.world;
  await putLine(world, "www 300 A 192.0.2.1");
  assert.equal((await world.zones.remove(ZONE, ANNA)).status, 204);
  assert.equal((await problemIn(() => world.zones.get(ZONE))).status, 404);
  assert.deepEqual(managedZones((await store.list("")).entries), []);
  assert.equal(await sweepRecords(store, clock.nowMs() + 3_600_001), 2);
});

/** Owner names that get in each other's way. */
const owners = fc.constantFrom("@", "a", "b.a", "c.b.a", "*.a", "d");
const someRRset = fc.tuple(
  owners,
  fc.constantFrom(
    "A 192.0.2.1",
    "NS ns.example.net.",
    "CNAME x.example.net.",
    "DNAME example.net.",
    "TXT t",
    "DS 1 8 2 00",
  ),
);
const someChange = fc.tuple(fc.constantFrom("put", "put", "put", "delete"), someRRset);

Deno.test("whatever is changed, what lies in the store is a zone, with nothing hidden in it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(someChange, { minLength: 3, maxLength: 12 }), async (changes) => {
      const world = await zoneWorld();
      let serial = 1;
      for (const [change, [owner, rrset]] of changes) {
        const [type, ...rdata] = rrset.split(" ");
        const name = owner === "@" ? ZONE : `${owner}.${ZONE}`;
        try {
          if (change === "put") await putLine(world, `${owner} 300 ${type} ${rdata.join(" ")}`);
          else await world.records.remove(ZONE, name, type!, ANNA);
        } catch (error) {
          if ((error as Error).name !== "ProblemError") throw error;
        }
        const [zone] = managedZones((await world.world.store.list("")).entries);
        const made = makeZone(fold(parseName(ZONE)), zone!.records);
        assert.deepEqual(made.errors, []);
        const hidden = made.warnings.filter(({ message }) => message.includes("hidden"));
        assert.deepEqual(hidden, [], hidden.map(({ message }) => message).join());
        assert.ok(zone!.serial >= serial);
        serial = zone!.serial;
        assert.equal(formatName(zone!.origin), ZONE);
      }
    }),
    { numRuns: 150, seed: 11 },
  );
});
