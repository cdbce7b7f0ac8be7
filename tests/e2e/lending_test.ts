/** Cached answers that data workers repeat: the same octets and the same counts as the control isolate would give. */

import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../core/clock.ts";
import { HelperListeners } from "../../core/server/helper_listeners.ts";
import { Metrics } from "../../core/server/metrics.ts";
import { Server } from "../../core/server/server.ts";
import { Sockets } from "../../core/server/sockets.ts";
import { plugins } from "../../plugins/mod.ts";
import { FakeUpstream, replyWith } from "../plugins/forward/fake_upstream.ts";
import { askRaw } from "../support/raw_udp.ts";
import {
  encodeQuery,
  freePort,
  makeWorker,
  type StartOptions,
  startServer,
  type TestServer,
} from "../support/server.ts";
import { until } from "../support/until.ts";

const RECORDS = ["@ 60 A 192.0.2.1", "@ 60 A 192.0.2.2"];

function corefile(upstream: FakeUpstream, cache: string): string {
  return `.:1053 {
    bind 127.0.0.1
    prometheus 127.0.0.1:${freePort()}
    ${cache}
    forward . 127.0.0.1:${upstream.upstream.port}
}
`;
}

async function withServer(
  body: (server: TestServer, upstream: FakeUpstream) => Promise<void>,
  { cache = "cache", records = RECORDS, ...options }:
    & { cache?: string; records?: readonly string[] }
    & StartOptions = {},
): Promise<void> {
  await using upstream = new FakeUpstream(replyWith(...records));
  const server = await startServer(corefile(upstream, cache), { workers: 2, makeWorker, ...options });
  try {
    await body(server, upstream);
  } finally {
    await server.server.close();
  }
}

const NAME = "www.example.org";

/** What a metric comes to, over all of its series. */
function total({ server }: TestServer, name: string): number {
  return Object.entries(server.metrics.snapshot())
    .filter(([series]) => series === name || series.startsWith(`${name}{`))
    .reduce((sum, [, value]) => sum + value, 0);
}

/** The reply to a query of ID 0. */
async function ask(port: number, name = NAME): Promise<string> {
  const reply = await askRaw(port, encodeQuery(name, "A"));
  return reply.slice(2).toHex();
}

/** The same over TCP, which the control isolate answers. */
async function askControl(port: number, name = NAME): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const query = encodeQuery(name, "A");
  await connection.write(Uint8Array.of(0, query.length, ...query));
  const reply = new Uint8Array(4096), length = await connection.read(reply);
  return reply.slice(4, length!).toHex();
}

/** Asks until workers have said so many replies again. @returns How often it asked. */
async function askUntilRepeated(server: TestServer, count: number): Promise<number> {
  let asked = 0;
  const before = total(server, "meridian_memo_hits_total");
  await until("replies that workers repeat", async () => {
    await ask(server.port);
    asked++;
    return total(server, "meridian_memo_hits_total") - before >= count;
  });
  return asked;
}

Deno.test("data workers repeat what is cached: octet for octet what the control isolate says", async () => {
  await withServer(async (server, upstream) => {
    await askUntilRepeated(server, 20);
    const endMs = performance.now() + 2500, seen = new Set<string>();
    await until("TTLs to count down", async () => {
      const fromMs = performance.now(), before = await askControl(server.port);
      const reply = await ask(server.port), after = await askControl(server.port);
      // One second may begin between them, and not two.
      if (performance.now() - fromMs > 900) return false;
      assert.ok([before, after].includes(reply), `${reply}: neither ${before} nor ${after}`);
      seen.add(reply);
      return performance.now() >= endMs && seen.size >= 2;
    });
    assert.equal(upstream.count(), 1);
  });
});

Deno.test("every query is counted once, whoever answers it", async () => {
  await withServer(async (server, upstream) => {
    let asked = await askUntilRepeated(server, 50);
    for (let i = 0; i < 40; i++) await ask(server.port, `n${i % 20}.example.org`);
    asked += 40;
    const counts = () =>
      ["coredns_dns_requests_total", "coredns_dns_responses_total", "coredns_cache_requests_total"]
        .map((name) => total(server, name));
    await until("all to be counted", () => counts().every((count) => count >= asked));
    assert.deepEqual(counts(), [asked, asked, asked]);
    assert.equal(total(server, "coredns_cache_misses_total"), 21);
    assert.equal(total(server, "coredns_cache_hits_total"), asked - 21);
    assert.equal(upstream.asked.length, 21);
    const looked = () =>
      total(server, "meridian_memo_hits_total") + total(server, "meridian_memo_misses_total");
    await until("memos to tell", () => looked() >= asked);
    assert.equal(looked(), asked);
  });
});

Deno.test("many that ask for the same at once cost one query upstream", async () => {
  await withServer(async (server, upstream) => {
    upstream.behaviour = async (asked) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return replyWith(...RECORDS)(asked);
    };
    const fromMs = Date.now();
    const replies = await Promise.all(Array.from({ length: 100 }, () => ask(server.port)));
    // Some may come when seconds have gone by since the first: no TTL is older than the question, an age being rounded up.
    const leastTtl = 60 - Math.ceil((Date.now() - fromMs) / 1000);
    const timeless = replies.map((reply) =>
      reply.replaceAll(/(?<=c00c00010001)[0-9a-f]{8}/g, (text) => {
        const ttl = parseInt(text, 16);
        return leastTtl <= ttl && ttl <= 60 ? "TTL" : text;
      })
    );
    assert.match(timeless[0]!, /TTL.*TTL/);
    assert.equal(new Set(timeless).size, 1);
    assert.equal(upstream.count(), 1);
  });
});

Deno.test("what workers repeat is asked for anew before it expires, and never outlives its TTL", async () => {
  const records = ["@ 10 A 192.0.2.1"];
  await withServer(async (server, upstream) => {
    const startMs = performance.now();
    await until("upstream to be asked anew", async () => {
      const reply = await ask(server.port);
      assert.doesNotMatch(reply, /00010001000000000004c0000201/, "TTL 0");
      return upstream.count() >= 3;
    });
    assert.ok(performance.now() - startMs < 20_000, "after a tenth of its time");
    await until("it to be counted", () => total(server, "coredns_cache_prefetch_total") >= 2);
    assert.ok(total(server, "meridian_memo_hits_total") > 20);
    assert.equal(total(server, "coredns_cache_misses_total"), 1);
  }, { records, cache: "cache {\n prefetch 2 1m 90%\n}" });
});

Deno.test("after a reload nothing is said of what was cached before", async () => {
  const log = { debug() {}, info() {}, warn() {}, error() {} }, metrics = new Metrics();
  const sockets = new Sockets({ clock: SYSTEM_CLOCK, log, count: () => {} });
  const helperListeners = new HelperListeners(log);
  await withServer(async (server, upstream) => {
    await askUntilRepeated(server, 10);
    upstream.behaviour = replyWith("@ 60 A 192.0.2.9");
    const next = await Server.start({
      ...{ modules: plugins, log, writeLine: () => {}, makeWorker, metrics, sockets, helperListeners },
      configuration: server.server.configuration,
      replaces: server.server,
    });
    try {
      await server.server.close();
      for (let i = 0; i < 100; i++) assert.match(await ask(server.port), /0004c0000209/);
      assert.equal(upstream.count(), 2);
    } finally {
      await next.close();
    }
  }, { sockets, metrics, helperListeners });
});

Deno.test("a worker that takes the place of one that failed is lent the same", async () => {
  const workers: Worker[] = [];
  const make = () => {
    const worker = makeWorker();
    workers.push(worker);
    return worker;
  };
  await withServer(async (server, upstream) => {
    await askUntilRepeated(server, 10);
    workers[0]!.terminate();
    await until("another worker", async () => {
      await askRaw(server.port, encodeQuery(NAME, "A"), 1000).catch(() => {});
      return workers.length === 2 && server.server.workers![0]!.state === "serving";
    });
    await askUntilRepeated(server, 10);
    assert.equal(upstream.count(), 1);
  }, { workers: 1, makeWorker: make });
});
