/**
 * What the parts of an answer cost that is worked out, one by one: nanoseconds of processor time, the median of several
 * rounds. `in_process.ts` has whole queries.
 *
 *     deno run -A scripts/bench/parts.ts [ROUNDS]
 *
 * @module
 */

import process from "node:process";
import type { Place } from "../../core/fleet/place.ts";
import { select } from "../../core/fleet/select.ts";
import { viewsAt } from "../../core/fleet/view.ts";
import { fold, parseName } from "../../core/dns/name.ts";
import { type DecodedQuery, decodeQuery } from "../../core/dns/query.ts";
import { TYPE } from "../../core/dns/types.ts";
import { findNetwork } from "../../core/net/network_table.ts";
import { respond } from "../../core/responder.ts";
import { lookup } from "../../core/zone/lookup.ts";
import { makeZone } from "../../core/zone/make_zone.ts";
import { parseMasterFile } from "../../core/zone/master_file.ts";
import { build } from "../../plugins/geo/build.ts";
import { embeddedDatabase } from "../../plugins/geo/embedded.ts";
import { node, pool, snapshot } from "../../tests/core/fleet/make.ts";
import { hostLabel, NAMES, SITES, ZONE, zoneFile } from "./fleet.ts";
import { queryOf, queryWriter } from "./queries.ts";
import { medianOf } from "./statistics.ts";

const CALLS = 100_000, VARIANTS = 1024;

/** One part: called with numbers that count up. What it returns is looked at, so that it is not left out. */
interface Part {
  readonly name: string;
  run(i: number): unknown;
}

function parts(): Part[] {
  const packets = [queryOf("name"), queryOf("pool4")].map((query) => {
    const write = queryWriter(query, 1);
    return Array.from({ length: VARIANTS }, (_, i) => {
      const packet = new Uint8Array(query.octets.length);
      write(packet, 0, i);
      return packet;
    });
  });
  const zone = exampleZone(), table = embeddedTable();
  const names = Array.from({ length: NAMES }, (_, i) => parseName(`${hostLabel(i)}.${ZONE}`));
  const absent = Array.from({ length: VARIANTS }, (_, i) => parseName(`x${i}.${ZONE}`));
  const ask = (name: typeof names[number]) => {
    return lookup(zone, { name, folded: fold(name), type: TYPE.A, chaseToPools: true, dnssecOk: false });
  };
  const asked = packets[0]!.map((packet) => decodeQuery(packet) as DecodedQuery);
  const answers = asked.map(({ question }) => ask(question.name));
  const address = new Uint8Array(4), addresses = new DataView(address.buffer);
  const views = viewsAt(snapshot([fiftyNodes()]), 4, 0), places = somePlaces();
  return [
    { name: "parse, EDNS", run: (i) => decodeQuery(packets[0]![i % VARIANTS]!) },
    { name: "parse, EDNS and ECS", run: (i) => decodeQuery(packets[1]![i % VARIANTS]!) },
    { name: "zone: a name of 500", run: (i) => ask(names[i % NAMES]!) },
    { name: "zone: a name that is not there", run: (i) => ask(absent[i % VARIANTS]!) },
    {
      name: "network of an address",
      run: (i) => (addresses.setUint32(0, Math.imul(i, 0x9e3779b1)), findNetwork(table, address)),
    },
    {
      name: "choose 1 of 50 nodes, nothing remembered",
      run: (i) => select(views, "www.example.org.", { place: places[i % VARIANTS]!, placeId: 0, leaf: i }),
    },
    {
      name: "encode",
      run: (i) => respond(asked[i % VARIANTS]!, answers[i % VARIANTS]!, { transport: "udp" }),
    },
  ];
}

function exampleZone() {
  const origin = parseName(ZONE), { records } = parseMasterFile(zoneFile(), { file: "zone", origin });
  const { zone, errors } = makeZone(origin, records);
  if (zone === undefined) throw new Error(errors[0]?.message);
  return zone;
}

function embeddedTable() {
  const outcome = build({ databases: [embeddedDatabase()], epoch: 1, loadedMs: 0 });
  if (!("geography" in outcome)) throw new Error(outcome.refused.reason);
  return outcome.geography.v4;
}

function fiftyNodes() {
  return pool(
    SITES.map(({ id, address, latitude, longitude, country }) =>
      node(id, [latitude, longitude, country], { ipv4: address })
    ),
  );
}

function somePlaces(): Place[] {
  return Array.from({ length: VARIANTS }, (_, i) => ({
    latitude: i * 61 % 120 - 60,
    longitude: i * 127 % 360 - 180,
    country: "",
    subdivision: "",
  }));
}

/** Nanoseconds of processor time of one call. */
function costOf({ run }: Part): number {
  let kept: unknown;
  const before = process.cpuUsage();
  for (let i = 0; i < CALLS; i++) kept = run(i);
  const { user, system } = process.cpuUsage(before);
  if (kept === undefined) throw new Error("Nothing came of it");
  return (user + system) * 1000 / CALLS;
}

if (import.meta.main) {
  const rounds = Number(Deno.args[0] ?? 7), all = parts();
  for (const part of all) costOf(part);
  const costs = Array.from({ length: rounds }, () => all.map(costOf));
  for (const [i, { name }] of all.entries()) {
    const median = medianOf(costs.map((round) => round[i]!));
    console.log(`${name.padEnd(44)} ${median.toFixed(0).padStart(6)} ns`);
  }
}
