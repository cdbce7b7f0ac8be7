import assert from "node:assert/strict";
import { loadCorefile } from "../../../core/command/load.ts";
import { importFormation } from "../../../core/import/formation.ts";
import { ImportError } from "../../../core/import/imported.ts";
import { plugins } from "../../../plugins/mod.ts";
import { sourceOf } from "./import_fixture.ts";

/** As the guide of form-dns has it, but for the files, which are not here. */
const CONFIG = {
  ...{ listen_addr: "127.0.0.1", port: 5353, api_port: 3005, upstream_dns: ["192.0.2.53", "192.0.2.54"] },
  zones: [
    { name: "bootstrap.formation.cloud", type: "primary", ttl: 60 },
    { name: "network.formation.cloud", type: "primary", ttl: 300 },
    { name: "old.example", type: "secondary" },
  ],
  health_check: { enabled: true, interval: 30, timeout: 5, unhealthy_threshold: 3 },
};

const CONF = `
# config/default.conf
listen_address = "0.0.0.0"
listen_port = 53
log_format = "json"
cache_size = 1000
cache_ttl = 300
negative_cache_ttl = 60
upstream_servers = ["192.0.2.53"]
rate_limit = 100   # a second
allow_recursion = ["127.0.0.1", "10.0.0.0/8"]
enable_dnssec = false
`;

function importText(name: string, text: string) {
  const { files, findings } = importFormation(name, sourceOf({ [name]: text }));
  const corefile = files[0]!.text;
  return {
    corefile,
    findings: findings.map(({ at, what, kind }) => `${at.line} ${kind} ${what}`),
  };
}

/** What the check says of a Corefile. */
async function problemsOf(text: string): Promise<string> {
  const { problems } = await loadCorefile({ file: "Corefile", text }, plugins, 53);
  return problems.errors.map(({ message }) => message).join("\n");
}

Deno.test("what importFormation() makes of config.json has no problems, and says all of it", async () => {
  const { corefile, findings } = importText("config.json", JSON.stringify(CONFIG, null, 2));
  assert.equal(await problemsOf(corefile), "");
  assert.match(await problemsOf(corefile.replace("managed", "manged")), /did you mean 'managed'/);
  for (
    const line of [
      "bootstrap.formation.cloud:5353 network.formation.cloud:5353 fog:5353 {",
      "    bind 127.0.0.1",
      "    formation localhost:3005 {",
      "        zone network.formation.cloud ns1.network.formation.cloud",
      "        interval 30s",
      "    forward . 192.0.2.53 192.0.2.54",
    ]
  ) assert.ok(corefile.split("\n").includes(line), `${line}\n${corefile}`);
  assert.deepEqual(findings.map((line) => line.replace(/^\d+ /, "")), [
    "differs ttl 60 of bootstrap.formation.cloud",
    "differs ttl 300 of network.formation.cloud",
    "left out zone old.example",
  ]);
});

Deno.test("what importFormation() makes of default.conf has no problems, and tells what is left out", async () => {
  const { corefile, findings } = importText("default.conf", CONF);
  assert.equal(await problemsOf(corefile), "");
  for (
    const line of [
      ...["        success 1000 300", "        denial 1000 60", "        responses-per-second 100"],
      "        allow net 127.0.0.1 10.0.0.0/8 ::1/128",
    ]
  ) assert.ok(corefile.split("\n").includes(line), `${line}\n${corefile}`);
  assert.deepEqual(findings, ["5 left out log_format", "12 left out enable_dnssec"]);
});

Deno.test("importFormation() says where it cannot read", () => {
  assert.throws(() => importText("config.json", "{"), ImportError);
  assert.throws(() => importText("default.conf", "a = 1\nnonsense"), /wanted NAME = VALUE: got 'nonsense'/);
  assert.throws(() => importFormation("none", sourceOf({})), /there is no such file/);
});
