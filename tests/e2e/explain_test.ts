import assert from "node:assert/strict";
import {
  assertSame,
  compareMany,
  encodeTriple,
  explainTriple,
  readReply,
  type Said,
} from "./explain/compare.ts";
import { randomTriple, seeded, withWorld } from "./explain/world.ts";

const OVER_UDP = 2000;
const IN_PROCESS = 20_000;
const WITH_WORKERS = Deno.env.has("MERIDIAN_WORKERS");

Deno.test(`explain says what ${OVER_UDP} clients are answered over UDP`, async () => {
  await withWorld(async (world) => {
    const random = seeded(2);
    const asker = askerOf(world.server.port);
    try {
      for (let i = 0; i < OVER_UDP; i++) {
        if (i % (OVER_UDP / 2) === 0) await world.shuffle(random);
        const triple = randomTriple(random);
        const explanation = await explainTriple(world.server, triple);
        const reply = readReply(await asker.ask(encodeTriple(triple)));
        assertSame(sameClock(explanation), sameClock(reply), triple);
      }
    } finally {
      asker.close();
    }
  });
});

Deno.test({
  name: `explain says what ${IN_PROCESS} clients are answered, of every kind there is`,
  ignore: WITH_WORKERS,
  async fn() {
    await withWorld(async (world) => {
      const seen = await compareMany(world, IN_PROCESS, seeded(3));
      const few = KINDS.filter((kind) => (seen.get(kind) ?? 0) < 20);
      assert.deepEqual(few, [], JSON.stringify([...seen]));
    });
  },
});

/** What must come up, or the questions are too much alike. */
const KINDS = [
  ...["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"],
  ...["nearest", "bias", "ring", "spill", "unlocated all", "unlocated nodes"],
  ...["all-down last-known-good", "all-down fail-open", "all-down nodata", "all-down servfail"],
  ...["no ECS", "scope 0", "a scope"],
];

/** Workers have a clock of their own, and TTLs count down by it. */
function sameClock(said: Said): Said {
  if (!WITH_WORKERS) return said;
  const withoutTtl = (records: readonly string[]) =>
    records.map((record) => record.replace(/ \d+ IN /, " IN "));
  const { answer, authority, additional, ...rest } = said;
  return {
    ...rest,
    answer: withoutTtl(answer),
    authority: withoutTtl(authority),
    additional: withoutTtl(additional),
  };
}

/** One socket for many questions, one after the other. */
function askerOf(port: number) {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  return {
    async ask(query: Uint8Array): Promise<Uint8Array> {
      await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port });
      const timer = setTimeout(() => socket.close(), 60_000);
      try {
        return (await socket.receive())[0];
      } finally {
        clearTimeout(timer);
      }
    },
    close() {
      try {
        socket.close();
      } catch { /* the timer closed it */ }
    },
  };
}
