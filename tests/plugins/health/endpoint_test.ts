import assert from "node:assert/strict";
import { openEndpoint } from "../../../plugins/health/endpoint.ts";

/** Status and text of a path. */
async function get(port: number, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return `${response.status} ${(await response.text()).trim()}`;
}

async function freePort(): Promise<number> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await Promise.resolve();
  return port;
}

Deno.test("the endpoint says OK at /health and nothing elsewhere", async () => {
  const endpoint = await openEndpoint({ host: "127.0.0.1", port: 0, lameduckMs: 0 });
  assert.equal(await get(endpoint.port, "/health"), "200 OK");
  assert.equal(await get(endpoint.port, "/"), "404 404 page not found");
  await endpoint.close();
});

Deno.test("an endpoint without a host is reached by IPv4 as well", async () => {
  const endpoint = await openEndpoint({ host: "", port: 0, lameduckMs: 0 });
  assert.equal(await get(endpoint.port, "/health"), "200 OK");
  await endpoint.close();
});

Deno.test("a new configuration takes the endpoint over, and the last one closes it", async () => {
  const where = { host: "127.0.0.1", port: await freePort(), lameduckMs: 0 };
  const old = await openEndpoint(where);
  const fresh = await openEndpoint(where);
  await old.close();
  assert.equal(await get(where.port, "/health"), "200 OK");
  await fresh.close();
  await assert.rejects(get(where.port, "/health"));
});

Deno.test("a port that is taken is an error", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const where = { host: "127.0.0.1", port: listener.addr.port, lameduckMs: 0 };
  await assert.rejects(openEndpoint(where), Deno.errors.AddrInUse);
  await assert.rejects(openEndpoint(where), Deno.errors.AddrInUse);
  listener.close();
  const endpoint = await openEndpoint(where);
  await endpoint.close();
});
