/**
 * Makes a geography: which network is where, from databases, the operator's own networks, and special-purpose
 * blocks. `docs/decisions/0001-answers.md` says what a leaf is.
 *
 * @module
 */

import {
  type Geography,
  type GeographySource,
  type Place,
  type Precision,
  SPECIAL_CLASS_FIRST,
} from "../../core/fleet/place.ts";
import { type NetworkTable, valueAt } from "../../core/net/network_table.ts";
import { fallBack, overlay } from "../../core/net/table_algebra.ts";
import { tableBuilder, uniformTable } from "../../core/net/table_builder.ts";
import { SPECIAL_BLOCKS } from "../../core/net/special.ts";
import type { Family, Prefix } from "../../core/plugin.ts";
import { COUNTRY_POINTS } from "../../core/fleet/country_points.ts";
import { hasFamily, type Mmdb, MmdbError, NOWHERE, openMmdb, placeOf, walkNetworks } from "./mmdb.ts";
import { PlaceColumns } from "./place_columns.ts";

/** A network of the operator's, and where it is. */
export interface OperatorNetwork {
  readonly prefix: Prefix;
  readonly place: Place;
}

/** A database file's name and what is in it. */
export interface DatabaseFile {
  readonly name: string;
  readonly octets: Uint8Array;
}

/** The operator's networks, and when their file was written, milliseconds since 1970. */
export interface OperatorFile {
  readonly networks: readonly OperatorNetwork[];
  readonly builtMs: number;
}

/** What the source of operator networks is called. */
export const OPERATOR_SOURCE = "networks";

/** Gathers databases one after the other, so that no two of them need be in memory at once. */
export class GeographyBuilder {
  readonly #places = new PlaceColumns();
  readonly #sources: GeographySource[] = [];
  readonly #loadedMs: number;
  readonly #tables: Record<Family, NetworkTable> = { 4: uniformTable(4, 0), 6: uniformTable(6, 0) };

  /** `loadedMs`: the time now, milliseconds since 1970. */
  constructor(loadedMs: number) {
    this.#loadedMs = loadedMs;
  }

  /** Adds a database, which decides where those before it have no place. @throws {MmdbError} When it is unsound. */
  addDatabase({ name, octets }: DatabaseFile): void {
    const mmdb = openMmdb(octets);
    const { databaseType, builtMs } = mmdb.metadata;
    const source = databaseType === "" ? name : `${databaseType} ${name}`;
    const classes = new RecordClasses(mmdb, this.#places, source);
    for (const family of [4, 6] as const) {
      if (!hasFamily(mmdb, family)) continue;
      this.#tables[family] = consult(this.#tables[family], networksOf(mmdb, family, classes));
    }
    const { precision } = classes;
    if (!precision) throw new MmdbError("it has neither coordinates nor countries that are known");
    this.#sources.push({ name: source, precision, builtMs, loadedMs: this.#loadedMs });
  }

  /** The whole, special-purpose blocks and the operator's networks laid over the databases. */
  finish(epoch: number, operator?: OperatorFile): Geography {
    const entries = [...specialEntries(), ...this.#operatorEntries(operator?.networks ?? [])];
    if (operator) {
      this.#sources.push({
        name: OPERATOR_SOURCE,
        precision: "operator",
        builtMs: operator.builtMs,
        loadedMs: this.#loadedMs,
      });
    }
    // One after the other in place, so that what was laid over can be let go.
    this.#tables[4] = overlay(this.#tables[4], entries);
    this.#tables[6] = overlay(this.#tables[6], entries);
    return {
      epoch,
      v4: this.#tables[4],
      v6: this.#tables[6],
      places: this.#places.finish(),
      specialNames: SPECIAL_BLOCKS.map(({ name }) => name),
      sources: this.#sources,
    };
  }

  /** They come after the special-purpose blocks, so that they win over one of the same length. */
  #operatorEntries(networks: readonly OperatorNetwork[]) {
    const source = this.#places.source(OPERATOR_SOURCE, "operator");
    return networks.map(({ prefix, place }) => ({ prefix, value: this.#places.add(place, source) }));
  }
}

function specialEntries() {
  return SPECIAL_BLOCKS.map(({ prefix }, i) => ({ prefix, value: SPECIAL_CLASS_FIRST + i }));
}

/** A first database's networks are taken as they are: nothing was consulted before. */
function consult(before: NetworkTable, next: NetworkTable): NetworkTable {
  return before.count === 1 && valueAt(before, 0) === 0 ? next : fallBack(before, next);
}

function networksOf(mmdb: Mmdb, family: Family, classes: RecordClasses): NetworkTable {
  const builder = tableBuilder(family);
  walkNetworks(mmdb, family, (length, record) => builder.append(length, classes.of(record)));
  return builder.finish();
}

/** The classes of a database's records. Networks share records: each is read once. */
class RecordClasses {
  readonly #mmdb: Mmdb;
  readonly #places: PlaceColumns;
  readonly #source: string;
  readonly #classes = new Map<number, number>([[NOWHERE, 0]]);
  /** The best that a record had; undefined while none had a place. */
  precision: Precision | undefined;

  constructor(mmdb: Mmdb, places: PlaceColumns, source: string) {
    this.#mmdb = mmdb;
    this.#places = places;
    this.#source = source;
  }

  of(record: number): number {
    let known = this.#classes.get(record);
    if (known === undefined) this.#classes.set(record, known = this.#read(record));
    return known;
  }

  /** A record without coordinates stands for the point of its country. */
  #read(record: number): number {
    const { point, country, subdivision } = placeOf(this.#mmdb, record);
    const found = point ?? COUNTRY_POINTS.get(country);
    if (!found) return 0;
    const precision = point ? "city" : "country";
    if (this.precision !== "city") this.precision = precision;
    const { latitude, longitude } = found;
    const source = this.#places.source(this.#source, precision);
    return this.#places.add({ latitude, longitude, country, subdivision }, source);
  }
}
