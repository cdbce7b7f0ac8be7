import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { decodeMessage, encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import type { EdnsOption } from "../../../core/plugin.ts";
import { askRaw } from "../../support/raw_udp.ts";
import { startServer } from "../../support/server.ts";

/** Time stands still: what is over the limit stays so. */
const start = () => startServer(COREFILE, { clock: new ManualClock(Date.now()) });

/** A reply of some hundred octets to a query of some fifty. */
const ZONE = "zones/anycast.example.zone", NAME = "anycast.example";

const COREFILE = `anycast.example:1053 {
    bind 127.0.0.1
    nsid ${"n".repeat(100)}
    cookie
    rrl {
        rate 1
        burst 5
    }
    file ${ZONE}
}`;

function query(options: readonly EdnsOption[] | undefined, type: number = TYPE.NS): Uint8Array {
  return encodeMessage(makeQuery(7, parseName(NAME), type, options ? { edns: { options } } : {}));
}

const cookie = (data: Uint8Array): EdnsOption => ({ code: 10, data });
const CLIENT = Uint8Array.from({ length: 8 }, (_, i) => i);

Deno.test("over the limit a reply is no longer than its query, but for 16 octets where a client has a cookie of its own alone", async () => {
  const server = await start();
  try {
    const subnet = { code: 8, data: Uint8Array.of(0, 1, 24, 0, 192, 0, 2) };
    const nsid = { code: 3, data: new Uint8Array() }, padding = { code: 12, data: new Uint8Array(20) };
    for (let i = 0; i < 6; i++) await askRaw(server.port, query([]));
    const cases: [octets: Uint8Array, more: number][] = [
      [query(undefined), 0],
      [query([]), 0],
      [query([subnet, nsid, padding]), 0],
      [query([cookie(CLIENT)]), 16],
      [query([cookie(CLIENT), subnet, nsid]), 16],
    ];
    for (const [asked, more] of cases) {
      const octets = await askRaw(server.port, asked);
      const { truncated, rcode, answer, authority } = decodeMessage(octets);
      assert.deepEqual([truncated, rcode, answer, authority], [true, 0, [], []]);
      assert.ok(octets.length <= asked.length + more, `${octets.length} octets to ${asked.length}`);
    }
  } finally {
    await server.close();
  }
});

Deno.test("a client over the limit is answered over TCP, and over UDP with the cookie that came along", async () => {
  const server = await start();
  try {
    for (let i = 0; i < 6; i++) await askRaw(server.port, query([]));
    const limited = decodeMessage(await askRaw(server.port, query([cookie(CLIENT)])));
    assert.ok(limited.truncated);
    const given = limited.edns?.options.find(({ code }) => code === 10)?.data;
    assert.equal(given?.length, 24);
    for (let i = 0; i < 50; i++) {
      const { truncated, answer } = decodeMessage(await askRaw(server.port, query([cookie(given!)])));
      assert.ok(!truncated && answer.length > 0);
    }
    const overTcp = await server.ask(NAME, "NS", { transport: "tcp" });
    assert.ok(overTcp.answer.length > 0);
    const metric = await server.ask(NAME, "NS");
    assert.ok(metric.truncated, "and nobody else is let off for it");
  } finally {
    await server.close();
  }
});
