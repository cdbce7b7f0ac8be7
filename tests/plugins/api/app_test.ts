import assert from "node:assert/strict";
import { isGranted, ROLES } from "../../../core/access/roles.ts";
import type { Resource, Verb } from "../../../core/access/actor.ts";
import { ManualClock } from "../../../core/clock.ts";
import { RateLimit } from "../../../plugins/api/rate_limit.ts";
import { actorOf, ApiStage } from "./stage.ts";

const ADMIN = actorOf("admin");
const NODE = { addresses: ["192.0.2.1"], location: { latitude: 50.1, longitude: 8.7 } };
const soon = () => new Date(Date.now() + 600_000).toISOString();

/** Every route that asks for a role: what it wants, and a request that gets as far as that. */
const ROUTES: readonly [method: string, path: string, resource: Resource, verb: Verb, body?: unknown][] = [
  ["GET", "/v1/nodes", "nodes", "read"],
  ["GET", "/v1/nodes/none", "nodes", "read"],
  ["POST", "/v1/nodes", "nodes", "create", {}],
  ["PUT", "/v1/nodes/none", "nodes", "create", {}],
  ["PATCH", "/v1/nodes/none", "nodes", "update", {}],
  ["DELETE", "/v1/nodes/none", "nodes", "delete"],
  ["GET", "/v1/pools", "pools", "read"],
  ["POST", "/v1/pools", "pools", "create", {}],
  ["PUT", "/v1/pools/none", "pools", "create", {}],
  ["PATCH", "/v1/pools/none", "pools", "update", {}],
  ["DELETE", "/v1/pools/none", "pools", "delete"],
  ["GET", "/v1/overrides", "overrides", "read"],
  ["POST", "/v1/overrides", "overrides", "create", {}],
  ["PATCH", "/v1/overrides/none", "overrides", "update", {}],
  ["DELETE", "/v1/overrides/none", "overrides", "delete"],
  ["GET", "/v1/zones", "zones", "read"],
  ["POST", "/v1/zones", "zones", "create", {}],
  ["GET", "/v1/zones/none", "zones", "read"],
  ["PUT", "/v1/zones/none", "zones", "create", {}],
  ["DELETE", "/v1/zones/none", "zones", "delete"],
  ["GET", "/v1/zones/none/file", "records", "read"],
  ["PUT", "/v1/zones/none/file", "zones", "create", ""],
  ["GET", "/v1/zones/none/records", "records", "read"],
  ["POST", "/v1/zones/none/records", "records", "create", { changes: [] }],
  ["GET", "/v1/zones/none/records/none/A", "records", "read"],
  ["PUT", "/v1/zones/none/records/none/A", "records", "create", {}],
  ["PATCH", "/v1/zones/none/records/none/A", "records", "update", {}],
  ["DELETE", "/v1/zones/none/records/none/A", "records", "delete"],
  ["GET", "/v1/tokens", "tokens", "read"],
  ["GET", "/v1/tokens/none", "tokens", "read"],
  ["POST", "/v1/tokens", "tokens", "create", { name: "x", grants: [{ role: "viewer" }], expires: soon() }],
  ["GET", "/v1/secrets", "secrets", "read"],
  ["POST", "/v1/secrets/registry/rotate", "secrets", "update", {}],
  ["POST", "/v1/secrets/reseal", "secrets", "update"],
  ["GET", "/v1/approvals", "approvals", "read"],
  ["GET", "/v1/approvals/none", "approvals", "read"],
  ["POST", "/v1/approvals/none/approve", "approvals", "approve", { digest: "" }],
  ["POST", "/v1/approvals/none/reject", "approvals", "approve", { reason: "no" }],
  ["DELETE", "/v1/approvals/none", "approvals", "read"],
  ["POST", "/v1/approvals/none/execute", "approvals", "read"],
  ["GET", "/v1/audit", "audit", "read"],
  ["GET", "/v1/audit/verification", "audit", "read"],
  ["GET", "/v1/audit/archive?before=2020-01-01T00:00:00Z", "audit", "read"],
  ["POST", "/v1/audit/archive", "audit", "delete", { ends: {}, sha256: "" }],
  ["GET", "/v1/servers", "servers", "read"],
  ["GET", "/v1/state", "state", "read"],
  ["GET", "/v1/health", "health", "read"],
  ["GET", "/v1/status", "health", "read"],
  ["GET", "/v1/explain?name=a.example", "explain", "read"],
  ["GET", "/v1/peers?node=none", "peers", "read"],
  ["GET", "/v1/demand", "demand", "read"],
  ["POST", "/v1/demand", "demand", "create", {}],
  ["PUT", "/v1/demand/current", "demand", "update", {}],
  ["DELETE", "/v1/demand/current", "demand", "update"],
  ["GET", "/v1/demand/versions/7", "demand", "read"],
  ["GET", "/v1/demand/versions/7/networks", "demand", "read"],
  ["DELETE", "/v1/demand/versions/7", "demand", "delete"],
  ["GET", "/v1/configuration", "configuration", "read"],
  ["GET", "/v1/configuration/versions", "configuration", "read"],
  ["GET", "/v1/configuration/versions/7", "configuration", "read"],
  ["GET", "/v1/configuration/diff?from=0&to=7", "configuration", "read"],
  ["POST", "/v1/configuration/versions", "configuration", "propose", {}],
  ["POST", "/v1/configuration/validate", "configuration", "propose", {}],
  ["POST", "/v1/configuration/apply", "configuration", "apply", {}],
  ["POST", "/v1/configuration/rollback", "configuration", "apply", {}],
];

Deno.test("every route lets those in who have a role for it, and nobody else", async () => {
  await using stage = await ApiStage.open();
  for (const [method, path, resource, verb, body] of ROUTES) {
    const nobody = await stage.ask(undefined, method, path, body);
    assert.equal(nobody.status, 401, `${method} ${path}`);
    assert.match(nobody.headers.get("www-authenticate")!, /^Bearer /);
    for (const role of ROLES) {
      const { status, body: said } = await stage.ask(actorOf(role), method, path, body);
      // A node may do some of it with what is its own alone, which none of these is.
      const isAllowed = role !== "node" && isGranted(role, resource, verb);
      assert.equal(
        status === 403,
        !isAllowed,
        `${role}: ${method} ${path}: ${status} ${JSON.stringify(said)}`,
      );
      if (!isAllowed) assert.match(said.detail, new RegExp(`token:${role} may not ${verb} ${resource}: `));
      assert.notEqual(status, 500, `${role}: ${method} ${path}: ${JSON.stringify(said)}`);
    }
  }
});

Deno.test("an operator of some pools overrides these and no others, and moves nothing out of them", async () => {
  await using stage = await ApiStage.open();
  const operator = actorOf("operator", ["eu-*"]);
  const override = (pool: string) => ({ target: { pool }, state: "drain", until: soon(), reason: "kernel" });
  assert.equal((await stage.ask(operator, "POST", "/v1/overrides", override("us-web.example."))).status, 403);
  const made = await stage.ask(operator, "POST", "/v1/overrides", override("eu-web.example."));
  // There is no such pool: that far it came.
  assert.equal(made.status, 422, JSON.stringify(made.body));
  assert.equal((await stage.ask(operator, "POST", "/v1/nodes", { id: "n1", ...NODE })).status, 403);
});

Deno.test("an operator of a pool makes no override of it into one of something else", async () => {
  await using stage = await ApiStage.open();
  stage.member.takeBesides({
    nodes: [],
    pools: ["mine.example.", "others.example."].map((name) => ({ name, select: {} })),
  });
  for (const id of ["n1", "n2"]) await stage.ask(ADMIN, "POST", "/v1/nodes", { id, ...NODE });
  const operator = actorOf("operator", ["mine.*"]);
  const own = { target: { pool: "mine.example." }, weight: 0.5, until: soon(), reason: "r" };
  const made = await stage.ask(operator, "POST", "/v1/overrides", own);
  assert.equal(made.status, 201, JSON.stringify(made.body));
  const path = `/v1/overrides/${made.body.id}`;
  for (
    const target of [{ pool: null, node: "n1" }, { pool: null, region: "eu" }, { pool: "others.example." }]
  ) {
    const patched = await stage.ask(operator, "PATCH", path, { target });
    assert.equal(patched.status, 403, `${JSON.stringify(target)}: ${JSON.stringify(patched.body)}`);
    const put = await stage.ask(operator, "PUT", path, { ...own, target: { node: "n1" } });
    assert.equal(put.status, 403);
  }
  assert.equal(made.body.actor, "token:operator");
  const another = await stage.ask(ADMIN, "PATCH", path, { reason: "another" });
  assert.deepEqual(
    [another.status, another.body.actor],
    [200, "token:admin"],
    "who changed it is who wants it so",
  );
  assert.equal((await stage.ask(operator, "PATCH", path, { reason: "mine" })).status, 200);
  const { body: { id } } = await stage.ask(ADMIN, "POST", "/v1/overrides", {
    ...own,
    target: { node: "n1" },
  });
  assert.equal(
    (await stage.ask(operator, "PATCH", `/v1/overrides/${id}`, { target: own.target })).status,
    403,
  );
  assert.equal((await stage.ask(operator, "DELETE", `/v1/overrides/${id}`)).status, 403);
});

Deno.test("a node is made, read, changed under conditions and taken away, with who did it", async () => {
  await using stage = await ApiStage.open();
  const made = await stage.ask(ADMIN, "POST", "/v1/nodes?reason=new+rack", { id: "fra1", ...NODE });
  assert.equal(made.status, 201);
  const etag = made.headers.get("etag")!;
  const read = await stage.ask(ADMIN, "GET", "/v1/nodes/fra1");
  assert.deepEqual([read.body.id, read.headers.get("etag")], ["fra1", etag]);
  const patched = await stage.ask(ADMIN, "PATCH", "/v1/nodes/fra1", { weight: 2 }, { "If-Match": etag });
  assert.deepEqual([patched.status, patched.body.weight], [200, 2]);
  const late = await stage.ask(ADMIN, "PATCH", "/v1/nodes/fra1", { weight: 3 }, { "If-Match": etag });
  assert.equal(late.status, 412);
  assert.equal(late.headers.get("content-type"), "application/problem+json");
  assert.equal(late.body.changed.actor, "token:admin");
  assert.equal((await stage.ask(ADMIN, "DELETE", "/v1/nodes/fra1")).status, 204);
  assert.equal((await stage.ask(ADMIN, "GET", "/v1/nodes/fra1")).status, 404);
  const { body: { items } } = await stage.ask(ADMIN, "GET", "/v1/audit?subject=nodes/fra1");
  assert.deepEqual(
    items.map(({ action, actor, reason }: any) => [action, actor, reason]),
    [["node.create", "token:admin", "new rack"], ["node.update", "token:admin", undefined], [
      "node.delete",
      "token:admin",
      undefined,
    ]],
  );
  assert.equal((await stage.ask(ADMIN, "GET", "/v1/audit/verification")).body.isWhole, true);
});

Deno.test("a request that is sent again with its key is done once", async () => {
  await using stage = await ApiStage.open();
  const key = { "Idempotency-Key": "k1" },
    override = { target: { node: "n1" }, state: "up", until: soon(), reason: "r" };
  await stage.ask(ADMIN, "POST", "/v1/nodes", { id: "n1", ...NODE });
  const first = await stage.ask(ADMIN, "POST", "/v1/overrides", override, key);
  const again = await stage.ask(ADMIN, "POST", "/v1/overrides", override, key);
  assert.deepEqual([first.status, again.status, again.body], [201, 201, first.body]);
  assert.equal((await stage.ask(ADMIN, "GET", "/v1/overrides")).body.items.length, 1);
  assert.equal(
    (await stage.ask(ADMIN, "POST", "/v1/overrides", { ...override, reason: "s" }, key)).status,
    422,
  );
});

Deno.test("what would leave a pool with nobody is refused unless it is meant, and can be looked at first", async () => {
  const down = new Set<string>();
  const status = () =>
    Promise.resolve({
      nodes: ["n1", "n2"].map((node) => ({
        ...{ pool: "entry.example.", node },
        checks: [{ state: down.has(node) ? "down" : "up" }],
      })),
    });
  await using stage = await ApiStage.open({}, status);
  stage.member.takeBesides({ nodes: [], pools: [{ name: "entry.example.", select: {} }] });
  for (const id of ["n1", "n2"]) await stage.ask(ADMIN, "POST", "/v1/nodes", { id, ...NODE });
  const drain = (node: string) => ({ target: { node }, state: "drain", until: soon(), reason: "kernel" });
  const looked = await stage.ask(ADMIN, "POST", "/v1/overrides?preview", drain("n1"));
  assert.equal(looked.status, 200);
  assert.deepEqual(looked.body.pools, [{ pool: "entry.example.", members: 2, before: 2, after: 1 }]);
  assert.deepEqual((await stage.ask(ADMIN, "GET", "/v1/overrides")).body.items, []);
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/overrides", drain("n1"))).status, 201);
  const last = await stage.ask(ADMIN, "POST", "/v1/overrides", drain("n2"));
  assert.deepEqual([last.status, last.body.pools], [409, ["entry.example."]]);
  assert.match(last.body.detail, /nobody would serve entry\.example\./);
  assert.equal((await stage.ask(ADMIN, "DELETE", "/v1/nodes/n2")).status, 409);
  const meant = await stage.ask(ADMIN, "POST", "/v1/overrides?acknowledge=entry.example.", drain("n2"));
  assert.equal(meant.status, 201);
  // What checks hold for down serves nobody, whatever people say.
  for (const { id } of (await stage.ask(ADMIN, "GET", "/v1/overrides")).body.items) {
    await stage.ask(ADMIN, "DELETE", `/v1/overrides/${id}`);
  }
  down.add("n1");
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/overrides", drain("n2"))).status, 409);
});

Deno.test("what would leave a pool with nobody only later is refused as well", async () => {
  await using stage = await ApiStage.open();
  stage.member.takeBesides({ nodes: [], pools: [{ name: "entry.example.", select: {} }] });
  for (const id of ["n1", "n2"]) await stage.ask(ADMIN, "POST", "/v1/nodes", { id, ...NODE });
  const hours = (n: number) => new Date(Date.now() + n * 3_600_000).toISOString();
  const drain = (node: string, from: number, until: number) => ({
    ...{ target: { node }, state: "drain", reason: "power", from: hours(from), until: hours(until) },
  });
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/overrides", drain("n1", 2, 4))).status, 201);
  const refused = await stage.ask(ADMIN, "POST", "/v1/overrides", drain("n2", 1, 3));
  assert.deepEqual([refused.status, refused.body.pools], [409, ["entry.example."]]);
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/overrides", drain("n2", 0.5, 1.9))).status, 201);
});

Deno.test("a token is shown once, lets in whom it is for, and is taken back", async () => {
  await using stage = await ApiStage.open();
  const request = { name: "dashboard", grants: [{ role: "viewer" }], expires: soon() };
  const made = await stage.ask(ADMIN, "POST", "/v1/tokens", request);
  assert.equal(made.status, 201);
  assert.equal(made.headers.get("cache-control"), "no-store");
  const { token, id } = made.body, with_ = { Authorization: `Bearer ${token}` };
  assert.equal((await stage.ask(undefined, "GET", "/v1/nodes", undefined, with_)).status, 200);
  assert.equal((await stage.ask(undefined, "POST", "/v1/nodes", { id: "n", ...NODE }, with_)).status, 403);
  const { body: { items } } = await stage.ask(ADMIN, "GET", "/v1/tokens");
  assert.equal(JSON.stringify(items).includes(token.slice(-20)), false);
  assert.equal(JSON.stringify(await stage.member.store.list("")).includes(token.slice(-20)), false);
  assert.equal((await stage.ask(actorOf("operator"), "DELETE", `/v1/tokens/${id}`)).status, 403);
  assert.equal((await stage.ask(ADMIN, "DELETE", `/v1/tokens/${id}`)).status, 200);
  const refused = await stage.ask(undefined, "GET", "/v1/nodes", undefined, with_);
  assert.equal(refused.status, 401);
  assert.match(refused.body.detail, /revoked/);
  const wrong = await stage.ask(ADMIN, "POST", "/v1/tokens", { name: "", grants: [{ role: "king" }] });
  const pointers = wrong.body.errors.map(({ pointer }: any) => pointer);
  assert.deepEqual(pointers.sort(), ["/expires", "/grants/0/role", "/name"]);
  const guessed = await stage.ask(ADMIN, "POST", "/v1/tokens", { ...request, grants: [{ role: "opertor" }] });
  assert.match(guessed.body.errors[0].detail, /got .*opertor/);
  assert.equal(guessed.body.errors[0].nearest, "operator");
});

Deno.test("too large a body, too many requests and what is no JSON are told as such", async () => {
  const clock = new ManualClock(), rate = new RateLimit(clock, { perSecond: 1, burst: 2 });
  await using stage = await ApiStage.open({ bodyOctetsMax: 1000, rate });
  const local = { ...ADMIN };
  assert.equal(
    (await stage.ask({ actor: local }, "POST", "/v1/nodes", "x".repeat(1001), { "Content-Length": "1001" }))
      .status,
    413,
  );
  const endless = ReadableStream.from(async function* () {
    for (;;) yield new TextEncoder().encode("[".repeat(100));
  }());
  const request = new Request("http://localhost/v1/nodes", { method: "POST", body: endless });
  assert.equal((await stage.app.fetch(request, { actor: local })).status, 413);
  const malformed = await stage.ask({ actor: local }, "POST", "/v1/nodes", "{");
  assert.deepEqual([malformed.status, malformed.body.type], [400, "/problems/malformed"]);
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await stage.ask(ADMIN, "GET", "/healthz")).status);
  assert.deepEqual(statuses, [200, 200, 429]);
  assert.equal((await stage.ask({ actor: local, address: "192.0.2.1" }, "GET", "/healthz")).status, 200);
  clock.advance(1000);
  assert.equal((await stage.ask(ADMIN, "GET", "/healthz")).status, 200);
});

Deno.test("events are what is recorded, from where one left off", async () => {
  await using stage = await ApiStage.open({}, undefined, { joins: true });
  for (const id of ["n1", "n2"]) await stage.ask(ADMIN, "POST", "/v1/nodes", { id, ...NODE });
  const aborted = new AbortController();
  const open = async (headers: Record<string, string>) => {
    const request = new Request("http://localhost/v1/events", { headers, signal: aborted.signal });
    const response = await stage.app.fetch(request, { actor: ADMIN });
    return response.body!.pipeThrough(new TextDecoderStream()).getReader();
  };
  const late = await open({ "Last-Event-ID": "fra/1" });
  assert.match((await late.read()).value!, /^id: fra\/2\nevent: node.create\ndata: .*"subject":"nodes\/n2"/);
  const live = await open({});
  assert.equal((await live.read()).value, ": listening\n\n");
  await stage.ask(ADMIN, "DELETE", "/v1/nodes/n1");
  assert.match((await live.read()).value!, /^id: fra\/3\nevent: node.delete\n/);
  await Promise.all([late.cancel(), live.cancel()]);
});

Deno.test("nobody registers by the id of a node that stands in a list of this server", async () => {
  await using stage = await ApiStage.open();
  const { id, ipv4 } = { id: "listed", ipv4: "192.0.2.1" };
  const place = { latitude: 50, longitude: 8, country: "DE", subdivision: "" };
  const node = {
    ...{ id, ipv4, place, region: "", capacity: 0, weight: 1, labels: {}, overlay: [] },
    ...{ state: "up" as const, maintenance: [] },
  };
  stage.member.takeBesides({ nodes: [node], pools: [] });
  const join = { name: "rack", grants: [{ role: "node" }], expires: soon(), join: { usesLeft: 3 } };
  const { body: { token } } = await stage.ask(ADMIN, "POST", "/v1/tokens", join);
  const proof = { joinToken: token };
  const register = (id: string) =>
    stage.ask(undefined, "POST", "/v1/registrations", { node: { id, ...NODE }, proof });
  const refused = await register("listed");
  assert.deepEqual([refused.status, refused.body.code], [409, "claimed"]);
  assert.equal((await register("another")).status, 201);
  stage.member.takeBesides({ nodes: [], pools: [] });
  assert.equal((await register("listed")).status, 201);
});

Deno.test("a node that registered asks for its peers by its credential, and for nobody else's", async () => {
  const up = (node: string) => ({
    pool: "entry.example.",
    node,
    checks: [{ state: node === "n3" ? "down" : "up" }],
  });
  await using stage = await ApiStage.open(
    {},
    () => Promise.resolve({ nodes: ["n1", "n2", "n3", "n4"].map(up) }),
  );
  stage.member.takeBesides({ nodes: [], pools: [{ name: "entry.example.", select: {} }] });
  for (const [id, latitude] of [["n2", 40], ["n3", 50], ["n4", 52]] as const) {
    await stage.ask(ADMIN, "POST", "/v1/nodes", {
      id,
      addresses: ["192.0.2.2"],
      location: { latitude, longitude: 8 },
    });
  }
  const join = { name: "rack", grants: [{ role: "node" }], expires: soon(), join: { usesLeft: 1 } };
  const { body: { token } } = await stage.ask(ADMIN, "POST", "/v1/tokens", join);
  const registered = await stage.ask(undefined, "POST", "/v1/registrations", {
    node: { id: "n1", ...NODE },
    proof: { joinToken: token },
  });
  assert.equal(registered.status, 201, JSON.stringify(registered.body));
  const own = { Authorization: `Bearer ${registered.body.credential}` };
  const { status, body } = await stage.ask(undefined, "GET", "/v1/peers", undefined, own);
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body.peers.map(({ node }: any) => node), ["n4", "n2"]);
  assert.equal((await stage.ask(undefined, "GET", "/v1/peers?node=n2", undefined, own)).status, 403);
  assert.equal((await stage.ask(undefined, "GET", "/v1/nodes", undefined, own)).status, 403);
  const beat = { load: { cpu: 0.1, memory: 0.2, network: 0, connections: 3 } };
  assert.equal((await stage.ask(undefined, "PUT", "/v1/nodes/n1/beat", beat, own)).status, 200);
  assert.equal((await stage.ask(undefined, "PUT", "/v1/nodes/n2/beat", beat, own)).status, 401);
});

Deno.test("what the interface is can be read by programs", async () => {
  await using stage = await ApiStage.open();
  const { status, body } = await stage.ask(undefined, "GET", "/v1/openapi.json");
  assert.deepEqual([status, body.openapi], [200, "3.1.0"]);
  assert.ok(body.components.schemas.Node.properties.addresses);
  assert.deepEqual(Object.keys(body.paths["/v1/overrides/{id}"]).sort(), ["delete", "get", "patch", "put"]);
});

Deno.test("a body that is nested without end is nobody's bug", async () => {
  await using stage = await ApiStage.open();
  await stage.ask(ADMIN, "PUT", "/v1/nodes/fra1", NODE);
  const nested = (open: string, close: string, depth: number) =>
    open.repeat(depth) + "1" + close.repeat(depth);
  for (
    const body of [nested('{"a":', "}", 60_000), nested('{"labels":', "}", 33), nested("[", "]", 200_000)]
  ) {
    for (const [method, path] of [["PATCH", "/v1/nodes/fra1"], ["POST", "/v1/overrides"]] as const) {
      const { status, body: problem } = await stage.ask(ADMIN, method, path, body);
      assert.deepEqual([status, problem.type], [400, "/problems/malformed"], `${method} ${path}`);
    }
  }
  const { status } = await stage.ask(ADMIN, "PATCH", "/v1/nodes/fra1", nested('{"labels":', "}", 32));
  assert.equal(status, 422);
});

Deno.test("a map of demand goes out as it came in, and heartbeats have their turn meanwhile", async () => {
  await using stage = await ApiStage.open();
  const networks = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [`10.${i >> 8}.${i & 255}.0/24`, i + 0.5]),
  );
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  assert.equal((await stage.ask(ADMIN, "POST", "/v1/demand", { source: "logs", networks })).status, 201);
  clearInterval(timer);
  assert.ok(turns >= 3, `${turns}`);
  const { status, body } = await stage.ask(ADMIN, "GET", "/v1/demand/versions/1/networks");
  assert.deepEqual([status, body], [200, { source: "logs", networks }]);
});
