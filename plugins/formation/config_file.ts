/**
 * form-dns's own configuration as its documents have it: `config.json`, `records.json`, and what the environment says. What is
 * said in the Corefile goes before all of it.
 *
 * @module
 */

import { readRegularTextFile, reasonOf } from "../../core/files.ts";
import { decodeRecord, parseJson } from "./decode.ts";
import { type Fields, fieldsOf, FormationProblem, isFields, listOf, textOf, wholeOf } from "./json.ts";
import type { FormationRecord } from "./shapes.ts";

/** What of config.json concerns this plugin. */
export interface ConfigFile {
  readonly apiPort?: number;
  readonly recordsFile?: string;
  /** The first of `upstream_dns`. */
  readonly resolver?: string;
  /** Zones of which it is the primary. */
  readonly zones: readonly string[];
  /** What is there and is another directive's to say: a line each, for people. */
  readonly elsewhere: readonly string[];
}

/** Which directive says what a key said. */
const ELSEWHERE: Readonly<Record<string, (value: unknown) => string>> = {
  listen_addr: (value) => `listen_addr: bind ${value}`,
  port: (value) => `port: a server block's key, .:${value}`,
  geo_database: (value) => `geo_database: geo ${value}`,
  health_check: (value) => `health_check: ${healthOf(value)}`,
};

/** @throws {FormationProblem} */
export function readConfig(path: string): ConfigFile {
  const fields = fieldsOf(parseJson(textIn(path), path), path);
  const upstreams = listOf(fields.upstream_dns, "upstream_dns").map((one) => textOf(one, "upstream_dns"));
  return {
    ...fields.api_port !== undefined && { apiPort: wholeOf(fields.api_port, "api_port", 65_535) },
    ...fields.records_file !== undefined && { recordsFile: textOf(fields.records_file, "records_file") },
    ...upstreams[0] !== undefined && { resolver: upstreams[0] },
    zones: listOf(fields.zones, "zones").map((zone) =>
      textOf(fieldsOf(zone, "a zone").name, "a zone's name")
    ),
    elsewhere: Object.keys(ELSEWHERE).filter((key) => fields[key] !== undefined)
      .map((key) => ELSEWHERE[key]!(fields[key])),
  };
}

function healthOf(value: unknown): string {
  const { interval = 30, timeout = 5, unhealthy_threshold = 3 }: Fields = isFields(value) ? value : {};
  return `health { check tcp 51820; interval ${interval}s; timeout ${timeout}s; fall ${unhealthy_threshold} }`;
}

/** The records of records.json. @throws {FormationProblem} */
export function readRecords(path: string): readonly FormationRecord[] {
  const { records } = fieldsOf(parseJson(textIn(path), path), path);
  return listOf(records, "records").map(decodeRecord);
}

function textIn(path: string): string {
  try {
    return readRegularTextFile(path);
  } catch (error) {
    throw new FormationProblem(`cannot read '${path}': ${reasonOf(error)}`);
  }
}

/** What the environment says where the Corefile does not. */
export interface Environment {
  /** `DNS_CONFIG_PATH`. */
  readonly config?: string;
  /** `STATE_URL`. */
  readonly state?: string;
}

/** @param get Reads a variable. */
export function readEnvironment(get: (name: string) => string | undefined): Environment {
  const config = get("DNS_CONFIG_PATH"), state = get("STATE_URL");
  return { ...config && { config }, ...state && { state } };
}
