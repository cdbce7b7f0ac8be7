/** What a server remembers across a restart. */

import assert from "node:assert/strict";
import { geography } from "../core/fleet/make.ts";
import { VirtualServer } from "../support/virtual_server.ts";

const START_MS = 1_700_000_000_000;

const NODES = `nodes:
  - { id: n0, addresses: [192.0.2.10], location: { latitude: 0, longitude: 1 } }
  - { id: n1, addresses: [192.0.2.11], location: { latitude: 0, longitude: 2 } }
  - { id: n2, addresses: [192.0.2.12], location: { latitude: 0, longitude: 3 } }
`;

/** A server that finds nothing up, with what an earlier one kept in `directory`. */
async function startInOutage(directory: string): Promise<VirtualServer> {
  Deno.writeTextFileSync(`${directory}/nodes.yaml`, NODES);
  const virtual = await VirtualServer.start({
    corefile: `{
    state ${directory}/state
}
example.org:1053 {
    geo
    health {
        check tcp 80
        interval 2s
    }
    anycast entry.example.org {
        nodes ${directory}/nodes.yaml
        answers 1
    }
}
`,
    geography: geography([[0, 0]], { "0.0.0.0/0": 1 }),
    ...{ startMs: START_MS, partitions: true, random: () => 0 },
    script: () => ({ durationMs: 1, ok: false, reason: "connection refused" }),
  });
  await virtual.advanceTo(START_MS + 20_000);
  return virtual;
}

function addressesGiven(virtual: VirtualServer): string[] {
  return virtual.ask("entry.example.org", "A", "198.51.100.0/24").answer.map(({ rdata }) => rdata.join("."));
}

Deno.test("a server that is started during an outage remembers who served before it", async () => {
  const directory = Deno.makeTempDirSync();
  Deno.mkdirSync(`${directory}/state`);
  const kept = { "entry.example.org.": { 4: ["n2"], 6: [] } };
  Deno.writeTextFileSync(`${directory}/state/last_serving.json`, JSON.stringify(kept));
  const virtual = await startInOutage(directory);
  assert.deepEqual(addressesGiven(virtual), ["192.0.2.12"]);
  await virtual.close();
  const text = Deno.readTextFileSync(`${directory}/state/last_serving.json`);
  assert.deepEqual(JSON.parse(text), kept);
  Deno.removeSync(directory, { recursive: true });
});

Deno.test("a server that never knew anything to be up answers as if all were, and remembers nobody", async () => {
  const directory = Deno.makeTempDirSync();
  const virtual = await startInOutage(directory);
  assert.deepEqual(addressesGiven(virtual), ["192.0.2.10"]);
  const { lastServing } = virtual.server.publisher.snapshot.pools["entry.example.org."]!;
  assert.deepEqual(lastServing, { 4: [], 6: [] });
  await virtual.close();
  Deno.removeSync(directory, { recursive: true });
});
