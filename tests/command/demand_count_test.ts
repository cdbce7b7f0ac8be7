import assert from "node:assert/strict";
import { DemandCount } from "../../core/command/demand_count.ts";
import { readDemand } from "../../core/command/demand.ts";
import { startServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, withFolder } from "./meridian.ts";

const COREFILE = `anycast.example:1053 {
    log json
    geo
    anycast entry.anycast.example {
        nodes nodes.yaml
        answers 1
        unknown nearest 50.11 8.68
    }
}
`;

Deno.test("demand is counted in what the log says, by client network", async () => {
  // Of this process, whichever program is tested: its lines are looked at.
  const server = await startServer(COREFILE, { workers: 0 });
  try {
    const subnets = ["198.51.100.0/24", "198.51.100.128/25", "2001:db8:1:2::/64", "0.0.0.0/0"];
    for (const subnet of subnets) await server.ask("entry.anycast.example", "A", { subnet });
    await server.ask("nowhere.anycast.example", "A", { subnet: "203.0.113.0/24" });
    await until("the log", () => server.lines.length === 5);
  } finally {
    await server.close();
  }
  // All that come after the first come an hour later.
  const lines = server.lines.map((line, i) =>
    line.replace(/"time":"[^"]*"/, `"time":"2026-12-01T0${Math.min(i, 1)}:00:00Z"`)
  );
  const count = new DemandCount();
  for (const line of [...lines, "[INFO] something else", "{ not json"]) count.add(line);
  assert.equal(count.lines, 4, "those that a pool answered");
  assert.deepEqual(
    Object.fromEntries(count.rates(10).map(([network, rate]) => [network, Math.round(rate * 3600)])),
    { "198.51.100.0/24": 2, "127.0.0.0/24": 1, "2001:db8:1::/48": 1 },
  );
  assert.equal(count.rates(1)[0]![0], "198.51.100.0/24");
  await withFolder({ "log.json": lines.join("\n") }, async (folder) => {
    const { code, stdout, stderr } = await meridian(folder, "demand", "count", "log.json");
    assert.equal(code, 0, stderr);
    assert.deepEqual(Object.keys(readDemand(stdout, "d")).length, 3);
    assert.match(stdout, /^# queries a second, by network\n198\.51\.100\.0\/24 0\.000555556\n/);
  });
});

Deno.test("a sampled line counts for as many as it stands for; of one instant no rate can be told", () => {
  const line = (more: object) =>
    JSON.stringify({ time: "2026-12-01T00:00:00Z", remote: "192.0.2.1", selections: [{}], ...more });
  const count = new DemandCount();
  count.add(line({ weight: 100 }));
  assert.throws(() => count.rates(10), /wants lines of `log json` that pools answered.*: found 1/);
  count.add(line({ time: "2026-12-01T00:00:10Z", remote: "2001:db8::1" }));
  assert.deepEqual(count.rates(10), [["192.0.2.0/24", 10], ["2001:db8::/48", 0.1]]);
});
