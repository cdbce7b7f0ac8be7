import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { BOUNDS, listen, type Listening, type ListenOptions } from "../../../plugins/api/listen.ts";
import type { ApiConfig } from "../../../plugins/api/parse.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { until } from "../../support/until.ts";
import { actorOf, ApiStage } from "./stage.ts";

const CONFIG: ApiConfig = {
  ...{ hostname: "127.0.0.1", port: 0, certificates: [], oidc: [], bodyOctetsMax: 1 << 20 },
  ...{ rate: { perSecond: 1e6, burst: 1e6 }, approvals: "off" },
};

const text = (what: string) => new TextEncoder().encode(what);

async function echo(request: Request): Promise<Response> {
  if (!request.url.endsWith("/events")) return new Response(await request.text());
  // As events are: it begins, and does not end.
  return new Response(
    new ReadableStream({ start: (controller) => controller.enqueue(text(": listening\n\n")) }),
  );
}

async function opened(config: Partial<ApiConfig> = {}, options: ListenOptions = {}): Promise<Listening> {
  return await listen({ ...CONFIG, ...config }, echo, options);
}

/** What comes until the other side closes. */
async function rest(connection: Deno.Conn): Promise<string> {
  const response = new Response(connection.readable);
  return await response.text().catch(() => "");
}

Deno.test("who sends a header or a body slowly, or nothing at all, is told to go", async () => {
  const listening = await opened({}, { bounds: { headerMs: 1500, requestMs: 2500 } });
  const head = "GET / HTTP/1.1\r\nHost: x\r\n";
  const slow = ["", head, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"];
  const replies = await Promise.all(slow.map(async (what) => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: listening.port });
    await connection.write(text(what));
    return await rest(connection);
  }));
  for (const reply of replies) assert.match(reply, /^HTTP\/1.1 408 /);
  // Between two requests nobody is slow; but a server that stands still may take anyone to be.
  await until("one that rests to be answered before and after", async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: listening.port });
    const first = await ask(connection).catch(() => "");
    if (!first.startsWith("HTTP/1.1 200 ")) return connection.close();
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await connection.write(text(`${head}Connection: close\r\n\r\n`)).catch(() => {});
    return (await rest(connection)).startsWith("HTTP/1.1 200 ");
  });
  await listening.close();
});

Deno.test("of one address so many connections may be open, and more once one has closed", async () => {
  const listening = await opened({}, { bounds: { connectionsOfOneMax: 2 } });
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: listening.port });
  const open = [await connect(), await connect()];
  // Whoever is answered has been counted.
  for (const one of open) {
    await one.write(text("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
    await one.read(new Uint8Array(1000));
  }
  assert.equal(await rest(await connect()), "");
  open.pop()!.close();
  for (let reply = ""; !reply.startsWith("HTTP/1.1 200 ");) {
    const connection = await connect();
    await connection.write(text("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).catch(() => {});
    reply = await rest(connection);
  }
  open.pop()!.close();
  await listening.close();
});

Deno.test("the bounds are those that the README tells", async () => {
  const readme = (await Deno.readTextFile(new URL("../../../plugins/api/README.md", import.meta.url)))
    .replace(/\s+/g, " ");
  const { headerMs, requestMs, connectionsMax, connectionsOfOneMax } = BOUNDS;
  assert.match(
    readme,
    new RegExp(`has ${headerMs / 1000} seconds for its header and ${requestMs / 1000} for all of it`),
  );
  assert.match(
    readme,
    new RegExp(
      `; ${connectionsOfOneMax} connections of one address may be open, and ${connectionsMax} in all`,
    ),
  );
});

/** Asks for something on a connection, and waits for the head of the answer: what is empty has no more. */
async function ask(connection: Deno.Conn, path = "/"): Promise<string> {
  await connection.write(text(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
  const octets = new Uint8Array(1000);
  for (let reply = "";;) {
    const count = await connection.read(octets);
    if (count === null) return reply;
    reply += new TextDecoder().decode(octets.subarray(0, count));
    if (reply.includes("\r\n\r\n")) return reply;
  }
}

/** Listens without TLS and then with it, for so many connections at most. */
async function withBoth(
  connectionsMax: number,
  body: (to: { connect(): Promise<Deno.Conn>; connectPlainly(): Promise<Deno.Conn> }) => Promise<void>,
): Promise<void> {
  await using files = await makeCertificates();
  const caCerts = [await Deno.readTextFile(files.authority)];
  for (const config of [{}, { tls: files.server }]) {
    const listening = await opened(config, { bounds: { connectionsMax } });
    const address = { hostname: "127.0.0.1", port: listening.port };
    const connectPlainly = () => Deno.connect(address);
    await body({
      connect: () => "tls" in config ? Deno.connectTls({ ...address, caCerts }) : connectPlainly(),
      connectPlainly,
    });
    await listening.close();
  }
}

Deno.test("of more connections than there may be the one goes that was silent for longest, with TLS and without", async () => {
  await withBoth(3, async ({ connect }) => {
    const open: Deno.Conn[] = [];
    const isAnswered = async (connection: Deno.Conn) =>
      (await ask(connection).catch(() => "")).startsWith("HTTP/1.1 200 ");
    for (let i = 0; i < 3; i++) {
      open.push(await connect());
      assert.ok(await isAnswered(open[i]!));
    }
    // By now the second was silent for longest.
    assert.ok(await isAnswered(open[0]!));
    const fourth = await connect();
    assert.ok(await isAnswered(fourth));
    assert.equal(await isAnswered(open[1]!), false);
    assert.ok(await isAnswered(open[2]!));
    assert.ok(await isAnswered(open[0]!));
    // One that has said nothing at all is no better.
    const silent = await connect(), fifth = await connect();
    assert.ok(await isAnswered(fifth));
    assert.deepEqual([await isAnswered(fourth), await isAnswered(open[2]!)], [false, false]);
    assert.ok(await isAnswered(open[0]!));
    const sixth = await connect();
    assert.ok(await isAnswered(sixth));
    assert.deepEqual([await isAnswered(silent), await isAnswered(fifth)], [false, true]);
    for (const one of [...open, fourth, silent, fifth, sixth]) one.close();
  });
});

Deno.test("who has gone makes room, and nobody else has to", async () => {
  const listening = await opened({}, { bounds: { connectionsMax: 4 } });
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: listening.port });
  const open = [await connect(), await connect(), await connect(), await connect()];
  for (const one of open) await ask(one);
  for (const one of open.slice(1, 3)) {
    await one.write(text("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
    await rest(one);
  }
  // The server has closed them; by a few answers more it has noticed.
  for (let i = 0; i < 5; i++) await ask(open[3]!);
  for (let i = 0; i < 2; i++) {
    open.push(await connect());
    assert.match(await ask(open.at(-1)!), /^HTTP\/1.1 200 /);
  }
  assert.match(await ask(open[0]!), /^HTTP\/1.1 200 /);
  for (const one of [0, 3, 4, 5]) open[one]!.close();
  await listening.close();
});

Deno.test("where all connections are being answered nobody gives way, and the newest is closed, with TLS and without", async () => {
  await withBoth(2, async ({ connect, connectPlainly }) => {
    const open = [await connect(), await connect()];
    for (const one of open) assert.match(await ask(one, "/events"), /^HTTP\/1.1 200 /);
    assert.equal(await rest(await connectPlainly()), "");
    open.pop()!.close();
    for (let reply = ""; !reply.startsWith("HTTP/1.1 200 ");) {
      const connection = await connect();
      reply = await ask(connection).catch(() => "");
      connection.close();
    }
    open.pop()!.close();
  });
});

Deno.test("who listens to events keeps nothing from closing, with client certificates and without", async () => {
  await using files = await makeCertificates();
  for (const config of [{}, { tls: files.server }, { tls: files.server, clientCa: files.authority }]) {
    const listening = await opened(config);
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(files.authority)] });
    const scheme = "tls" in config ? "https" : "http";
    const response = await fetch(`${scheme}://127.0.0.1:${listening.port}/events`, { client });
    const reader = response.body!.getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), ": listening\n\n");
    await listening.close();
    await reader.read().catch(() => {});
  }
});

Deno.test("a certificate that is renewed is taken up, and one that does not go with its key is not", async () => {
  await using before = await makeCertificates();
  await using after = await makeCertificates();
  const clock = new ManualClock(), lines: string[] = [], tell = (line: string) => void lines.push(line);
  const log = { debug: tell, info: tell, warn: tell, error: tell };
  const { certificate, key } = before.server;
  const listening = await opened({ tls: before.server }, { clock, log });
  // A look that has told may not have ended: then it takes another five seconds until the next.
  const told = (what: RegExp) =>
    until(`${what} to be told`, () => {
      clock.advance(5000);
      return lines.some((line) => what.test(line));
    });
  const isServed = async ({ authority }: { readonly authority: string }): Promise<boolean> => {
    using client = Deno.createHttpClient({ caCerts: [await Deno.readTextFile(authority)] });
    const request = fetch(`https://127.0.0.1:${listening.port}/`, { client });
    return await request.then(async (response) => (await response.text()) === "", () => false);
  };
  assert.deepEqual([await isServed(before), await isServed(after)], [true, false]);
  await Deno.copyFile(after.server.certificate, certificate);
  await told(/Cannot use .*, what was there before goes on: /);
  assert.deepEqual([await isServed(before), await isServed(after)], [true, false]);
  await Deno.copyFile(after.server.key, key);
  await told(/has been renewed/);
  assert.deepEqual([await isServed(before), await isServed(after)], [false, true]);
  await listening.close();
});

Deno.test("of who has gone a body hears that it is wanted no more", async () => {
  const { promise: isCancelled, resolve } = Promise.withResolvers<void>();
  const start = (controller: ReadableStreamDefaultController) => controller.enqueue(text(": listening\n\n"));
  const listening = await listen(
    CONFIG,
    () => new Response(new ReadableStream({ start, cancel: () => resolve() })),
  );
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: listening.port });
  await connection.write(text("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await connection.read(new Uint8Array(1000));
  connection.close();
  await isCancelled;
  await listening.close();
});

Deno.test("short bodies and long ones come whole, whether they tell their length or not", async () => {
  await using stage = await ApiStage.open();
  const actor = actorOf("admin"),
    listening = await listen(
      CONFIG,
      (request, caller) => stage.app.fetch(request, { ...caller, actor }),
    );
  let number = 0;
  // A byte order mark is none of JSON's.
  for (const before of ["", "\ufeff", " ".repeat(100_000)]) {
    for (const isChunked of [false, true]) {
      const path = `/v1/nodes/n${++number}`, location = { latitude: 1, longitude: 2 };
      const node = { addresses: ["192.0.2.1"], location, labels: { note: "ü" } };
      const body = before + JSON.stringify(node);
      const response = await fetch(`http://127.0.0.1:${listening.port}${path}`, {
        ...{ method: "PUT", headers: { "Content-Type": "application/json" } },
        body: isChunked ? new Blob([body]).stream() : body,
      });
      assert.equal(response.status, 201, await response.text());
      assert.deepEqual((await stage.ask(actor, "GET", path)).body.labels, { note: "ü" });
    }
  }
  await listening.close();
});

Deno.test("who goes away in the middle of a body has met no bug", async () => {
  await using stage = await ApiStage.open();
  const answered = Promise.withResolvers<number>();
  const listening = await listen(CONFIG, async (request, caller) => {
    const response = await stage.app.fetch(request, { ...caller, actor: actorOf("admin") });
    answered.resolve(response.status);
    return response;
  });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: listening.port });
  const head =
    "PUT /v1/nodes/fra1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: application/json";
  await connection.write(text(`${head}\r\nExpect: 100-continue\r\n\r\n{"addresses":`));
  // Somebody reads it by then.
  await connection.read(new Uint8Array(100));
  connection.close();
  assert.equal(await answered.promise, 400);
  await listening.close();
});

Deno.test("a request that breaks off changes nothing, though what came of it would have been a whole, and is no bug", async () => {
  await using stage = await ApiStage.open();
  const actor = actorOf("admin"), path = "/v1/zones/example.org/file", log: string[] = [];
  stage.services.scope.log.error = (line) => void log.push(line);
  await stage.ask(actor, "POST", "/v1/zones", { name: "example.org", nameServers: ["ns.example.net."] });
  const { body: before } = await stage.ask(actor, "GET", path),
    more = `${before}www.example.org. 300 IN A 192.0.2.1\n`;
  let asked = 0;
  const statuses: number[] = [];
  const listening = await listen(CONFIG, async (request, caller) => {
    asked++;
    const response = await stage.app.fetch(request, { ...caller, actor });
    statuses.push(response.status);
    return response;
  });
  const length = more.length.toString(16);
  for (
    const sent of [
      `Content-Length: ${more.length + 100}\r\n\r\n${more}`,
      `Transfer-Encoding: chunked\r\n\r\n${length}\r\n${more}\r\n`,
    ]
  ) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: listening.port }),
      ended = statuses.length;
    await connection.write(text(`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/dns\r\n${sent}`));
    await until("it to have come", () => asked > ended);
    connection.close();
    await until("it to end", () => statuses.length > ended);
  }
  assert.deepEqual([statuses, log], [[400, 400], []]);
  assert.equal((await stage.ask(actor, "GET", path)).body, before);
  await listening.close();
});
