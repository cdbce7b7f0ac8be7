import assert from "node:assert/strict";
import type { Actor, Role } from "../../../core/access/actor.ts";
import { FormationStage, nodeJson } from "./stage.ts";

const ID = "5fca3b0e9d7a4c1f8e6b2d1a0c9f8e7d6b5a4c3d";

/** As scripts/api-create-record.sh has it. */
const EXAMPLE = {
  Create: {
    ...{ domain: "example.formation.cloud", record_type: "A", ip_addr: ["127.0.0.1:8081", "127.0.0.1:8082"] },
    ...{ cname_target: null, ssl_cert: true },
  },
};

const STORED = {
  ...{ domain: "example.formation.cloud", record_type: "A", public_ip: ["127.0.0.1:8081", "127.0.0.1:8082"] },
  ...{ formnet_ip: [], cname_target: null, ssl_cert: true, ttl: 3600, verification_status: "NotVerified" },
  verification_timestamp: null,
};

const BOOTSTRAP = {
  ...{ domain: "bootstrap.formation.cloud", record_type: "A", public_ip: [], formnet_ip: [] },
  ...{ cname_target: null, ssl_cert: false, ttl: 60, verification_status: "Verified" },
  verification_timestamp: null,
};

Deno.test("a record is created, read, listed, changed and deleted in form-dns's own words", async () => {
  await using stage = await FormationStage.open();
  assert.deepEqual(await stage.ask("POST", "/record/create", EXAMPLE), { Success: "None" });
  assert.deepEqual(await stage.ask("GET", "/record/example.formation.cloud/get"), {
    Success: { Some: STORED },
  });
  assert.deepEqual(await stage.ask("GET", "/record/list"), {
    Success: { List: [["bootstrap.formation.cloud", BOOTSTRAP], ["example.formation.cloud", STORED]] },
  });
  const update = (fields: object) =>
    stage.ask("POST", "/record/Example.Formation.Cloud./update", {
      Update: { record_type: "A", cname_target: null, ssl_cert: false, ...fields },
    });
  assert.deepEqual(await update({ replace: false, ip_addr: ["10.42.0.7:80"] }), { Success: "None" });
  const { Success: { Some: appended } } = await stage.ask("GET", "/record/example.formation.cloud/get");
  assert.deepEqual([appended.public_ip.length, appended.formnet_ip], [2, ["10.42.0.7:80"]]);
  await update({ replace: true, ip_addr: ["192.0.2.1"] });
  const { Success: { Some: replaced } } = await stage.ask("GET", "/record/example.formation.cloud/get");
  assert.deepEqual([replaced.public_ip, replaced.formnet_ip, replaced.ttl], [["192.0.2.1:80"], [], 3600]);
  // form-state posts where form-dns has DELETE alone.
  const { Success: { Some: gone } } = await stage.ask("POST", "/record/example.formation.cloud/delete");
  assert.deepEqual(gone, replaced);
  const missing = await stage.ask("DELETE", "/record/example.formation.cloud/delete");
  assert.deepEqual(missing, { Failure: "there is no record for example.formation.cloud" });
});

Deno.test("what cannot be done is told with status 200, by where it was asked", async () => {
  await using stage = await FormationStage.open();
  const create = (fields: object) =>
    stage.ask("POST", "/record/create", { Create: { domain: "x.fog", record_type: "A", ...fields } });
  assert.match((await create({ ip_addr: [] })).Failure, /at least one address/);
  assert.match((await create({ ip_addr: ["[2001:db8::1]:80"] })).Failure, /A record cannot have/);
  assert.match((await create({ record_type: "AAAA", ip_addr: ["192.0.2.1:80"] })).Failure, /cannot have/);
  assert.match((await create({ record_type: "CNAME" })).Failure, /cname_target/);
  assert.match((await create({ record_type: "TXT" })).Failure, /A, AAAA or CNAME: got "TXT"/);
  assert.match((await stage.ask("POST", "/record/create", "{")).Failure, /must be JSON/);
  assert.match((await stage.ask("GET", "/v1/dns/x.fog/get")).Failure.reason, /no record for x\.fog/);
  assert.match(
    (await stage.ask("POST", "/record/bootstrap.formation.cloud/update", EXAMPLE)).Failure,
    /entry points/,
  );
  assert.equal((await stage.ask("GET", "/v1/bootstrap/full_state")).status, 404);
});

Deno.test("the bodies that form-state and its scripts send are taken where form-dns refused them", async () => {
  await using stage = await FormationStage.open();
  // Bare addresses, no ssl_cert: scripts/state-dns-create-request.sh.
  const bare = {
    domain: "App.fog",
    record_type: "A",
    public_ip: ["192.0.2.7"],
    formnet_ip: ["10.42.0.9"],
    ttl: 30,
  };
  assert.deepEqual(await stage.ask("POST", "/v1/dns/create", { Create: bare }), { Success: "None" });
  const { Success: { Some: made } } = await stage.ask("GET", "/v1/dns/app.fog/get");
  assert.deepEqual(made, {
    ...{ domain: "app.fog", record_type: "A", public_ip: ["192.0.2.7:80"], formnet_ip: ["10.42.0.9:80"] },
    ...{ cname_target: null, ssl_cert: false, ttl: 30, verification_status: "NotVerified" },
    verification_timestamp: null,
  });
  // A `Create` body where an update is meant: the record is to be this.
  const body = { Create: { ...EXAMPLE.Create, domain: "app.fog", ip_addr: ["192.0.2.8:80"] } };
  assert.deepEqual(await stage.ask("POST", "/record/app.fog/update", body), { Success: "None" });
  const { Success: { List } } = await stage.ask("GET", "/v1/dns/list");
  assert.deepEqual(List.map(({ public_ip }: any) => public_ip), [[], ["192.0.2.8:80"]]);
  assert.equal((await stage.ask("GET", "/v1/dns/192.0.2.8/list")).length, 1);
  assert.equal((await stage.ask("GET", "/v1/dns/192.0.2.7/list")).length, 0);
});

Deno.test("a record in a managed zone is put there, and what the zone refuses is no record", async () => {
  await using stage = await FormationStage.open();
  await stage.makeZone("formation.cloud.");
  await stage.ask("POST", "/record/create", EXAMPLE);
  const rrsets = async (name: string) =>
    (await stage.service.records["zoneOf"](name), await stage.member.store.list("records/")).entries
      .map(({ value }) => JSON.parse(value)).filter((one) => one.name === `${name}.`);
  const [a] = await rrsets("example.formation.cloud");
  assert.deepEqual([a.type, a.ttl, a.rdata], ["A", 3600, ["127.0.0.1"]]);
  const alias = { record_type: "CNAME", cname_target: "other.example", ip_addr: [] };
  await stage.ask("POST", "/record/example.formation.cloud/update", { Update: { ...alias, replace: true } });
  const after = await rrsets("example.formation.cloud");
  assert.deepEqual(after.map(({ type, rdata }) => [type, rdata]), [["CNAME", ["other.example."]]]);
  await stage.ask("DELETE", "/record/example.formation.cloud/delete");
  assert.deepEqual(await rrsets("example.formation.cloud"), []);
  // Beside the zone's own SOA no alias can stand.
  const apex = { Create: { ...alias, domain: "formation.cloud" } };
  assert.match((await stage.ask("POST", "/record/create", apex)).Failure, /./);
  assert.match((await stage.ask("GET", "/record/formation.cloud/get")).Failure, /no record/);
});

Deno.test("entry points are added once, listed with what is known of them, and removed", async () => {
  await using stage = await FormationStage.open();
  const body = { node_id: "node-a", ip_address: "192.0.2.20", region: "us-east", ttl: 30 };
  assert.equal(await stage.ask("POST", "/bootstrap/add", body).then((said) => said), "Success");
  assert.deepEqual(await stage.ask("POST", "/bootstrap/add", body), {
    Failure: "Bootstrap node 192.0.2.20 already exists",
  });
  assert.deepEqual(await stage.ask("GET", "/bootstrap/list"), {
    NodesList: [{
      ...{ node_id: "node-a", ip_address: "192.0.2.20", region: "us-east", ttl: 30 },
      health_status: "unknown",
    }],
  });
  const { Success: { Some: record } } = await stage.ask("GET", "/record/bootstrap.formation.cloud/get");
  assert.deepEqual([record.public_ip, record.ttl], [["192.0.2.20:51820"], 30]);
  const { labels, location } = stage.service.nodes.get("node-a")!;
  assert.equal(labels!.bootstrap, "yes");
  assert.equal(location.country, "US");
  // A node that leaves sends no address of its own.
  const leaving = { node_id: "node-a", ip_address: "0.0.0.0" };
  assert.equal(await stage.ask("POST", "/bootstrap/remove", leaving), "Success");
  assert.equal(stage.service.nodes.get("node-a"), undefined);
  assert.match((await stage.ask("POST", "/bootstrap/remove", leaving)).Failure, /does not exist/);
});

Deno.test("entry points are told as formnet reads them where that is asked for", async () => {
  await using stage = await FormationStage.open({ replies: "tagged" });
  const body = { node_id: "node-a", ip_address: "192.0.2.20", region: "eu-west" };
  assert.deepEqual(await stage.ask("POST", "/bootstrap/add", body), { type: "success" });
  assert.equal((await stage.ask("POST", "/bootstrap/add", body)).type, "failure");
  assert.equal((await stage.ask("GET", "/bootstrap/list")).nodes.length, 1);
});

Deno.test("a node that reports through the queue lives while it does, and its lease ends with its second missed heartbeat", async () => {
  await using stage = await FormationStage.open();
  const queue = (report: object, subtopic = 6) => {
    const content = [subtopic, ...new TextEncoder().encode(JSON.stringify(report))];
    return stage.ask("POST", "/queue/write_local", { Write: { content, topic: "00" } });
  };
  const beat = () => queue({ Heartbeat: { node_id: ID, timestamp: Math.floor(stage.clock.nowMs() / 1000) } });
  assert.match((await beat()).Failure.reason, /there is no node/);
  assert.deepEqual(await stage.ask("POST", "/v1/node/create", { Create: nodeJson() }), { Success: "None" });
  const capacity = {
    cpu_total_cores: 32,
    cpu_available_cores: 8000,
    memory_total_bytes: 100,
    memory_available_bytes: 25,
  };
  await queue({ SetInitialMetrics: { node_id: ID, node_capabilities: {}, node_capacity: capacity } });
  assert.deepEqual(stage.service.nodes.get(ID), {
    ...{ id: ID, addresses: ["192.0.2.10"], origin: "formation", region: "eu-central", capacity: 32 },
    location: { latitude: 50.11, longitude: 8.68, country: "DE", subdivision: "HE" },
    labels: { network: "formation", "tag-gpu": "yes", "role-compute": "yes", datacenter: "fra-1" },
  });
  for (let i = 0; i < 4; i++) {
    assert.deepEqual(await beat(), { Success: "None" });
    await queue({
      UpdateMetrics: { node_id: ID, node_capacity: capacity, node_metrics: { load_avg_1: 500 + i } },
    });
    await stage.pass(30);
    assert.equal(stage.lease(ID), "up", `after heartbeat ${i}`);
  }
  const { Success: { List: [listed] } } = await stage.ask("GET", "/v1/node/list");
  assert.deepEqual([listed.host, listed.node_owner, listed.metrics.load_avg_1], [
    { Ipv4: "192.0.2.10" },
    "0xabc",
    503,
  ]);
  assert.deepEqual((await stage.ask("GET", "/v1/node/list/metrics")).Success.List, [listed.metrics]);
  await stage.pass(24);
  assert.equal(stage.lease(ID), "up", "54 s after the last heartbeat");
  assert.equal((await stage.ask("GET", "/nodes")).nodes[0].state, "online");
  await stage.pass(12);
  assert.equal(stage.lease(ID), "down", "66 s after it");
  assert.equal((await stage.ask("GET", "/node/list")).nodes[0].status, "inactive");
  await beat();
  await stage.pass(2);
  assert.equal(stage.lease(ID), "up", "heard again");
  await stage.ask("POST", `/v1/node/${ID}/delete`);
  assert.equal(stage.service.nodes.get(ID), undefined);
});

Deno.test("a node that an operator has put there is nobody else's", async () => {
  await using stage = await FormationStage.open();
  const value = JSON.stringify({
    id: ID,
    addresses: ["192.0.2.99"],
    location: { latitude: 0, longitude: 0 },
    origin: "api",
  });
  await stage.member.store.transact([{ put: `nodes/${ID}`, value }]);
  const { Failure } = await stage.ask("POST", "/v1/node/create", { Create: nodeJson() });
  assert.match(Failure.reason, /is there already, by an operator/);
  assert.equal((await stage.member.store.get(`nodes/${ID}`))!.value, value);
});

Deno.test("who is not on this machine needs a token, and so does whom a proxy passes on; web pages are turned away", async () => {
  await using stage = await FormationStage.open();
  const from = (caller: Parameters<FormationStage["ask"]>[3]) =>
    stage.ask("GET", "/record/list", undefined, caller);
  assert.equal((await from({ address: "192.0.2.1" })).status, 401);
  assert.equal((await from({ headers: { "x-forwarded-for": "127.0.0.1" } })).status, 401);
  assert.equal((await from({ address: "192.0.2.1", headers: { host: "localhost" } })).status, 401);
  assert.equal((await from({ headers: { origin: "https://evil.example" } })).status, 403);
  assert.equal((await from({})).Success.List.length, 1);
});

Deno.test("a name is verified by where it leads, and what is to be set is told", async () => {
  const answers: Record<string, readonly string[]> = {};
  const resolve = (name: string, type: string) => Promise.resolve(answers[`${name} ${type}`] ?? []);
  await using stage = await FormationStage.open({ resolve });
  await stage.ask("POST", "/record/create", EXAMPLE);
  const step = (what: string) => stage.ask("POST", `/record/example.formation.cloud/${what}_verification`);
  assert.deepEqual(await step("initiate"), {
    VerificationSuccess: { RequiresConfig: { record_type: "A", target: "127.0.0.1", ttl: 300 } },
  });
  const status = async () =>
    (await stage.ask("GET", "/record/example.formation.cloud/get")).Success.Some.verification_status;
  assert.equal(await status(), "Pending");
  answers["example.formation.cloud A"] = ["127.0.0.1"];
  const { VerificationSuccess: { Verified } } = await step("check");
  assert.equal(Verified.verification_status, "Verified");
  assert.ok(Verified.verification_timestamp > 1.7e9);
  assert.deepEqual(Object.keys(await stage.ask("POST", "/record/none.fog/check_verification")), [
    "VerificationFailure",
  ]);
});

Deno.test("how the DNS fares is told in whole numbers", async () => {
  const checks = [{ state: "down", sinceMs: 1_700_000_000_999, reason: "lease ended" }];
  const status = {
    nodes: [
      { pool: "bootstrap.formation.cloud.", node: "a", address: "192.0.2.1", operator: "up", checks },
      {
        pool: "bootstrap.formation.cloud.",
        node: "b",
        address: "192.0.2.2",
        operator: "up",
        checks: [{ state: "up" }],
      },
    ],
    counters: {
      'coredns_dns_requests_total{server="dns://:53",zone="."}': 40,
      'coredns_dns_requests_total{server="dns://:53",zone="fog."}': 2,
      'coredns_dns_responses_total{rcode="NXDOMAIN"}': 3,
    },
  };
  await using stage = await FormationStage.open({ status });
  const { Success: { Some: { dns_metrics, dns_health, node_id } } } = await stage.ask(
    "GET",
    "/v1/dns/metrics",
  );
  assert.equal(node_id, "fra");
  assert.deepEqual([dns_metrics.queries_total, dns_metrics.responses_nxdomain_total], [42, 3]);
  assert.deepEqual([dns_metrics.nodes_healthy, dns_metrics.nodes_unhealthy, dns_metrics.snapshot_epoch], [
    1,
    1,
    7,
  ]);
  assert.ok(Object.values(dns_metrics).every(Number.isInteger));
  assert.deepEqual(dns_health[0], {
    ...{ domain: "bootstrap.formation.cloud", node_id: "a", ip: "192.0.2.1", status: "unhealthy" },
    ...{ since: 1_700_000_000, reason: "lease ended" },
  });
});

Deno.test("a token is good for what its role is, where it holds", async () => {
  const as = (role: Role, more: object = {}): Actor => ({
    ...{ id: `token:${role}`, way: "token", grants: [{ role, ...more }] },
  });
  const remote = { address: "192.0.2.1", headers: { authorization: "Bearer mer_x" } };
  const create = (domain: string) => ({ Create: { domain, record_type: "A", ip_addr: ["192.0.2.1"] } });
  {
    await using stage = await FormationStage.open({ actor: as("viewer") });
    assert.equal((await stage.ask("GET", "/record/list", undefined, remote)).Success.List.length, 1);
    const refused = await stage.ask("POST", "/record/create", create("a.fog"), remote);
    assert.equal(refused.status, 403);
    assert.match(refused.Failure, /token:viewer may not create records/);
    for (
      const [path, body] of [["/v1/node/create", { Create: nodeJson() }], ["/bootstrap/add", {
        ip_address: "192.0.2.1",
      }]] as const
    ) {
      assert.equal((await stage.ask("POST", path, body, remote)).status, 403, path);
    }
  }
  await using stage = await FormationStage.open({ actor: as("operator", { zones: ["fog."] }) });
  await stage.makeZone("fog.");
  assert.deepEqual(await stage.ask("POST", "/record/create", create("a.fog"), remote), { Success: "None" });
  assert.equal((await stage.ask("POST", "/record/create", create("a.example"), remote)).status, 403);
  const audit = (await stage.member.store.list("audit/")).entries.map(({ value }) => JSON.parse(value));
  assert.ok(
    audit.some(({ actor, action, subject }) =>
      actor === "token:operator" && action === "record.create" && subject === "formation/records/a.fog"
    ),
  );
});

Deno.test("a node beats for itself alone", async () => {
  const actor: Actor = { id: `node:${ID}`, way: "node-key", node: ID, grants: [{ role: "node" }] };
  await using stage = await FormationStage.open({ actor });
  await stage.ask("POST", "/v1/node/create", { Create: nodeJson() });
  await stage.ask("POST", "/v1/node/create", {
    Create: nodeJson({ node_id: "other", host: { Ipv4: "192.0.2.11" } }),
  });
  const remote = { address: "192.0.2.10", headers: { authorization: "Bearer mer_x" } };
  const report = (id: string) => stage.ask("POST", `/v1/node/${id}/report_metrics`, { metrics: {} }, remote);
  assert.deepEqual(await report(ID), { Success: "None" });
  assert.equal((await report("other")).status, 403);
});
