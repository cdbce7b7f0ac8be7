import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { decodeMessage } from "../../../core/dns/message.ts";
import { RCODE } from "../../../core/dns/types.ts";
import { parseAddress } from "../../../core/plugin.ts";
import type { ForwardRule } from "../../../plugins/forward/config.ts";
import { Forwarder } from "../../../plugins/forward/forwarder.ts";
import { SYSTEM_SOCKETS } from "../../../plugins/forward/sockets.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { contextOf } from "../../support/context.ts";
import { replyTo } from "./fake_upstream.ts";
import { ruleTo } from "./rule.ts";

const DNS = { "content-type": "application/dns-message" };

function reply(octets: Uint8Array, more = {}): Response {
  return new Response(replyTo(decodeMessage(octets), ["@ 60 A 192.0.2.1"], more).slice(), { headers: DNS });
}

async function octetsOf(request: Request): Promise<Uint8Array> {
  if (request.method === "POST") return await request.bytes();
  const text = new URL(request.url).searchParams.get("dns")!;
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}

Deno.test("DNS over HTTPS", async (t) => {
  await using certificates = await makeCertificates();
  const { server: { certificate, key }, authority } = certificates;
  let handle: (request: Request, octets: Uint8Array) => Response | Promise<Response>;
  const seen: { method: string; path: string; host: string | null; port: number; id: number }[] = [];
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: await Deno.readTextFile(certificate),
    key: await Deno.readTextFile(key),
    onListen() {},
  }, async (request, { remoteAddr }) => {
    const octets = await octetsOf(request);
    const { method, headers, url } = request;
    seen.push({
      method,
      path: new URL(url).pathname,
      host: headers.get("host"),
      port: remoteAddr.port,
      id: octets[0]! << 8 | octets[1]!,
    });
    return handle(request, octets);
  });
  const address = parseAddress("127.0.0.1")!, clock = new ManualClock();
  const ask = async (more: Partial<ForwardRule> = {}, serverName = "dns.example.org", queries = 1) => {
    const upstream = { protocol: "https" as const, address, port: server.addr.port, path: "/q", serverName };
    const rule = ruleTo([upstream], { tls: { authority }, attemptsMax: 1, maxFails: 0, ...more });
    const forwarder = new Forwarder(rule, {
      clock,
      random: () => 0,
      sockets: SYSTEM_SOCKETS,
      count() {},
      observe() {},
    });
    seen.length = 0;
    try {
      let answer = await forwarder.answer(contextOf());
      for (let i = 1; i < queries; i++) answer = await forwarder.answer(contextOf());
      return answer;
    } finally {
      forwarder.close();
    }
  };

  await t.step("POST and GET, ID 0, over a connection that is kept", async () => {
    handle = (_, octets) => reply(octets);
    for (const dohMethod of ["POST", "GET"] as const) {
      const answer = await ask({ dohMethod }, "dns.example.org", 3);
      assert.equal(answer.answer[0]!.rdata[0]!.join("."), "192.0.2.1");
      assert.equal(answer.labels!["forward/upstream"], `https://127.0.0.1:${server.addr.port}`);
      assert.deepEqual(
        new Set(seen.map(({ method, path, host, id }) => `${method} ${path} ${host} ${id}`)),
        new Set([`${dohMethod} /q dns.example.org 0`]),
      );
      assert.deepEqual([seen.length, new Set(seen.map(({ port }) => port)).size], [3, 1]);
    }
  });
  await t.step("a server that cannot prove its name is told nothing", async () => {
    assert.equal((await ask({}, "other.example.org")).rcode, RCODE.SERVFAIL);
    assert.equal((await ask({ tls: {} })).rcode, RCODE.SERVFAIL);
    assert.equal(seen.length, 0);
  });
  const failures: [what: string, handle: typeof handle, message: RegExp][] = [
    ["another status", () => new Response("no", { status: 404, headers: DNS }), /sent status 404/],
    [
      "another media type",
      () => new Response("<html>", { headers: { "content-type": "text/html" } }),
      /sent text\/html/,
    ],
    ["more than a message", () => new Response(new Uint8Array(70_000), { headers: DNS }), /more octets/],
    ["another question", (_, octets) => reply(octets, { questions: [] }), /another question/],
    ["less than a message", () => new Response(new Uint8Array(5), { headers: DNS }), /another question/],
    ["a truncated reply", (_, octets) => reply(octets, { truncated: true }), /truncated/],
  ];
  for (const [what, behave, message] of failures) {
    await t.step(`${what} is a failure`, async () => {
      handle = behave;
      assert.match((await ask()).fault!.message, message);
    });
  }
  await t.step("silence is a timeout", async () => {
    const gate = Promise.withResolvers<void>();
    handle = async (_, octets) => {
      clock.advance(100);
      await gate.promise;
      return reply(octets);
    };
    const answer = await ask({ readTimeoutMs: 100 });
    gate.resolve();
    assert.match(answer.fault!.message, /timed out/);
  });
  await server.shutdown();
});
