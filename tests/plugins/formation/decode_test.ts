import assert from "node:assert/strict";
import {
  decodeBootstrap,
  decodeMetrics,
  decodeQueued,
  decodeRecord,
  decodeRecordRequest,
  decodeReport,
} from "../../../plugins/formation/decode.ts";
import { loadOf } from "../../../plugins/formation/service.ts";
import { decodeNodeList } from "../../../plugins/formation/node_lists.ts";
import { nodeJson, OVERLAY } from "./stage.ts";

const REQUEST = {
  ...{ domain: "a.fog", record_type: "A", addresses: ["192.0.2.1:8081"], cname_target: null },
  ...{ ssl_cert: false, replace: true },
};

Deno.test("decodeRecordRequest() comes to one value, whatever the shape", () => {
  const fields = { domain: "a.fog", record_type: "A", ip_addr: ["192.0.2.1:8081"] };
  for (
    const body of [{ Create: fields }, fields, { Create: { ...fields, cname_target: "", ssl_cert: null } }]
  ) {
    assert.deepEqual(decodeRecordRequest(body), REQUEST);
  }
  // An update appends where it does not say otherwise.
  assert.deepEqual(decodeRecordRequest({ Update: fields }), { ...REQUEST, replace: false });
  assert.deepEqual(decodeRecordRequest({ Update: { ...fields, replace: true } }), REQUEST);
  const split = {
    domain: "a.fog",
    record_type: "a",
    public_ip: ["192.0.2.1"],
    formnet_ip: ["10.0.0.1:99"],
    ttl: 5,
  };
  assert.deepEqual(decodeRecordRequest(split), {
    ...REQUEST,
    addresses: ["10.0.0.1:99", "192.0.2.1:80"],
    ttl: 5,
  });
  const v6 = decodeRecordRequest({ record_type: "AAAA", ip_addr: ["[2001:DB8::1]:443", "2001:db8::2"] });
  assert.deepEqual(v6.addresses, ["[2001:db8::1]:443", "[2001:db8::2]:80"]);
});

Deno.test("decodeRecord() reads an entry of records.json, every kind of verification", () => {
  const entry = {
    domain: "a.fog",
    record_type: "CNAME",
    cname_target: "b.fog",
    verification_status: { Failed: "no" },
  };
  assert.deepEqual(decodeRecord(entry), {
    ...{ domain: "a.fog", record_type: "CNAME", public_ip: [], formnet_ip: [], cname_target: "b.fog" },
    ...{ ssl_cert: false, ttl: 3600, verification_status: { Failed: "no" }, verification_timestamp: null },
  });
  assert.equal(decodeRecord({ ...entry, verification_status: null }).verification_status, null);
  assert.throws(() => decodeRecord({ ...entry, verification_status: "Maybe" }), /got "Maybe"/);
  assert.throws(() => decodeRecord({ ...entry, public_ip: ["here"] }), /public_ip must be an address/);
});

Deno.test("decodeBootstrap() takes an address with its port, and makes up a name where there is none", () => {
  assert.deepEqual(decodeBootstrap({ node_id: "a", ip_address: "192.0.2.1:51820", region: null, ttl: 30 }), {
    ...{ node_id: "a", ip_address: "192.0.2.1", ttl: 30 },
  });
  assert.equal(decodeBootstrap({ ip_address: "192.0.2.1" }).node_id, "node-192.0.2.1");
  assert.throws(
    () => decodeBootstrap({ node_id: "a", ip_address: "x", ttl: 1 }),
    /ip_address must be an address/,
  );
  assert.throws(() => decodeBootstrap({ ip_address: "192.0.2.1", ttl: -1 }), /ttl must be a whole number/);
});

Deno.test("decodeReport() reads the three reports, and says what it wanted of anything else", () => {
  assert.deepEqual(decodeReport({ Heartbeat: { node_id: "n", timestamp: 1747800000 } }), {
    ...{ kind: "heartbeat", node: "n", atMs: 1_747_800_000_000 },
  });
  const node_metrics = { load_avg_1: 1250, cpu_temperature: 4525, power_usage_watts: null, more: 1 };
  const report = decodeReport({ UpdateMetrics: { node_id: "n", node_metrics, node_capacity: {} } });
  assert.ok(report.kind === "metrics");
  assert.deepEqual([report.metrics!.load_avg_1, report.metrics!.load_avg_5], [1250, 0]);
  assert.deepEqual([report.metrics!.cpu_temperature, report.metrics!.power_usage_watts], [4525, undefined]);
  assert.equal(report.capacity!.memory_total_bytes, 0);
  assert.equal(decodeReport({ SetInitialMetrics: { node_id: "n" } }).kind, "initial");
  assert.throws(() => decodeReport({ node_id: "n" }), /wanted \{"SetInitialMetrics"/);
  assert.throws(() => decodeReport({ Heartbeat: { timestamp: 1 } }), /node_id must be text/);
  assert.equal(decodeMetrics("n", { metrics: { load_avg_1: 3 } }).kind, "metrics");
});

Deno.test("decodeQueued() takes metrics and nodes, and leaves other subtopics alone", () => {
  const write = (subtopic: number, value: unknown) => ({
    Write: { topic: "ab", content: [subtopic, ...new TextEncoder().encode(JSON.stringify(value))] },
  });
  const heartbeat = { Heartbeat: { node_id: "n", timestamp: 1 } };
  assert.equal(decodeQueued(write(6, heartbeat))!.kind, "report");
  assert.deepEqual(decodeQueued(write(5, { Create: { node_id: "n" } })), {
    kind: "node",
    node: { node_id: "n" },
  });
  assert.equal(decodeQueued(write(3, heartbeat)), undefined);
  assert.throws(() => decodeQueued({ Write: { content: [6, 300] } }), /an octet of content/);
  assert.throws(() => decodeQueued({ Write: { content: [6, 123] } }), /content must be JSON/);
});

Deno.test("loadOf() undoes the thousandths", () => {
  const capacity = {
    cpu_total_cores: 16,
    cpu_available_cores: 12_000,
    memory_total_bytes: 8,
    memory_available_bytes: 2,
  };
  const metrics = { network_in_bytes_per_sec: 5, network_out_bytes_per_sec: 7 };
  assert.deepEqual(loadOf(capacity as any, metrics as any), {
    cpu: 0.25,
    memory: 0.75,
    network: 12,
    connections: 0,
  });
  assert.deepEqual(loadOf(undefined, undefined), { cpu: 0, memory: 0, network: 0, connections: 0 });
});

const LISTED = { labels: { network: "formation" } };

Deno.test("decodeNodeList() reads the three lists", () => {
  const list = (value: unknown) => decodeNodeList(value, OVERLAY);
  const [state] = list({ Success: { List: [nodeJson({ last_heartbeat: 1747800030 })] } }).nodes;
  assert.deepEqual(state, {
    ...{ id: nodeJson().node_id, addresses: ["192.0.2.10"], overlay: [], region: "eu-central" },
    ...{ heartbeatMs: 1_747_800_030_000, capacity: 16 },
    labels: { network: "formation", "tag-gpu": "yes", "role-compute": "yes", datacenter: "fra-1" },
  });
  const heartbeat = {
    node_id: "b",
    public_ip: "192.0.2.11",
    private_ip: "10.42.0.11",
    timestamp: 1747800030,
    status: "Active",
  };
  assert.deepEqual(list({ nodes: [heartbeat, { ...heartbeat, node_id: "c", status: "draining" }] }).nodes, [
    {
      ...{ id: "b", addresses: ["192.0.2.11"], overlay: ["10.42.0.11"], region: "" },
      ...{ heartbeatMs: 1_747_800_030_000, isUp: true, ...LISTED },
    },
    {
      ...{ id: "c", addresses: ["192.0.2.11"], overlay: ["10.42.0.11"], region: "" },
      ...{ heartbeatMs: 1_747_800_030_000, isUp: false, ...LISTED },
    },
  ]);
  const documented = { id: "d", name: "d", endpoint: "192.0.2.12:51820", state: "online", total_vcpus: 4 };
  assert.deepEqual(list({ success: true, nodes: [documented] }).nodes, [
    { id: "d", addresses: ["192.0.2.12"], overlay: [], region: "", isUp: true, capacity: 4, ...LISTED },
  ]);
  assert.deepEqual(list({ Success: "None" }).nodes, []);
});

Deno.test("decodeNodeList() leaves out what cannot be read, and says so; what is no list is refused", () => {
  const { nodes, problems } = decodeNodeList({
    Success: {
      List: [nodeJson({ host: { Domain: "a.example" } }), nodeJson({ host: { Ipv6: "2001:db8::1" } }), 7],
    },
  }, OVERLAY);
  assert.deepEqual(nodes.map(({ addresses }) => addresses), [["2001:db8::1"]]);
  assert.match(problems[0]!, /^node 5fca.*its host is a name, "a\.example"/);
  assert.match(problems[1]!, /a node must be an object: got 7/);
  assert.throws(
    () => decodeNodeList({ Failure: { reason: "locked" } }, OVERLAY),
    /refused: \{"reason":"locked"\}/,
  );
  assert.throws(() => decodeNodeList({ hello: 1 }, OVERLAY), /wanted \{"Success"/);
});
