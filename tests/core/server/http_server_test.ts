import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { CONNECTIONS_MAX, HttpServer } from "../../../core/server/http_server.ts";
import { until } from "../../support/until.ts";

const HANDLERS: Record<string, () => Response | Promise<Response>> = {
  "/ready": () => new Response("OK"),
  "/large": () => new Response(new Uint8Array(64 << 20)),
  "/error": () => {
    throw new Error("out of order");
  },
};

/** A server, on a clock that stands still, and what became of it. */
function setUp(handlers = HANDLERS, clock = new ManualClock()) {
  const closed: string[] = [], logged: string[] = [];
  const server = new HttpServer({
    hostname: "127.0.0.1",
    port: 0,
    clock,
    handler: (request) => handlers[new URL(request.url).pathname]!(),
    log: { error: (message) => void logged.push(message) },
    count: (name, labels) => void closed.push(`${name} ${labels?.reason}`),
  });
  const connect = () => Client.connect(server.addr.port);
  return { clock, closed, logged, server, connect };
}

/** Sends and reads octets, nothing more. */
class Client implements Disposable {
  #text = "";

  private constructor(readonly socket: Deno.TcpConn) {}

  static async connect(port: number): Promise<Client> {
    return new Client(await Deno.connect({ hostname: "127.0.0.1", port }));
  }

  async send(...lines: string[]): Promise<void> {
    await this.sendText(lines.map((line) => `${line}\r\n`).join("") + "\r\n");
  }

  async sendText(text: string): Promise<void> {
    const octets = new TextEncoder().encode(text);
    for (let sent = 0; sent < octets.length;) sent += await this.socket.write(octets.subarray(sent));
  }

  /** Reads until this stands at the end of what has come. */
  async readTo(end: string): Promise<string> {
    while (!this.#text.endsWith(end)) if (!await this.#read()) throw new Error(`No '${end}': ${this.#text}`);
    return this.#take();
  }

  /** Reads until the server says that it will send nothing more, or closes. */
  async readAll(): Promise<string> {
    while (await this.#read());
    return this.#take();
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }

  async #read(): Promise<boolean> {
    const octets = new Uint8Array(65_536);
    const count = await this.socket.read(octets).catch(() => null);
    this.#text += new TextDecoder().decode(octets.subarray(0, count ?? 0));
    return count !== null;
  }

  #take(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}

const GET = ["GET /ready HTTP/1.1", "Host: example.org"];

/** Resolves when the server has a timer that ends then, counted from now. */
function timer(clock: ManualClock, ms: number): Promise<unknown> {
  return until(`a timer of ${ms} ms`, () => clock.nextMs === clock.nowMs() + ms);
}

Deno.test("300 clients who send half a request keep nobody out, and no more of them are held than may be", async () => {
  const { closed, server, connect } = setUp();
  const slow: Client[] = [];
  for (let i = 0; i < 300; i++) {
    slow.push(await connect());
    await slow.at(-1)!.sendText("GET /ready HT");
  }
  const ends = slow.map((client) => client.readAll());
  using good = await connect();
  await good.send(...GET);
  assert.match(await good.readTo("OK"), /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(closed.length, 301 - CONNECTIONS_MAX);
  assert.deepEqual([...new Set(closed)], ["meridian_http_closed_total overflow"]);
  // Who has waited longest goes first.
  assert.deepEqual(
    await Promise.all(ends.slice(0, 301 - CONNECTIONS_MAX)).then((texts) => texts.join("")),
    "",
  );
  await slow.at(-1)!.sendText("TP/1.0\r\n\r\n");
  assert.match((await ends.at(-1))!, /OK$/);
  await server.shutdown();
  for (const client of slow) client.socket.close();
});

Deno.test("who is being answered is not turned out for a newcomer", async () => {
  const going = Promise.withResolvers<Response>();
  const asked = Promise.withResolvers<void>();
  const wait = () => (asked.resolve(), going.promise);
  const { server, connect } = setUp({ ...HANDLERS, "/wait": wait });
  using first = await connect();
  await first.send("GET /wait HTTP/1.1", "Host: a");
  await asked.promise;
  const others: Client[] = [];
  for (let i = 0; i < CONNECTIONS_MAX; i++) others.push(await connect());
  assert.equal(await others[0]!.readAll(), "");
  going.resolve(new Response("patience"));
  assert.match(await first.readTo("patience"), /200 OK/);
  await server.shutdown();
  for (const client of others) client.socket.close();
});

Deno.test("a head has 5 s from the start, and from the first octet of a later one, which has 30 s to come", async () => {
  const { clock, closed, server, connect } = setUp();
  using client = await connect();
  await timer(clock, 5000);
  clock.advance(4999);
  await client.send(...GET);
  await client.readTo("OK");
  await timer(clock, 30_000);
  clock.advance(29_999);
  await client.sendText("G");
  await timer(clock, 5000);
  clock.advance(4999);
  assert.deepEqual(closed, []);
  clock.advance(1);
  assert.equal(await client.readAll(), "");
  assert.deepEqual(closed, ["meridian_http_closed_total head"]);
  await server.shutdown();
});

/** A clock whose timers come late, by as much as is told. */
class LateClock extends ManualClock {
  lateMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.lateMs;
  }
}

Deno.test("no standstill of the server's own is held against who has asked in time", async () => {
  const clock = new LateClock(), { closed, server, connect } = setUp(HANDLERS, clock);
  using client = await connect(), silent = await connect();
  for (const one of [client, silent]) {
    await one.send(...GET);
    await one.readTo("OK");
  }
  await timer(clock, 30_000);
  const sent = client.send(...GET);
  // A minute passes before the runtime can have read that, and timers are the first to be seen to.
  clock.lateMs = 60_000;
  clock.advance(30_000);
  await sent;
  await client.readTo("OK");
  assert.deepEqual(closed, []);
  clock.advance(20);
  assert.equal(await silent.readAll(), "");
  assert.deepEqual(closed, ["meridian_http_closed_total idle"]);
  await server.shutdown();
});

Deno.test("an idle connection is closed after 30 s", async () => {
  const { clock, closed, server, connect } = setUp();
  using client = await connect();
  await client.send(...GET);
  await client.readTo("OK");
  await timer(clock, 30_000);
  clock.advance(30_000);
  assert.equal(await client.readAll(), "");
  assert.deepEqual(closed, ["meridian_http_closed_total idle"]);
  await server.shutdown();
});

Deno.test("who does not read his reply within 10 s is closed", async () => {
  const { clock, closed, server, connect } = setUp();
  using client = await connect();
  await client.send("GET /large HTTP/1.1", "Host: a");
  await timer(clock, 10_000);
  clock.advance(10_000);
  assert.deepEqual(closed, ["meridian_http_closed_total write"]);
  await server.shutdown();
});

Deno.test("a head of more than 16 KiB is refused, one of 16 KiB is not", async () => {
  const { server, connect } = setUp();
  const start = "GET /ready HTTP/1.0\r\nx: ";
  const headOf = (octets: number) => `${start}${"y".repeat(octets - start.length - 4)}\r\n\r\n`;
  for (const [octets, status] of [[16_384, 200], [16_385, 431], [100_000, 431]] as const) {
    using client = await connect();
    await client.sendText(headOf(octets)).catch(() => {});
    assert.match(await client.readAll(), new RegExp(`^HTTP/1\\.1 ${status} `), `${octets}`);
  }
  await server.shutdown();
});

Deno.test("a connection is kept, by HTTP/1.0 where it is asked for, and closed where that is", async () => {
  const { server, connect } = setUp();
  using client = await connect();
  for (let i = 0; i < 3; i++) {
    await client.send(...GET);
    assert.match(await client.readTo("OK"), /connection: keep-alive\r\n/);
  }
  await client.send("GET /ready HTTP/1.0", "Connection: keep-alive");
  assert.match(await client.readTo("OK"), /connection: keep-alive\r\n/);
  await client.send(...GET, "Connection: close");
  assert.match(await client.readAll(), /connection: close\r\n/);
  using old = await connect();
  await old.send("GET /ready HTTP/1.0");
  assert.match(await old.readAll(), /connection: close\r\n[^]*OK$/);
  await server.shutdown();
});

Deno.test("requests sent at once are answered in order, up to the first that is refused", async () => {
  const slow = () => new Promise<Response>((resolve) => setTimeout(() => resolve(new Response("slow")), 20));
  const { server, connect } = setUp({ ...HANDLERS, "/slow": slow });
  using client = await connect();
  const [head, get, bad] = ["HEAD /slow", "GET /ready", "PUT /ready"]
    .map((what) => `${what} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await client.sendText(`${head!.replace("HEAD", "GET")}${head}${get}\r\n${bad}${get}`);
  const replies = (await client.readAll()).split("HTTP/1.1 ").slice(1);
  assert.deepEqual(replies.map((reply) => `${reply.slice(0, 3)} ${reply.split("\r\n\r\n")[1]}`), [
    "200 slow",
    "200 ",
    "200 OK",
    "405 405 Method Not Allowed\n",
  ]);
  assert.match(replies[1]!, /content-length: 4\r\n/);
  await server.shutdown();
});

Deno.test("what is no request is answered with 400 and closed, a body with 413", async () => {
  const { server, connect } = setUp();
  for (const text of ["GET / HTTP/1.1\n", "\r\n\r\n", "GET /\r\n\r\n", "\x16\x03\x01\n", "EHLO a\r\n\r\n"]) {
    using client = await connect();
    await client.sendText(text);
    assert.match(await client.readAll(), /^HTTP\/1\.1 400 Bad Request\r\nconnection: close\r\n/);
  }
  using client = await connect();
  await client.sendText(
    "POST /ready HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + "x".repeat(60_000),
  );
  assert.match(await client.readAll(), /^HTTP\/1\.1 413 /);
  // The reply cannot have been taken back by a reset: what still comes is read.
  await client.sendText("x");
  await server.shutdown();
});

Deno.test("a handler that throws is answered with 500, and the connection goes on", async () => {
  const { logged, server, connect } = setUp();
  using client = await connect();
  await client.send("GET /error HTTP/1.1", "Host: a");
  assert.match(await client.readTo("Error\n"), /^HTTP\/1\.1 500 /);
  assert.match(logged[0]!, /^HTTP listener: cannot answer: Error: out of order/);
  await client.send(...GET);
  await client.readTo("OK");
  await server.shutdown();
});

Deno.test("shutdown() accepts nobody, ends who waits, and lets what is under way end", async () => {
  const going = Promise.withResolvers<Response>();
  const { clock, server, connect } = setUp({ ...HANDLERS, "/wait": () => going.promise });
  using busy = await connect(), idle = await connect();
  await idle.send(...GET);
  await idle.readTo("OK");
  await busy.send("GET /wait HTTP/1.1", "Host: a");
  await until("the head has been read", () => clock.nextMs === clock.nowMs() + 30_000);
  let isOver = false;
  const over = server.shutdown().then(() => isOver = true);
  assert.equal(await idle.readAll(), "");
  await assert.rejects(connect(), Deno.errors.ConnectionRefused);
  assert.equal(isOver, false);
  going.resolve(new Response("last"));
  assert.match(await busy.readTo("last"), /connection: close\r\n/);
  busy.socket.closeWrite();
  await over;
  assert.equal(await server.finished, undefined);
});

Deno.test("close() ends what shutdown() waits for", async () => {
  const { clock, server, connect } = setUp({ "/wait": () => new Promise(() => {}), ...HANDLERS });
  using stuck = await connect();
  await stuck.send("GET /large HTTP/1.1", "Host: a");
  await timer(clock, 10_000);
  const over = server.shutdown();
  server.close();
  await over;
});
