import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { HelperListeners, Mounts } from "../../../core/server/helper_listeners.ts";
import type { HttpMount } from "../../../core/plugin.ts";
import { endpointAddress, openEndpoint } from "../../../plugins/health/endpoint.ts";
import { controlScopeOf, SILENT } from "../../support/scopes.ts";
import { freePort } from "../../support/server.ts";

/** Status and text of a path. */
async function get(port: number, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return `${response.status} ${(await response.text()).trim()}`;
}

/** A scope that keeps what the endpoint does. */
function keeping() {
  const clock = new ManualClock();
  const mounts: HttpMount[] = [], owned: { close(): void | Promise<void> }[] = [], counted: string[] = [];
  const scope = controlScopeOf({
    clock,
    serveHttp: (mount) => void mounts.push(mount),
    own: (resource) => (owned.push(resource), resource),
    count: (name) => void counted.push(name),
    observe: (name, value) => void counted.push(`${name} ${value}`),
  });
  return { clock, mounts, owned, counted, scope };
}

for (const host of ["127.0.0.1", "", "::1"]) {
  Deno.test(`the endpoint at '${host}' says OK at /health and nothing elsewhere`, async () => {
    const kept = keeping();
    openEndpoint({ host, port: freePort(), lameduckMs: 0 }, kept.scope);
    const [mount] = kept.mounts;
    const mounts = new Mounts(new HelperListeners(SILENT));
    await mounts.add(mount!, "health");
    const at = host === "::1" ? "[::1]" : "127.0.0.1";
    const port = mount!.address.split(":").at(-1);
    const response = await fetch(`http://${at}:${port}/health`);
    assert.equal(`${response.status} ${await response.text()}`, "200 OK");
    if (host !== "::1") assert.equal(await get(Number(port), "/"), "404 404 page not found");
    await mounts.release();
  });
}

Deno.test("endpointAddress() puts an IPv6 host in brackets", () => {
  assert.equal(endpointAddress({ host: "::1", port: 8080 }), "[::1]:8080");
  assert.equal(endpointAddress({ host: "", port: 8080 }), ":8080");
});

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await undefined;
}

Deno.test("the process asks itself every second, and counts how long it took and how often it failed", async () => {
  const { clock, owned, counted, scope } = keeping();
  const asked: string[] = [];
  let answers = true;
  const ask = ((url: string) => {
    asked.push(url);
    clock.advance(2);
    return answers ? Promise.resolve(new Response("OK")) : Promise.reject(new Error("connection refused"));
  }) as typeof fetch;
  openEndpoint({ host: "", port: 8080, lameduckMs: 0 }, scope, ask);
  // As where another block of the server says the same.
  openEndpoint({ host: "", port: 8080, lameduckMs: 0 }, scope, ask);
  clock.advance(1000);
  await settle();
  answers = false;
  clock.advance(1000);
  await settle();
  assert.deepEqual(asked, ["http://127.0.0.1:8080/health", "http://127.0.0.1:8080/health"]);
  assert.deepEqual(counted, [
    "coredns_health_request_duration_seconds 0.002",
    "coredns_health_request_failures_total",
  ]);
  for (const resource of owned) await resource.close();
  clock.advance(5000);
  await settle();
  assert.equal(asked.length, 2);
});

Deno.test("a lame duck waits for as long as it was told", async () => {
  const { clock, scope } = keeping();
  const waits: (() => Promise<void>)[] = [];
  openEndpoint({ host: "", port: 8080, lameduckMs: 300 }, {
    ...scope,
    beforeStop: (wait) => void waits.push(wait),
  });
  let isOver = false;
  const waiting = waits[0]!().then(() => isOver = true);
  clock.advance(299);
  await settle();
  assert.equal(isOver, false);
  clock.advance(1);
  await waiting;
});
