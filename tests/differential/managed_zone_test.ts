import assert from "node:assert/strict";
import { encodeMessage, makeQuery } from "../../core/dns/message.ts";
import { formatName, parseName } from "../../core/dns/name.ts";
import { TYPE, typeFromText } from "../../core/dns/types.ts";
import { importZone } from "../../core/management/zone_transfer.ts";
import { parseAddress } from "../../core/net/address.ts";
import { openZone } from "../../core/zone/packed_zone.ts";
import type { ZoneData } from "../../core/zone/zones.ts";
import { ANNA, emptyWorld } from "../core/management/support.ts";
import { followed, linkTo } from "../plugins/managed/shared_zones.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Asked, makeUpQuestions, makeUpZone } from "./make_zone_file.ts";

const POOLS = `
    anycast entry.SUFFIX {
        nodes nodes.yaml
        answers 2
        unknown nearest 50 8
    }
    ttl 5 60
`;

/** A server of a zone file, and one of the same zone, imported. */
async function withBoth(
  { origin, text }: { origin: string; text: string },
  more: string,
  run: (file: TestServer, managed: TestServer) => void | Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir(), world = emptyWorld();
  await Deno.writeTextFile(`${folder}/zone`, text);
  await importZone(world, origin, text, ANNA);
  const block = (source: string) => `${origin}:1053 {\n${more}\n    ${source}\n}\n`;
  const globals = `{\n    state off\n    state sqlite ${folder}/fleet.db\n}\n`;
  const servers = [
    await startServer(block(`file ${folder}/zone`)),
    await startServer(globals + block("managed"), { fleet: linkTo(followed(world.store)) }),
  ] as const;
  try {
    await run(...servers);
  } finally {
    for (const server of servers) await server.close();
    await Deno.remove(folder, { recursive: true });
  }
}

async function octetsOf({ server }: TestServer, { name, type, edns }: Asked, transport: "udp" | "tcp") {
  const query = encodeMessage(
    makeQuery(7, parseName(name), typeFromText(type)!, { recursionDesired: false, ...edns && { edns: {} } }),
  );
  const address = parseAddress("127.0.0.1")!;
  const { octets } = await server.answering.examine(query, {
    ...{ source: { address, port: 5353 }, server: { address, port: 1053 }, transport },
  });
  return octets?.toHex();
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`a zone answers with the same octets from a file and from the store, seed ${seed}`, async () => {
    const zone = makeUpZone(seed, 150);
    await withBoth(zone, "", async (file, managed) => {
      assert.deepEqual(managed.logged.filter((line) => /^(warn|error)/.test(line)), []);
      for (const asked of makeUpQuestions(zone, seed + 100, 3000)) {
        for (const transport of ["udp", "tcp"] as const) {
          const octets = await octetsOf(managed, asked, transport);
          assert.equal(
            octets,
            await octetsOf(file, asked, transport),
            `${asked.name} ${asked.type} ${transport}`,
          );
        }
      }
    });
  });
}

Deno.test("so does the example's zone with its pool", async () => {
  const text = await Deno.readTextFile("zones/anycast.example.zone"), origin = "anycast.example.";
  await withBoth({ origin, text }, POOLS.replace("SUFFIX", "anycast.example"), async (file, managed) => {
    const { zones } = Object.values(file.server.publisher.snapshot.slots).find((slot) =>
      (slot as ZoneData).zones instanceof Map
    ) as ZoneData;
    const { zone } = zones.values().next().value!;
    const names = Array.from(openZone(zone).nodes, ([name]) => formatName(name));
    assert.ok(names.includes("entry.anycast.example."));
    for (const near of names) {
      for (const name of [near, `absent.${near}`, near.toUpperCase()]) {
        for (const type of Object.keys(TYPE)) {
          const asked = { name, type, edns: true }, octets = await octetsOf(managed, asked, "udp");
          assert.equal(octets, await octetsOf(file, asked, "udp"), `${name} ${type}`);
        }
      }
    }
  });
});
