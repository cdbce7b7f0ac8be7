import assert from "node:assert/strict";
import { HelperListeners, Mounts, parseHttpAddress } from "../../../core/server/helper_listeners.ts";
import { freePort } from "../../support/server.ts";

/** Status and text of a path. */
async function get(port: number, path: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return `${response.status} ${(await response.text()).trim()}`;
}

function setUp() {
  const errors: string[] = [];
  const listeners = new HelperListeners({ error: (message) => void errors.push(message) });
  const address = `127.0.0.1:${freePort()}`;
  const port = Number(address.split(":")[1]);
  const saying = (path: string, text: string) => ({ address, path, handler: () => new Response(text) });
  return { listeners, errors, address, port, saying };
}

Deno.test("paths of several plugins share an address", async () => {
  const { listeners, port, saying } = setUp();
  const mounts = new Mounts(listeners);
  await mounts.add(saying("/metrics", "m"), "prometheus");
  await mounts.add(saying("/api/", "a"), "api");
  // As where two server blocks say the same.
  await mounts.add(saying("/metrics", "again"), "prometheus");
  await assert.rejects(
    mounts.add(saying("/metrics", "x"), "api"),
    /\/metrics at .*: prometheus does already/,
  );
  const said = await Promise.all(
    ["/metrics", "/api/v1/nodes", "/", "/metrics/"].map((path) => get(port, path)),
  );
  assert.deepEqual(said, ["200 m", "200 a", "404 404 page not found", "404 404 page not found"]);
  await mounts.release();
  await assert.rejects(get(port, "/metrics"));
});

Deno.test("the server that clients know of answers, before and after a reload, and when one fails", async () => {
  const { listeners, port, saying } = setUp();
  const old = new Mounts(listeners), failed = new Mounts(listeners), fresh = new Mounts(listeners);
  await old.add(saying("/ready", "old"), "ready");
  old.adopt();
  await failed.add(saying("/ready", "failed"), "ready");
  assert.equal(await get(port, "/ready"), "200 old");
  await failed.release();
  assert.equal(await get(port, "/ready"), "200 old");
  await fresh.add(saying("/ready", "fresh"), "ready");
  fresh.adopt();
  assert.equal(await get(port, "/ready"), "200 fresh");
  await old.release();
  assert.equal(await get(port, "/ready"), "200 fresh");
  await fresh.release();
  await assert.rejects(get(port, "/ready"));
});

Deno.test("an address that is taken is an error that names it, and can be tried again", async () => {
  const { listeners, address, port, saying } = setUp();
  const mounts = new Mounts(listeners);
  const inTheWay = Deno.listen({ hostname: "127.0.0.1", port });
  const add = () => mounts.add(saying("/metrics", "m"), "prometheus");
  await assert.rejects(add(), new RegExp(`^Error: prometheus: cannot listen on ${address}: .*in use`, "i"));
  inTheWay.close();
  await add();
  assert.equal(await get(port, "/metrics"), "200 m");
  await mounts.release();
});

Deno.test("a handler that throws is a bug: 500, and the log has its name", async () => {
  const { listeners, errors, address, port } = setUp();
  const mounts = new Mounts(listeners);
  const handler = () => {
    throw new Error("out of order");
  };
  await mounts.add({ address, path: "/metrics", handler }, "prometheus");
  assert.equal(await get(port, "/metrics"), "500 500 internal server error");
  assert.match(errors[0]!, /^plugin\/prometheus: a bug, answering GET \/metrics: Error: out of order/);
  await mounts.release();
});

Deno.test("a request that does not end keeps no listener open for ever", async () => {
  const { listeners, address, port } = setUp();
  const mounts = new Mounts(listeners);
  const asked = Promise.withResolvers<void>();
  const handler = () => (asked.resolve(), new Promise<Response>(() => {}));
  await mounts.add({ address, path: "/", handler }, "api");
  const waiting = get(port, "/");
  await asked.promise;
  await mounts.release();
  assert.equal(await waiting, "503 503 closing");
});

Deno.test("parseHttpAddress() reads hosts and ports", () => {
  assert.deepEqual(parseHttpAddress("localhost:9153"), { host: "127.0.0.1", port: 9153 });
  assert.deepEqual(parseHttpAddress(":8080"), { host: "", port: 8080 });
  assert.deepEqual(parseHttpAddress("[::1]:8080"), { host: "::1", port: 8080 });
  for (const text of ["", "localhost", "::1:8080", ":65536", "http://localhost:80", "a b:1"]) {
    assert.equal(parseHttpAddress(text), undefined, text);
  }
});

Deno.test("a listener for which no file descriptor was left is opened anew", async () => {
  const { address, port } = setUp();
  const script = new URL("few_descriptors.ts", import.meta.url).pathname;
  const command = new Deno.Command("sh", {
    args: ["-c", `ulimit -n 60 && exec "$0" run -A "$1" ${address}`, Deno.execPath(), script],
    stdout: "piped",
    stderr: "null",
  });
  await using child = command.spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assert.equal((await lines.read()).value, "open\n");
  const clients: Deno.Conn[] = [];
  // Until nobody listens any more; the last ones wait to be accepted.
  while (clients.length < 200) {
    const client = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
    if (!client) break;
    clients.push(client);
  }
  assert.match((await lines.read()).value!, /has ended, and is opened anew: .*Too many open files/);
  for (const client of clients) client.close();
  let said = "";
  while (said === "") said = await get(port, "/ready").catch(() => "");
  assert.equal(said, "200 OK");
  await lines.cancel();
  child.kill("SIGKILL");
});
