import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { Problems } from "../../../core/plugin.ts";
import { readEnvironment } from "../../../plugins/formation/config_file.ts";
import formation from "../../../plugins/formation/mod.ts";
import { isLoopback, parse } from "../../../plugins/formation/parse.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

function read(text: string, { sharesState = true, environment = {} } = {}) {
  const problems = new Problems();
  const scope = parseScopeOf({ problems, sharesState, dataPath: ({ text }) => text });
  const config = problems.attempt(() =>
    sharesState ? parse(directivesOf(text), scope, environment) : formation.parse(directivesOf(text), scope)
  );
  const lines = (all: typeof problems.errors) =>
    all.map(({ at, message }) => `${formatPosition(at)} ${message}`);
  return { config: config!, errors: lines(problems.errors), warnings: lines(problems.warnings) };
}

async function withFile(text: unknown, body: (path: string) => void | Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, JSON.stringify(text));
    await body(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("parse() has form-dns's own numbers where nothing is said", () => {
  const { config, errors } = read("formation");
  assert.deepEqual(errors, []);
  const { overlay, ...rest } = config;
  assert.deepEqual(overlay.map(({ octets, length }) => [...octets, length]), [[10, 0, 0, 0, 8]]);
  assert.deepEqual(rest, {
    ...{ endpoints: [{ hostname: "localhost", port: 3005 }], states: [], pollMs: 10_000, timeoutMs: 60_000 },
    ...{ staleMs: 300_000, bootstrapName: "bootstrap.formation.cloud", regions: {}, replies: "native" },
    ...{ zones: [], records: [] },
  });
  structuredClone(config);
});

Deno.test("parse() reads every option", () => {
  const { config, errors } = read(`formation localhost:3005 127.0.0.1:53333 :3443 {
    tls a.pem a.key
    state http://localhost:3004 https://state.example/v1/node/list
    poll 5s
    heartbeat-timeout 90s
    stale 10m
    bootstrap Entry.Example.
    overlay 10.42.0.0/16 fd00::/8
    region mars 1.5 -2 FR IDF
    region moon 0 0
    replies tagged
    resolver 192.0.2.53:5353
    zone fog ns1.example. ns2.example.
  }`);
  assert.deepEqual(errors, []);
  assert.deepEqual(config.endpoints[2], { hostname: "::", port: 3443 });
  assert.deepEqual(config.states, ["http://localhost:3004/", "https://state.example/v1/node/list"]);
  assert.deepEqual([config.pollMs, config.timeoutMs, config.staleMs], [5000, 90_000, 600_000]);
  assert.deepEqual([config.bootstrapName, config.replies, config.overlay.length], [
    "entry.example",
    "tagged",
    2,
  ]);
  assert.deepEqual(config.regions.mars, { latitude: 1.5, longitude: -2, country: "FR", subdivision: "IDF" });
  assert.deepEqual(config.resolver, { ipAddr: "192.0.2.53", port: 5353 });
  assert.deepEqual(config.zones, [{ name: "fog", nameServers: ["ns1.example.", "ns2.example."] }]);
});

Deno.test("parse() says where and what is wrong", () => {
  const table: [text: string, message: RegExp][] = [
    ["formation :3005", /^Corefile:2:11 formation: :: can be reached from other machines: want `tls/],
    ["formation localhost", /ADDRESS must be \[HOST\]:PORT such as localhost:3005: got 'localhost'/],
    ["formation {\nstate localhost\n}", /URL must be such as http:\/\/localhost:3004: got 'localhost'/],
    ["formation {\nheartbeat-timeout 20s\n}", /DURATION must be/],
    ["formation {\noverlay 10.1.0.0/8\n}", /no bits set past the length/],
    ["formation {\nresolver ns1\n}", /ADDRESS must be such as 192\.0\.2\.53/],
    [
      "formation {\nrecords nowhere.json\n}",
      /^Corefile:3:9 formation: cannot read 'nowhere\.json': there is no such file/,
    ],
  ];
  for (const [text, message] of table) assert.match(read(text).errors.join("\n"), message);
  assert.match(read("formation", { sharesState: false }).errors[0]!, /formation: wants a store/);
});

Deno.test("parse() takes from config.json what is its own, and says where the rest belongs", async () => {
  const record = { domain: "a.fog", record_type: "A", public_ip: ["192.0.2.1:80"], formnet_ip: [], ttl: 60 };
  await withFile({ records: [record], servers: [] }, (records) =>
    withFile({
      ...{ listen_addr: "0.0.0.0", port: 53, api_port: 5353, records_file: records },
      ...{ geo_database: "/etc/formation/geo/GeoLite2-City.mmdb", upstream_dns: ["1.1.1.1", "8.8.8.8"] },
      zones: [{ name: "network.formation.cloud", type: "primary", ttl: 300 }],
      health_check: { enabled: true, interval: 30, timeout: 5, unhealthy_threshold: 3 },
    }, (config) => {
      const { config: found, errors, warnings } = read(`formation {\nconfig ${config}\n}`);
      assert.deepEqual(errors, []);
      assert.deepEqual(found.endpoints, [{ hostname: "localhost", port: 5353 }]);
      assert.deepEqual(found.resolver, { ipAddr: "1.1.1.1", port: 53 });
      assert.deepEqual(found.records.map(({ domain, ttl }) => [domain, ttl]), [["a.fog", 60]]);
      for (
        const said of [
          "bind 0.0.0.0",
          ".:53",
          "geo /etc/formation",
          "interval 30s",
          "zone network.formation.cloud",
        ]
      ) {
        assert.ok(warnings[0]!.includes(said), `${said}: ${warnings[0]}`);
      }
      // What the Corefile says goes before it, and the environment names it as well.
      assert.deepEqual(read(`formation localhost:1 {\nconfig ${config}\n}`).config.endpoints[0]!.port, 1);
      const environment = readEnvironment((name) =>
        ({ DNS_CONFIG_PATH: config, STATE_URL: "http://127.0.0.1:3004" })[name]
      );
      const { config: named } = read("formation", { environment });
      assert.deepEqual([named.endpoints[0]!.port, named.states], [5353, ["http://127.0.0.1:3004"]]);
    }));
});

Deno.test("isLoopback() is true of this machine alone", () => {
  assert.deepEqual(["localhost", "127.3.2.1", "::1"].map(isLoopback), [true, true, true]);
  assert.deepEqual(["0.0.0.0", "::", "10.0.0.1", "localhost.example", ""].map(isLoopback), [
    ...[false, false, false, false, false],
  ]);
});
