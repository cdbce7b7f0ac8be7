/**
 * Reads the JSON zones of geodns.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { parseAddress } from "../net/address.ts";
import { type Findings, ImportError, type ImportSource } from "./imported.ts";

/** A zone. */
export interface GeoDnsZone {
  readonly file: string;
  readonly at: Position;
  /** Without the dot at its end. */
  readonly name: string;
  readonly ttl: number;
  readonly serial: number;
  /** The mailbox of the SOA, without the dot at its end. */
  readonly contact: string;
  /** Words such as `country`, `continent` and `@`. */
  readonly targeting: readonly string[];
  readonly labels: ReadonlyMap<string, GeoDnsLabel>;
}

/** An address with its share. */
export interface Weighted {
  readonly type: "A" | "AAAA";
  readonly address: string;
  readonly weight: number;
}

/** What is not an address, as a line of a zone file has it. */
export interface OtherRecord {
  readonly type: string;
  readonly ttl: number;
  readonly rdata: string;
}

/** A label with all that it has. */
export interface GeoDnsLabel {
  readonly at: Position;
  /** Folded; "" is the apex. */
  readonly key: string;
  readonly ttl: number;
  readonly maxHosts: number;
  readonly closest: boolean;
  readonly alias?: string;
  readonly addresses: readonly Weighted[];
  readonly records: readonly OtherRecord[];
  readonly health?: { type: string; port: number; interval: number; timeout: number; retries: number };
}

type Json = Readonly<Record<string, unknown>>;

/** What geodns takes where a zone does not say. */
const DEFAULTS = { ttl: 120, maxHosts: 2, targeting: "@ continent country", nsTtl: 86_400 };

/** Reads a zone, whose name is its file's. @throws {ImportError} When it is no JSON object. */
export function readZone(file: string, source: ImportSource, findings: Findings): GeoDnsZone {
  const at = { file, line: 1, column: 1 };
  const text = source.read(file);
  if (text === undefined) throw new ImportError(at, `cannot read ${file}: there is no such file`);
  const json = parse(text, at);
  const name = file.slice(file.lastIndexOf("/") + 1).replace(/\.json$/, "").toLowerCase().replace(/\.$/, "");
  const zone = {
    file,
    at,
    name,
    ttl: numberIn(json, "ttl") ?? DEFAULTS.ttl,
    serial: numberIn(json, "serial") ?? 1,
    contact: String(json.contact ?? `hostmaster.${name}`).replace(/\.$/, ""),
    targeting: String(json.targeting ?? DEFAULTS.targeting).split(/\s+/),
  };
  const labels = new Map<string, GeoDnsLabel>();
  for (const [key, value] of Object.entries((json.data ?? {}) as Json)) {
    const reader = new LabelReader(
      key.toLowerCase(),
      value as Json,
      positionOf(key, text, at),
      json,
      zone.ttl,
      findings,
    );
    labels.set(key.toLowerCase(), reader.read());
  }
  return { ...zone, labels };
}

function parse(text: string, at: Position): Json {
  try {
    const json = JSON.parse(text);
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return json;
  } catch (error) {
    throw new ImportError(at, `it is no JSON: ${(error as Error).message}`);
  }
  throw new ImportError(at, "it is no JSON object");
}

/** Where a label stands, as far as a look for its key can tell. */
function positionOf(key: string, text: string, at: Position): Position {
  const found = text.indexOf(`${JSON.stringify(key)}:`, text.indexOf('"data"') + 6);
  if (found < 0) return at;
  const before = text.slice(0, found).split("\n");
  return { ...at, line: before.length, column: before.at(-1)!.length + 1 };
}

class LabelReader {
  readonly #key: string;
  readonly #json: Json;
  readonly #at: Position;
  readonly #zone: Json;
  readonly #zoneTtl: number;
  readonly #findings: Findings;

  constructor(key: string, json: Json, at: Position, zone: Json, zoneTtl: number, findings: Findings) {
    [this.#key, this.#json, this.#at, this.#zone] = [key, json, at, zone];
    [this.#zoneTtl, this.#findings] = [zoneTtl, findings];
  }

  read(): GeoDnsLabel {
    const own = numberIn(this.#json, "ttl");
    const addresses: Weighted[] = [], records: OtherRecord[] = [];
    for (const [type, value] of Object.entries(this.#json)) {
      if (SETTINGS.has(type) || value === null) continue;
      const items = itemsOf(value);
      if (type === "a" || type === "aaaa") {
        addresses.push(...items.flatMap((item) => this.#address(type, item)));
      } else {records.push(
          ...this.#records(type, items, own ?? (type === "ns" ? DEFAULTS.nsTtl : this.#zoneTtl)),
        );}
    }
    const { alias } = this.#json;
    return {
      at: this.#at,
      key: this.#key,
      ttl: own ?? this.#zoneTtl,
      maxHosts: numberIn(this.#json, "max_hosts") ?? numberIn(this.#zone, "max_hosts") ?? DEFAULTS.maxHosts,
      closest: (this.#json.closest ?? this.#zone.closest) === true,
      ...typeof alias === "string" && { alias: alias.toLowerCase() },
      addresses,
      records,
      ...this.#health(),
    };
  }

  #address(type: "a" | "aaaa", item: unknown): Weighted[] {
    const object = isObject(item) ? item : {};
    const [address, weight] = Array.isArray(item) ? item : [object.ip ?? object[type] ?? item, object.weight];
    const family = parseAddress(String(address))?.family;
    if (family === (type === "a" ? 4 : 6)) {
      return [{
        type: type === "a" ? "A" : "AAAA",
        address: String(address),
        weight: Number(weight ?? 0) || 0,
      }];
    }
    this.#findings.leftOut(
      this.#at,
      `${this.#key || "@"}: ${type} ${address}`,
      "it is no address of that family",
    );
    return [];
  }

  /** Every record that is no address. Weights of these have no counterpart. */
  #records(type: string, items: readonly unknown[], ttl: number): OtherRecord[] {
    const record = (name: string, rdata: string): OtherRecord => ({ type: name, ttl, rdata });
    const objects = items.map((item) => isObject(item) ? item : {});
    const words = items.map((item, i) => String(Array.isArray(item) ? item[0] : objects[i]![type] ?? item));
    this.#noteWeights(type, items);
    switch (type) {
      case "ns":
        return words.map((word) => record("NS", absolute(word)));
      case "ptr":
        return words.map((word) => record("PTR", absolute(word)));
      case "cname":
        return words.slice(0, 1).map((word) => record("CNAME", word));
      case "mx":
        return objects.map((mx) => record("MX", `${mx.preference ?? 0} ${absolute(String(mx.mx))}`));
      case "srv":
        return objects.map(({ priority = 0, srv_weight = 0, port = 0, target }) =>
          record("SRV", `${priority} ${srv_weight} ${port} ${target}`)
        );
      case "spf":
        this.#findings.differs(this.#at, `${this.#key || "@"}: spf`, "it is a TXT record, as RFC 7208 wants");
        return words.map((word) => record("TXT", strings(word)));
      case "txt":
        return words.map((word) => record("TXT", strings(word)));
      default:
        this.#findings.leftOut(this.#at, `${this.#key || "@"}: ${type}`, "geodns does not serve it either");
        return [];
    }
  }

  #noteWeights(type: string, items: readonly unknown[]): void {
    const weights = items.map((item) =>
      Array.isArray(item) ? item[1] : isObject(item) ? item.weight : undefined
    );
    if (items.length < 2 || weights.every((weight) => weight === undefined)) return;
    const why = type === "cname"
      ? "a name has one alias: taking the first"
      : "every record is in every answer";
    this.#findings.leftOut(this.#at, `${this.#key || "@"}: weights of ${type}`, why);
  }

  #health() {
    const { health } = this.#json;
    if (!isObject(health)) return {};
    const number = (key: string, byDefault: number) => numberIn(health, key) ?? byDefault;
    return {
      health: {
        type: String(health.type),
        port: number("port", 80),
        interval: number("frequency", 30),
        timeout: number("timeout", 3),
        retries: number("retries", 2),
      },
    };
  }
}

const SETTINGS = new Set(["ttl", "max_hosts", "closest", "alias", "health"]);

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A list as it stands, the keys of an object of name servers, or the one value. */
function itemsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const isNames = isObject(value) && Object.values(value).every((one) => one === null || one === "");
  return isNames ? Object.keys(value) : [value];
}

function numberIn(json: Json, key: string): number | undefined {
  const number = Number(json[key] ?? NaN);
  return Number.isFinite(number) ? number : undefined;
}

function absolute(name: string): string {
  return name.endsWith(".") ? name : `${name}.`;
}

/** Strings of at most 255 octets each. */
function strings(text: string): string {
  const parts = text.match(/.{1,255}/gs) ?? [""];
  return parts.map((part) => `"${part.replace(/["\\]/g, "\\$&")}"`).join(" ");
}
