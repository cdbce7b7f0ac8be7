/**
 * One city database for every server: DB-IP's two flat files, IPv4 and IPv6, made into one file in the layout of
 * GeoIP2-City, which is all that others read. Equal neighbours are merged on the way.
 *
 * @module
 */

import { bringCityDatabase } from "../geo_city.ts";
import { type Mmdb, NOWHERE, openMmdb, placeOf, walkNetworks } from "../../plugins/geo/mmdb.ts";
import { cacheFolder } from "./cache_folder.ts";
import { MmdbData, mmdbFile, MmdbTree } from "./mmdb_file.ts";

/** The files that the benchmark works with. */
export interface CityData {
  /** The database, both families. */
  readonly database: string;
  /** Per country the middle of its places: `{ "DE": { "latitude": 51.1, "longitude": 10.2 } }`. */
  readonly countries: string;
  /** IPv6 networks to draw clients from: 16 octets and a length each. */
  readonly networks6: string;
}

/** For what looks at no place. */
export const NO_CITY_DATA: CityData = { database: "", countries: "", networks6: "" };

/** Changes when what is built does. */
const VERSION = 1;

const NETWORKS6 = 20_000, LENGTH6_MAX = 56;

/** The files; they are built the first time, which takes a minute. */
export async function cityData(say: (what: string) => void = () => {}): Promise<CityData> {
  const folder = await cacheFolder(`city-${VERSION}`);
  const data = {
    database: `${folder}/GeoIP2-City.mmdb`,
    countries: `${folder}/countries.json`,
    networks6: `${folder}/networks6`,
  };
  // The last that is written.
  if (await Deno.stat(data.networks6).catch(() => undefined)) return data;
  say("building the city database, once");
  const [v4, v6] = await Promise.all((await bringCityDatabase()).map(async (path) => {
    return openMmdb(await Deno.readFile(path));
  }));
  await build(v4!, v6!, data);
  return data;
}

async function build(v4: Mmdb, v6: Mmdb, data: CityData): Promise<void> {
  const records = new MmdbData(), countries = new Countries(), networks6 = new Sample();
  const tree4 = new MmdbTree(), place4 = placesOf(v4, records, countries);
  walkNetworks(v4, 4, (length, record) => tree4.append(length, place4(record)));
  const tree = new MmdbTree(tree4), place6 = placesOf(v6, records, countries);
  const at = new Uint8Array(16);
  let isFirst = true;
  walkNetworks(v6, 6, (length, record) => {
    // IPv4 is the part under ::/96, which whatever comes first holds.
    if (isFirst) tree.appendAround(length, tree4.root, 96);
    else tree.append(length, place6(record));
    if (!isFirst && record !== NOWHERE && length <= LENGTH6_MAX) networks6.offer(at, length);
    isFirst = false;
    advance(at, length);
  });
  await Deno.writeFile(data.database, mmdbFile(tree, records, "GeoIP2-City"));
  await Deno.writeTextFile(data.countries, JSON.stringify(countries.middles()));
  await Deno.writeFile(data.networks6, networks6.octets());
}

/** From records of a flat database to those of the new one. */
function placesOf(mmdb: Mmdb, records: MmdbData, countries: Countries): (record: number) => number {
  const known = new Map<number, number>([[NOWHERE, 0]]);
  return (record) => {
    let made = known.get(record);
    if (made !== undefined) return made;
    const { point, country } = placeOf(mmdb, record);
    made = point && country !== ""
      ? records.place(country, round(point.latitude), round(point.longitude))
      : 0;
    if (point && made !== 0) countries.add(country, point.latitude, point.longitude);
    known.set(record, made);
    return made;
  };
}

/** Degrees to some ten metres: DB-IP has them with the noise of 32 bits. */
function round(degrees: number): number {
  return Math.round(degrees * 1e4) / 1e4;
}

/** To the first address behind a network. */
function advance(address: Uint8Array, length: number): void {
  let carry = 1 << (7 - (length - 1) % 8);
  for (let i = Math.max(0, length - 1) >> 3; i >= 0 && carry > 0; i--) {
    const sum = address[i]! + carry;
    address[i] = sum & 255;
    carry = sum >> 8;
  }
}

/** The middle of every country's places, on the sphere. */
class Countries {
  readonly #sums = new Map<string, [number, number, number]>();

  add(country: string, latitude: number, longitude: number): void {
    const [phi, lambda] = [latitude * Math.PI / 180, longitude * Math.PI / 180];
    const sum = this.#sums.get(country) ?? [0, 0, 0];
    this.#sums.set(country, [
      sum[0] + Math.cos(phi) * Math.cos(lambda),
      sum[1] + Math.cos(phi) * Math.sin(lambda),
      sum[2] + Math.sin(phi),
    ]);
  }

  middles(): Record<string, { latitude: number; longitude: number }> {
    return Object.fromEntries([...this.#sums].map(([country, [x, y, z]]) => [country, {
      latitude: Math.atan2(z, Math.hypot(x, y)) * 180 / Math.PI,
      longitude: Math.atan2(y, x) * 180 / Math.PI,
    }]));
  }
}

/** Some of many networks, every one as likely as any other (reservoir sampling). */
class Sample {
  readonly #octets = new Uint8Array(NETWORKS6 * 17);
  #offered = 0;
  #state = 1;

  offer(address: Uint8Array, length: number): void {
    // The same ones in every build.
    this.#state = Math.imul(this.#state, 1664525) + 1013904223 >>> 0;
    const slot = this.#offered < NETWORKS6 ? this.#offered : this.#state % (this.#offered + 1);
    this.#offered++;
    if (slot >= NETWORKS6) return;
    this.#octets.set(address, slot * 17);
    this.#octets[slot * 17 + 16] = length;
  }

  octets(): Uint8Array {
    return this.#octets.subarray(0, Math.min(this.#offered, NETWORKS6) * 17);
  }
}

if (import.meta.main) console.log(await cityData(console.error));
