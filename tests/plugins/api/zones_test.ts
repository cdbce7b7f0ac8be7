import assert from "node:assert/strict";
import type { Actor, Role } from "../../../core/access/actor.ts";
import { actorOf, ApiStage } from "./stage.ts";

const ADMIN = actorOf("admin"), NAME = "example.org.";
const ZONE = { name: "example.org", nameServers: ["ns.example.net"] };
const RECORDS = `/v1/zones/${NAME}/records`,
  WWW = `${RECORDS}/www.example.org./A`,
  FILE = `/v1/zones/${NAME}/file`;

/** Somebody with a role in some zones. */
function zoneActor(role: Role, ...zones: string[]): Actor {
  return { id: `token:${role}`, way: "token", grants: [{ role, zones }] };
}

async function withZone(run: (stage: ApiStage) => Promise<void>): Promise<void> {
  await using stage = await ApiStage.open();
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/zones", ZONE)).status, 201);
  await run(stage);
  assert.deepEqual(stage.log.filter((line) => /bug/.test(line)), []);
}

const serialOf = async (stage: ApiStage) => (await stage.ask(ADMIN, "GET", `/v1/zones/${NAME}`)).body.serial;

Deno.test("a zone is made, read, bounded and taken away", async () => {
  await withZone(async (stage) => {
    const { body, headers } = await stage.ask(ADMIN, "GET", "/v1/zones/Example.ORG");
    assert.deepEqual([body.name, body.serial, body.ttl.min], [NAME, 1, 0]);
    assert.equal((await stage.ask(ADMIN, "POST", "/v1/zones", ZONE)).status, 409);
    const bounds = { ...ZONE, ttl: { min: 60, max: 86_400 } }, path = `/v1/zones/${NAME}`;
    const put = await stage.ask(ADMIN, "PUT", path, bounds, { "If-Match": headers.get("etag")! });
    assert.deepEqual([put.status, put.body.ttl, put.body.serial], [200, { min: 60, max: 86_400 }, 1]);
    assert.notEqual(put.headers.get("etag"), headers.get("etag"));
    const again = await stage.ask(ADMIN, "PUT", path, bounds);
    assert.equal(again.headers.get("etag"), put.headers.get("etag"), "nothing is different");
    const late = await stage.ask(ADMIN, "PUT", path, ZONE, { "If-Match": headers.get("etag")! });
    assert.deepEqual([late.status, late.body.changed.actor], [412, "token:admin"]);
    const tight = await stage.ask(ADMIN, "PUT", path, { ...ZONE, ttl: { max: 100 } });
    assert.deepEqual([tight.status, tight.body.errors[0].pointer], [422, "/ttl"]);
    const other = await stage.ask(ADMIN, "PUT", path, { ...ZONE, nameServers: ["ns.example.com"] });
    assert.deepEqual([other.status, other.body.type], [409, "/problems/fixed"]);
    const low = await stage.ask(ADMIN, "PUT", WWW, { ttl: 30, rdata: ["192.0.2.1"] });
    assert.deepEqual([low.status, low.body.errors[0].pointer], [422, "/ttl"]);
    assert.equal(
      (await stage.ask(ADMIN, "PUT", "/v1/zones/example.net", { nameServers: ["a.example"] })).status,
      201,
    );
    const { body: { items } } = await stage.ask(ADMIN, "GET", "/v1/zones");
    assert.deepEqual(items.map(({ name }: any) => name), ["example.net.", NAME]);
    assert.equal((await stage.ask(ADMIN, "DELETE", path)).status, 204);
    assert.equal((await stage.ask(ADMIN, "GET", path)).status, 404);
  });
});

Deno.test("an RRset is put, read, changed under conditions and deleted, each of which raises the serial", async () => {
  await withZone(async (stage) => {
    const put = await stage.ask(ADMIN, "PUT", `${WWW}?reason=launch`, { ttl: 300, rdata: ["192.0.2.1"] });
    assert.equal(put.status, 201);
    assert.deepEqual(put.body, { name: "www.example.org.", type: "A", ttl: 300, rdata: ["192.0.2.1"] });
    const etag = put.headers.get("etag")!, read = await stage.ask(ADMIN, "GET", WWW);
    assert.deepEqual([read.body, read.headers.get("etag")], [put.body, etag]);
    const patched = await stage.ask(ADMIN, "PATCH", WWW, { ttl: 60 }, { "If-Match": etag });
    assert.deepEqual([patched.status, patched.body.ttl, patched.body.rdata], [200, 60, ["192.0.2.1"]]);
    assert.equal((await stage.ask(ADMIN, "PATCH", WWW, { ttl: 61 }, { "If-Match": etag })).status, 412);
    assert.equal((await stage.ask(ADMIN, "PUT", WWW, put.body, { "If-None-Match": "*" })).status, 412);
    assert.equal((await stage.ask(ADMIN, "PATCH", `${RECORDS}/no.example.org/A`, { ttl: 1 })).status, 404);
    assert.equal(await serialOf(stage), 3);
    assert.equal((await stage.ask(ADMIN, "DELETE", WWW)).status, 204);
    assert.equal((await stage.ask(ADMIN, "GET", WWW)).status, 404);
    assert.equal(await serialOf(stage), 4);
    const { body: { items } } = await stage.ask(
      ADMIN,
      "GET",
      `/v1/audit?subject=records/${NAME}/www.example.org./A`,
    );
    assert.deepEqual(items.map(({ reason }: any) => reason), ["launch", undefined, undefined]);
  });
});

Deno.test("names are whole, in any case, and may have what paths have", async () => {
  await withZone(async (stage) => {
    for (
      const [name, type] of [["_443._tcp.www.example.org", "TLSA"], ["a%2Fb.example.org.", "TXT"], [
        "*.example.org",
        "A",
      ]]
    ) {
      const rdata = { TLSA: `3 1 1 ${"ab".repeat(32)}`, TXT: '"a;b"', A: "192.0.2.1" }[type as "A"]!;
      const path = `${RECORDS}/${name}/${type}`,
        put = await stage.ask(ADMIN, "PUT", path, { ttl: 60, rdata: [rdata] });
      assert.equal(put.status, 201, JSON.stringify(put.body));
      assert.deepEqual(
        (await stage.ask(
          ADMIN,
          "GET",
          path.toUpperCase().replace("/V1/ZONES", "/v1/zones").replace("/RECORDS", "/records"),
        )).body,
        put.body,
      );
    }
  });
});

Deno.test("what would be no zone is refused, with the field at fault", async () => {
  await withZone(async (stage) => {
    const table: [path: string, body: unknown, pointer: string, detail: RegExp][] = [
      [
        `${RECORDS}/www.example.net/A`,
        { ttl: 60, rdata: ["192.0.2.1"] },
        "/name",
        /wanted a name in zone example\.org\./,
      ],
      [`${RECORDS}/www.example.org/AAA`, { ttl: 60, rdata: ["::1"] }, "/type", /did you mean 'AAAA'\?/],
      [WWW, { ttl: 60, rdata: ["192.0.2"] }, "/rdata/0", /IPv4/],
      [WWW, { ttl: -1, rdata: ["192.0.2.1"] }, "/ttl", /whole seconds/],
      [WWW, { ttl: 60 }, "/rdata", /is missing/],
      [`${RECORDS}/example.org./CNAME`, { ttl: 60, rdata: ["a.example."] }, "", /stands beside a CNAME/],
    ];
    for (const [path, body, pointer, detail] of table) {
      const { status, body: said } = await stage.ask(ADMIN, "PUT", path, body);
      assert.deepEqual(
        [status, said.errors?.[0].pointer],
        [422, pointer],
        `${path}: ${JSON.stringify(said)}`,
      );
      assert.match(said.errors[0].detail, detail);
    }
    assert.equal(await serialOf(stage), 1);
    assert.equal((await stage.ask(ADMIN, "GET", "/v1/zones/example.com/records")).status, 404);
    assert.equal((await stage.ask(ADMIN, "DELETE", `${RECORDS}/example.org./SOA`)).status, 422);
  });
});

Deno.test("several RRsets change at once or not at all, and lists have filters and pages", async () => {
  await withZone(async (stage) => {
    const put = (i: number) => ({
      change: "put",
      name: `h${i}.example.org`,
      type: "A",
      ttl: 60,
      rdata: ["192.0.2.1"],
    });
    const many = Array.from({ length: 20 }, (_, i) => put(i));
    const done = await stage.ask(ADMIN, "POST", RECORDS, { changes: many });
    assert.deepEqual([done.status, done.body.serial, done.body.put.length], [200, 2, 20]);
    const bad = await stage.ask(ADMIN, "POST", RECORDS, {
      changes: [{ change: "delete", name: "h1.example.org", type: "A" }, { ...put(30), rdata: ["no"] }],
    });
    assert.deepEqual([bad.status, bad.body.errors[0].pointer], [422, "/changes/1/rdata/0"]);
    assert.equal(await serialOf(stage), 2);
    const listed = [];
    for (let cursor = ""; listed.length < 30;) {
      const { body } = await stage.ask(ADMIN, "GET", `${RECORDS}?limit=7${cursor}`);
      listed.push(...body.items);
      if (body.next === undefined) break;
      cursor = `&cursor=${body.next}`;
    }
    assert.equal(new Set(listed.map(({ name, type }) => `${name} ${type}`)).size, 22);
    const only = async (query: string) =>
      (await stage.ask(ADMIN, "GET", `${RECORDS}?${query}`)).body.items?.length;
    assert.deepEqual([
      await only("name=H3.example.org"),
      await only("type=ns"),
      await only("name=no.example.org"),
    ], [1, 1, 0]);
    assert.equal((await stage.ask(ADMIN, "GET", `${RECORDS}?name=a..b`)).status, 400);
    assert.match((await stage.ask(ADMIN, "GET", `${RECORDS}?nmae=a`)).body.detail, /did you mean 'name'\?/);
  });
});

Deno.test("a zone goes out as a master file and comes in as one", async () => {
  await withZone(async (stage) => {
    await stage.ask(ADMIN, "PUT", WWW, { ttl: 300, rdata: ["192.0.2.1"] });
    const out = await stage.ask(ADMIN, "GET", FILE);
    assert.match(out.headers.get("content-type")!, /^text\/dns/);
    assert.match(out.body, /^\$ORIGIN example\.org\.\nexample\.org\. 3600 IN SOA .* 2 7200/);
    const etag = out.headers.get("etag")!, text = `${out.body}new 60 A 192.0.2.7\n`;
    const put = await stage.ask(ADMIN, "PUT", FILE, text, { "Content-Type": "text/dns", "If-Match": etag });
    assert.deepEqual([put.status, put.body.serial, put.body.rrsets], [200, 3, 4]);
    assert.equal((await stage.ask(ADMIN, "PUT", FILE, text, { "If-Match": etag })).status, 412);
    assert.equal((await stage.ask(ADMIN, "GET", `${RECORDS}/new.example.org/A`)).body.ttl, 60);
    const bad = await stage.ask(ADMIN, "PUT", FILE, `${out.body}x A nothing\n`);
    assert.equal(bad.status, 422);
    assert.match(bad.body.errors[0].detail, /^5:\d+: .*IPv4/);
    const include = await stage.ask(ADMIN, "PUT", FILE, `${out.body}$INCLUDE /etc/passwd\n`);
    assert.equal(include.status, 422, JSON.stringify(include.body));
    assert.equal(await serialOf(stage), 3);
    const other = await stage.ask(
      ADMIN,
      "PUT",
      "/v1/zones/example.net/file",
      "@ 60 SOA a b 7 2 3 4 5\n@ 60 NS a.example.\n",
    );
    assert.deepEqual([other.status, other.body.serial], [201, 7]);
  });
});

Deno.test("a zone file may be larger than what else is sent", async () => {
  await using stage = await ApiStage.open({ bodyOctetsMax: 1000 });
  const lines = Array.from({ length: 100 }, (_, i) => `h${i} 60 A 192.0.2.1`).join("\n");
  const text = `@ 60 SOA a b 7 2 3 4 5\n@ 60 NS a.example.\n${lines}\n`;
  assert.ok(text.length > 1000);
  assert.equal(
    (await stage.ask(ADMIN, "PUT", FILE, text, { "Content-Length": `${text.length}` })).status,
    201,
  );
  assert.equal(
    (await stage.ask(ADMIN, "POST", "/v1/zones", text, { "Content-Length": `${text.length}` })).status,
    413,
  );
});

Deno.test("who has some zones changes their records and no others, and makes none", async () => {
  await withZone(async (stage) => {
    const operator = zoneActor("operator", "example.org"), other = zoneActor("operator", "*.net");
    const www = { ttl: 60, rdata: ["192.0.2.1"] };
    assert.equal((await stage.ask(other, "PUT", WWW, www)).status, 403);
    assert.equal((await stage.ask(operator, "PUT", WWW, www)).status, 201);
    assert.equal(
      (await stage.ask(operator, "PUT", WWW.replace("/v1/zones/example.org.", "/v1/zones/EXAMPLE.ORG"), www))
        .status,
      200,
    );
    assert.equal((await stage.ask(operator, "DELETE", WWW)).status, 204);
    assert.equal(
      (await stage.ask(operator, "PUT", "/v1/zones/example.net/file", "@ 60 SOA a b 7 2 3 4 5\n@ 60 NS a.\n"))
        .status,
      403,
    );
    const { body: text } = await stage.ask(operator, "GET", FILE);
    assert.equal((await stage.ask(operator, "PUT", FILE, text)).status, 200);
    assert.equal((await stage.ask(other, "PUT", FILE, text)).status, 403);
    assert.equal((await stage.ask(operator, "DELETE", `/v1/zones/${NAME}`)).status, 403);
    assert.equal(
      (await stage.ask(operator, "POST", "/v1/zones", { ...ZONE, name: "new.example.org" })).status,
      403,
    );
    const admin = zoneActor("admin", "*.example.org");
    assert.equal(
      (await stage.ask(admin, "POST", "/v1/zones", { ...ZONE, name: "new.example.org" })).status,
      201,
    );
    assert.equal((await stage.ask(admin, "POST", "/v1/zones", { ...ZONE, name: "example.net" })).status, 403);
    assert.equal((await stage.ask(zoneActor("admin", "*.example.org"), "POST", "/v1/zones", {})).status, 403);
    const pools: Actor = { id: "token:p", way: "token", grants: [{ role: "admin", pools: ["*"] }] };
    assert.equal((await stage.ask(pools, "PUT", WWW, www)).status, 403);
  });
});

Deno.test("programs can read what the routes of zones take and give", async () => {
  await using stage = await ApiStage.open();
  const { body: { paths, components } } = await stage.ask(undefined, "GET", "/v1/openapi.json");
  const methods = (path: string) => Object.keys(paths[path]).sort();
  assert.deepEqual(methods("/v1/zones"), ["get", "post"]);
  assert.deepEqual(methods("/v1/zones/{zone}"), ["delete", "get", "put"]);
  assert.deepEqual(methods("/v1/zones/{zone}/file"), ["get", "put"]);
  assert.deepEqual(methods("/v1/zones/{zone}/records"), ["get", "post"]);
  assert.deepEqual(methods("/v1/zones/{zone}/records/{name}/{type}"), ["delete", "get", "patch", "put"]);
  assert.ok(paths["/v1/zones/{zone}/file"].put.requestBody.content["text/dns"]);
  assert.ok(components.schemas.RRset.properties.rdata && components.schemas.Zone.properties.serial);
});
