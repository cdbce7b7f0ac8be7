/** A pool is answered alike whether it stands in a Corefile or is managed: to the octet. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type ManagedPool, RANGES, STRATEGIES } from "../../../core/fleet/pool_terms.ts";
import { isCurrent } from "../../../core/fleet/partition.ts";
import { formatPrefix, parsePrefix } from "../../../core/plugin.ts";
import { importZone } from "../../../core/management/zone_transfer.ts";
import { writeMmdb } from "../../support/mmdb_writer.ts";
import { askRaw } from "../../support/raw_udp.ts";
import { encodeQuery, startServer, type TestServer } from "../../support/server.ts";
import { toldLink } from "../../support/told_link.ts";
import { until } from "../../support/until.ts";
import { ANNA, emptyWorld } from "../../core/management/support.ts";
import { followed } from "../managed/shared_zones.ts";

const NAMES = ["a.example.org.", "b.example.org.", "c.sub.example.org.", "*.wild.example.org."];
const ASKED = [
  ...NAMES.slice(0, 3),
  ...["x.wild.example.org.", "alias.example.org.", "absent.example.org.", "sub.example.org.", "example.org."],
];
const ZONE = "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\nalias CNAME a\n";

const kilometres = fc.integer({ min: 500, max: 15_000 });
const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);

/** What may be said of one of them; it spills into none but those that stand before it. */
const termsOf = (at: number): fc.Arbitrary<ManagedPool> =>
  fc.record({
    name: fc.constant(NAMES[at]!),
    select: fc.constant({ role: "entry" }),
    answers: fc.integer({ min: RANGES.answers.min, max: 4 }),
    strategy: fc.constantFrom(...STRATEGIES),
    compat: fc.boolean(),
    bias: fc.record({ region: share, country: share, maxKm: kilometres }, { requiredKeys: [] }),
    maxDistanceKm: kilometres,
    ring: fc.record({ share, km: kilometres }),
    threshold: share,
    degrade: fc.record({
      below: fc.constantFrom(0.1, 0.3),
      above: fc.constantFrom(0.75, 1),
      dwellMs: fc.constantFrom(1000, 90_000),
    }, {
      requiredKeys: [],
    }),
    unknown: fc.constantFrom<NonNullable<ManagedPool["unknown"]>>(
      { policy: "all" },
      { policy: "nodes", nodes: ["fra1", "syd1"] },
      { policy: "nearest", latitude: 1.5, longitude: 100 },
    ),
    allDown: fc.constantFrom<NonNullable<ManagedPool["allDown"]>>(
      { policy: "last-known-good" },
      { policy: "fail-open" },
      ...NAMES.slice(0, at).map((pool) => ({ policy: "pool" as const, pool })),
    ),
  }, { requiredKeys: ["name"] }).map(({ degrade, ...terms }) => ({
    ...terms,
    ...degrade && !terms.compat && { degrade },
  }));

/** Clients are in these networks of 8 bits, cut in 16 each: somewhere in the world, or nowhere. */
const FIRST = [11, 12, 50, 51, 90, 91];

/** A small world: what a partition of the whole one costs is measured elsewhere. */
function smallWorld(): Uint8Array<ArrayBuffer> {
  const places = fc.sample(
    fc.tuple(
      fc.integer({ min: -60, max: 70 }),
      fc.integer({ min: -180, max: 179 }),
      fc.constantFrom("DE", "US", "JP"),
    ),
    { numRuns: FIRST.length * 16, seed: 3 },
  );
  const records = places.map((
    [latitude, longitude, country],
    i,
  ): [string, Record<string, string | number>] => [
    `${FIRST[Math.floor(i / 16)]}.${i % 16 * 16}.0.0/12`,
    { latitude: latitude + 0.5, longitude: longitude + 0.5, country_code: country },
  ]);
  return writeMmdb(Object.fromEntries(records));
}

const somePools = fc.tuple(...NAMES.map((_, at) => termsOf(at)));
const someQueries = fc.array(
  fc.record({
    name: fc.constantFrom(...ASKED),
    type: fc.constantFrom<"A" | "AAAA" | "TXT">("A", "A", "A", "AAAA", "TXT"),
    subnet: fc.option(
      fc.tuple(
        fc.integer({ min: 1, max: 223 }),
        fc.nat(255),
        fc.nat(255),
        fc.constantFrom(24, 24, 20, 16, 32),
      )
        .map(([a, b, c, length]) => masked(`${a}.${b}.${c}.0`, length)),
      { nil: undefined },
    ),
  }),
  { minLength: 60, maxLength: 60 },
);

function masked(address: string, length: number): string {
  const { octets, family } = parsePrefix(`${address}/32`)!;
  const kept = octets.map((octet, i) => octet & 0xff << Math.max(0, 8 - Math.max(0, length - 8 * i)) & 0xff);
  return formatPrefix({ family, octets: kept, length });
}

/** The lines that say the same in a Corefile. */
function optionsOf(
  { select, answers, strategy, compat, bias, maxDistanceKm, ring, threshold, degrade, ...rest }: ManagedPool,
) {
  const { unknown, allDown } = rest;
  const line = (value: unknown, text: string) => value === undefined ? [] : [text];
  return [
    ...Object.entries(select ?? {}).map(([key, value]) => `select ${key}=${value}`),
    ...line(answers, `answers ${answers}`),
    ...line(strategy ?? compat, `strategy ${strategy ?? "linear"}${compat ? " compat" : ""}`),
    ...line(bias?.region, `bias region ${bias?.region}`),
    ...line(bias?.country, `bias country ${bias?.country}`),
    ...line(bias?.maxKm, `bias max ${bias?.maxKm}`),
    ...line(maxDistanceKm, `max-distance ${maxDistanceKm}km`),
    ...line(ring, `ring ${ring?.share} ${ring?.km}`),
    ...line(threshold, `threshold ${threshold}`),
    ...degrade
      ? [
        [
          "degrade",
          ...line(degrade.below, `below ${degrade.below}`),
          ...line(degrade.above, `above ${degrade.above}`),
          ...line(degrade.dwellMs, `dwell ${degrade.dwellMs! / 1000}s`),
        ].join(" "),
      ]
      : [],
    ...unknown ? [`unknown ${[...Object.values(unknown)].flat().join(" ")}`] : [],
    ...allDown ? [`all-down ${Object.values(allDown).join(" ")}`] : [],
  ];
}

const corefileOf = (world: string, pools: string) =>
  `{
    state off
    state sqlite nowhere/fleet.db
}
example.org:1053 {
    geo ${world} {
        networks networks.yaml
    }
    ${pools}
    managed
}
`;

const written = (world: string, pools: readonly ManagedPool[]) =>
  corefileOf(
    world,
    pools.map((pool) => `anycast ${pool.name} {\nnodes nodes.yaml\n${optionsOf(pool).join("\n")}\n}`).join(
      "\n",
    ),
  );

/** Both go by the same scopes once their partitions are there. */
async function settled(servers: readonly TestServer[]): Promise<void> {
  await until(
    "partitions",
    () =>
      servers.every(({ server: { publisher: { snapshot } } }) =>
        NAMES.every((name) =>
          ([4, 6] as const).every((family) => {
            const partition = snapshot.partitions[name]?.[family], epoch = snapshot.geographies["1"]?.epoch;
            return partition !== undefined && isCurrent(partition, snapshot, epoch!, Date.now());
          })
        )
      ),
  );
}

async function repliesOf({ port }: TestServer, queries: readonly Uint8Array[]): Promise<string[]> {
  const replies: string[] = [];
  for (const query of queries) replies.push((await askRaw(port, query)).toHex());
  return replies;
}

Deno.test("the same pools in a Corefile and in the store are answered alike to the octet, over changes, with ECS", async () => {
  const management = emptyWorld();
  await importZone(management, "example.org", ZONE, ANNA);
  const zones = followed(management.store), link = toldLink({ zones });
  const world = await Deno.makeTempFile({ suffix: ".mmdb" });
  await Deno.writeFile(world, smallWorld());
  const managed = await startServer(corefileOf(world, "anycast managed {\nnodes nodes.yaml\n}"), {
    fleet: link,
    workers: 1,
  });
  try {
    const rounds = fc.sample(fc.tuple(somePools, someQueries), { numRuns: 6, seed: 8 });
    for (const [pools, asked] of rounds) {
      link.tell({ pools: Object.fromEntries(pools.map((pool) => [pool.name, pool])) });
      const fixed = await startServer(written(world, pools), { fleet: toldLink({ zones }), workers: 1 });
      try {
        await settled([managed, fixed]);
        const queries = asked.map(({ name, type, subnet }) => encodeQuery(name, type, subnet));
        for (let turn = 0; turn < 2; turn++) {
          const [own, theirs] = [await repliesOf(managed, queries), await repliesOf(fixed, queries)];
          own.forEach((reply, i) => {
            assert.equal(reply, theirs[i], JSON.stringify([asked[i], pools], undefined, 1));
          });
        }
      } finally {
        await fixed.close();
      }
    }
  } finally {
    await managed.close();
    await Deno.remove(world);
  }
});
