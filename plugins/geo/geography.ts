/**
 * Makes a geography: which network is where, from databases, the operator's own networks, and special-purpose
 * blocks. `docs/decisions/0001-answers.md` says what a leaf is.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  type Geography,
  type GeographySource,
  type Place,
  type Precision,
  SPECIAL_CLASS_FIRST,
} from "../../core/fleet/place.ts";
import type { NetworkTable } from "../../core/net/network_table.ts";
import { fallBack, layOver, type PrefixTree, prefixTree } from "../../core/net/table_algebra.ts";
import { tableBuilder, uniformTable } from "../../core/net/table_builder.ts";
import { SPECIAL_BLOCKS } from "../../core/net/special.ts";
import { type Family, formatPrefix, type Prefix } from "../../core/plugin.ts";
import { COUNTRY_POINTS } from "../../core/fleet/country_points.ts";
import { hasFamily, type Mmdb, MmdbError, NOWHERE, openMmdb, placeOf, walkNetworks } from "./mmdb.ts";
import { PlaceColumns } from "./place_columns.ts";
import { RecordNumbers, UNKNOWN } from "./record_numbers.ts";

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
  readonly #operator: OperatorFile | undefined;
  /** Special-purpose blocks and the operator's networks, which are laid over the databases. */
  readonly #laid: Readonly<Record<Family, PrefixTree>>;
  /** What the databases so far make, with what is laid over them. */
  readonly #tables: Partial<Record<Family, NetworkTable>> = {};

  /** `loadedMs`: the time now, milliseconds since 1970. */
  constructor(loadedMs: number, operator?: OperatorFile) {
    this.#loadedMs = loadedMs;
    this.#operator = operator;
    const entries = [...specialEntries(), ...this.#operatorEntries(operator?.networks ?? [])];
    this.#laid = { 4: prefixTree(4, entries), 6: prefixTree(6, entries) };
  }

  /** Adds a database, which decides where those before it have no place. @throws {MmdbError} When it is unsound. */
  addDatabase({ name, octets }: DatabaseFile): void {
    const mmdb = openMmdb(octets);
    const { databaseType, builtMs } = mmdb.metadata;
    const source = databaseType === "" ? name : `${databaseType} ${name}`;
    const classes = new RecordClasses(mmdb, this.#places, source);
    for (const family of [4, 6] as const) {
      if (!hasFamily(mmdb, family)) continue;
      const before = this.#tables[family];
      // What is laid over all of them is laid over the first: where there is something, none is asked after it.
      this.#tables[family] = before
        ? fallBack(before, networksOf(mmdb, family, classes))
        : networksOf(mmdb, family, classes, this.#laid[family]);
    }
    const { precision } = classes;
    if (!precision) throw new MmdbError("it has neither coordinates nor countries that are known");
    this.#sources.push({
      ...{ name: source, precision, builtMs, loadedMs: this.#loadedMs },
      content: sha256(octets),
    });
  }

  /** The whole, special-purpose blocks and the operator's networks laid over the databases. */
  finish(epoch: number): Geography {
    return {
      epoch,
      v4: this.#tableOf(4),
      v6: this.#tableOf(6),
      places: this.#places.finish(),
      specialNames: SPECIAL_BLOCKS.map(({ name }) => name),
      sources: [...this.#sources, ...this.#operatorSource()],
    };
  }

  #tableOf(family: Family): NetworkTable {
    return this.#tables[family] ?? layOver(uniformTable(family, 0), this.#laid[family]);
  }

  #operatorSource(): GeographySource[] {
    if (!this.#operator) return [];
    const { builtMs, networks } = this.#operator, content = sha256(textOf(networks));
    return [{
      ...{ name: OPERATOR_SOURCE, precision: "operator", builtMs, loadedMs: this.#loadedMs, content },
    }];
  }

  /** They come after the special-purpose blocks, so that they win over one of the same length. */
  #operatorEntries(networks: readonly OperatorNetwork[]) {
    const source = this.#places.source(OPERATOR_SOURCE, "operator");
    return networks.map(({ prefix, place }) => ({ prefix, value: this.#places.add(place, source) }));
  }
}

/** What networks say, in whatever order they stand, and with whatever remarks. */
function textOf(networks: readonly OperatorNetwork[]): string {
  return JSON.stringify(
    networks.map(({ prefix, place }) => {
      const { latitude, longitude, country, subdivision } = place;
      return `${formatPrefix(prefix)} ${latitude} ${longitude} ${country} ${subdivision}`;
    }).sort(),
  );
}

function sha256(what: string | Uint8Array): string {
  return createHash("sha256").update(what).digest("hex");
}

function specialEntries() {
  return SPECIAL_BLOCKS.map(({ prefix }, i) => ({ prefix, value: SPECIAL_CLASS_FIRST + i }));
}

function networksOf(mmdb: Mmdb, family: Family, classes: RecordClasses, over?: PrefixTree): NetworkTable {
  const builder = tableBuilder(family);
  walkNetworks(
    mmdb,
    family,
    (length, record) => builder.append(length, classes.of(record)),
    over && {
      over,
      put: (length, value) => builder.append(length, value),
      // What it is stands in no table; whether the database knows any place is to be seen all the same.
      hidden: (record) => void classes.of(record),
    },
  );
  return builder.finish();
}

/** The classes of a database's records. Networks share records: each is read once. */
class RecordClasses {
  readonly #mmdb: Mmdb;
  readonly #places: PlaceColumns;
  readonly #source: string;
  readonly #known: RecordNumbers;
  /** The best that a record had; undefined while none had a place. */
  precision: Precision | undefined;

  constructor(mmdb: Mmdb, places: PlaceColumns, source: string) {
    this.#mmdb = mmdb;
    this.#places = places;
    this.#source = source;
    this.#known = new RecordNumbers(mmdb.data.start, mmdb.data.end);
  }

  of(record: number): number {
    if (record === NOWHERE) return 0;
    const known = this.#known.get(record);
    return known === UNKNOWN ? this.#known.put(record, this.#read(record)) : known;
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
