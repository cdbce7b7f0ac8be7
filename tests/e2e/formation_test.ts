import assert from "node:assert/strict";
import { meridian, ServeProcess, withFolder } from "../command/meridian.ts";
import { decodeMessage } from "../../core/dns/message.ts";
import { askServer, encodeQuery, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";

const corefile = (id: string, formation: string) =>
  `{
    state state-${id}
    state sqlite fleet.db
    server ${id}
    workers 1
}
formation.cloud:1053 {
    ${formation}
    geo
    anycast bootstrap.formation.cloud {
        nodes registry
        select bootstrap=yes
        strategy linear compat
        unknown nearest 50 8
        answers 1
    }
    anycast nodes.formation.cloud {
        nodes registry
        select network=formation
        unknown nearest 50 8
        answers 1
    }
    ttl 1 60
}
`;

const node = (id: string, address: string, host_region: string, ageSeconds = 0) => ({
  ...{ node_id: id, host: { Ipv4: address }, host_region, operator_keys: [] },
  last_heartbeat: Math.floor(Date.now() / 1000) - ageSeconds,
});

const far = () => node("far", "127.0.0.72", "us-west");
const near = (ageSeconds = 0) => node("near", "127.0.0.71", "eu-central", ageSeconds);

async function post(url: string, body: unknown): Promise<unknown> {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  assert.equal(response.status, 200);
  return await response.json();
}

const queued = (report: object) => ({
  Write: { topic: "ab", content: [6, ...new TextEncoder().encode(JSON.stringify(report))] },
});

const said = async ({ port }: ServeProcess, name: string) =>
  (await askServer(port, name, "A")).answer.map(({ rdata }) => rdata.join(".")).join(" ");

Deno.test("a Formation node's traffic registers it, puts it into the DNS of every server, and takes it out when its heartbeats stop", async () => {
  await withFolder({}, async (folder) => {
    const port = freePort(), base = `http://localhost:${port}`;
    await using a = await ServeProcess.start(
      folder,
      corefile("a", `formation localhost:${port} {\nheartbeat-timeout 30s\n}`),
    );
    await using b = await ServeProcess.start(folder, corefile("b", `formation localhost:${freePort()}`));
    const say = (name: string, address: string) =>
      until(
        `${name} ${address} of both`,
        async () => (await Promise.all([said(a, name), said(b, name)])).every((one) => one === address),
      );
    // It makes itself known, reports what it has, lives.
    assert.deepEqual(await post(`${base}/v1/node/create`, { Create: far() }), { Success: "None" });
    assert.deepEqual(await post(`${base}/v1/node/create`, { Create: near() }), { Success: "None" });
    const capacity = { cpu_total_cores: 8, cpu_available_cores: 4000 };
    await until("the report to be taken", async () => {
      const report = {
        SetInitialMetrics: { node_id: "near", node_capacity: capacity, node_capabilities: {} },
      };
      return JSON.stringify(await post(`${base}/queue/write_local`, queued(report))) === '{"Success":"None"}';
    });
    const beat = (node_id: string) =>
      post(
        `${base}/queue/write_local`,
        queued({ Heartbeat: { node_id, timestamp: Math.floor(Date.now() / 1000) } }),
      );
    let beats: readonly string[] = ["far", "near"];
    const beating = setInterval(() => beats.forEach((id) => void beat(id).catch(() => {})), 2000);
    try {
      await say("nodes.formation.cloud", "127.0.0.71");
      // Both are entry points.
      for (const [node_id, ip_address] of [["near", "127.0.0.71"], ["far", "127.0.0.72"]]) {
        assert.equal(await post(`${base}/bootstrap/add`, { node_id, ip_address }), "Success");
      }
      await say("bootstrap.formation.cloud", "127.0.0.71");
      // The far one goes on, the near one falls silent.
      beats = ["far"];
      await say("bootstrap.formation.cloud", "127.0.0.72");
      await say("nodes.formation.cloud", "127.0.0.72");
      const { NodesList } = await (await fetch(`${base}/bootstrap/list`)).json();
      assert.deepEqual(
        NodesList.map(({ node_id, health_status }: any) => [node_id, health_status]),
        [["far", "healthy"], ["near", "unhealthy"]],
      );
      const metrics = (await (await fetch(`${base}/v1/dns/metrics`)).json()).Success.Some;
      assert.ok(
        metrics.dns_health.some(({ node_id, status }: any) => node_id === "near" && status === "unhealthy"),
      );
      beats = ["far", "near"];
      await say("bootstrap.formation.cloud", "127.0.0.71");
    } finally {
      clearInterval(beating);
    }
    const control = ["-control", "state-a/control.sock"];
    const { stdout } = await meridian(
      folder,
      "explain",
      "bootstrap.formation.cloud",
      "A",
      "-json",
      ...control,
    );
    assert.equal(JSON.parse(stdout).selections[0].why, "compat");
  });
});

Deno.test("form-state's list makes nodes, and what it takes away goes", async () => {
  let isNearSilent = false;
  const nodes = () => [far(), near(isNearSilent ? 3600 : 0)];
  const state = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request) =>
      new URL(request.url).pathname === "/v1/node/list"
        ? Response.json({ Success: { List: nodes() } })
        : new Response("", { status: 404 }),
  );
  try {
    await withFolder({}, async (folder) => {
      const options = `state http://127.0.0.1:${state.addr.port}\npoll 1s\nheartbeat-timeout 30s`;
      await using server = await ServeProcess.start(
        folder,
        corefile("a", `formation localhost:${freePort()} {\n${options}\n}`),
      );
      await until("the near one", async () => await said(server, "nodes.formation.cloud") === "127.0.0.71");
      isNearSilent = true;
      await until("the far one", async () => await said(server, "nodes.formation.cloud") === "127.0.0.72");
    });
  } finally {
    await state.shutdown();
  }
});

/** The addresses that somebody is told whose packet comes from an address of loopback. */
async function toldAt(source: string, { port }: ServeProcess, name: string): Promise<string> {
  const socket = Deno.listenDatagram({ hostname: source, port: 0, transport: "udp" });
  try {
    await socket.send(encodeQuery(name, "A"), { hostname: "127.0.0.1", port, transport: "udp" });
    const [octets] = await socket.receive();
    return decodeMessage(octets).answer.map(({ rdata }) => rdata.join(".")).join(" ");
  } finally {
    socket.close();
  }
}

Deno.test("a record that form-state pushes is served from a managed zone, its overlay addresses to the overlay alone", async () => {
  await withFolder({
    "records.json": JSON.stringify({
      records: [{
        domain: "old.fog",
        record_type: "A",
        public_ip: ["192.0.2.8:80"],
        formnet_ip: [],
        ttl: 60,
      }],
      servers: [],
    }),
  }, async (folder) => {
    const port = freePort(), base = `http://localhost:${port}`;
    await using server = await ServeProcess.start(
      folder,
      `{
    state state
    state sqlite fleet.db
    server a
    workers 1
}
fog:1053 {
    formation localhost:${port} {
        zone fog ns1.fog
        overlay 127.5.0.0/16
        records records.json
    }
    managed
}
`,
    );
    const say = (source: string, name: string, wanted: string) =>
      until(`${name} ${wanted} at ${source}`, async () => await toldAt(source, server, name) === wanted);
    await say("127.0.0.1", "old.fog", "192.0.2.8");
    const record = {
      ...{ domain: "App.fog", record_type: "A", ip_addr: ["192.0.2.9:8081", "127.5.0.9:8081"] },
      ...{ cname_target: null, ssl_cert: false },
    };
    assert.deepEqual(await post(`${base}/record/create`, { Create: record }), { Success: "None" });
    await say("127.0.0.1", "app.fog", "192.0.2.9");
    await say("127.5.0.1", "app.fog", "127.5.0.9 192.0.2.9");
    const update = { ...record, ip_addr: ["192.0.2.10"], replace: true };
    await post(`${base}/record/app.fog/update`, { Update: update });
    await say("127.5.0.1", "app.fog", "192.0.2.10");
    const removed = await post(`${base}/record/app.fog/delete`, {}) as any;
    assert.deepEqual(removed.Success.Some.public_ip, ["192.0.2.10:80"]);
    await say("127.0.0.1", "app.fog", "");
  });
});
