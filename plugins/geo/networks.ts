/**
 * Reads the operator's own networks: `networks.yaml`. Its format is in README.md.
 *
 * @module
 */

import type { Point } from "../../core/fleet/distance.ts";
import { YamlFile, type YamlValue } from "../../core/fleet/yaml_reader.ts";
import { formatPrefix, parsePrefix, type Problems } from "../../core/plugin.ts";
import { COUNTRY_POINTS } from "../../core/fleet/country_points.ts";
import type { OperatorNetwork } from "./geography.ts";

const KEYS = ["prefix", "latitude", "longitude", "country", "subdivision"];

/**
 * The networks of a list, in its order. All that is wrong goes to `problems`, with its position in `file`; networks
 * with something wrong are left out.
 */
export function readNetworks(text: string, file: string, problems: Problems): OperatorNetwork[] {
  const entries = new YamlFile(text, file, problems).root.entries(["networks"], ["networks"]);
  const networks = new Map<string, OperatorNetwork>();
  for (const item of entries?.get("networks")?.items("a network") ?? []) {
    const found = problems.errors.length;
    const network = readNetwork(item);
    if (!network || problems.errors.length > found) continue;
    const prefix = formatPrefix(network.prefix);
    if (networks.has(prefix)) item.problem(`network ${prefix} stands twice`);
    else networks.set(prefix, network);
  }
  return [...networks.values()];
}

function readNetwork(item: YamlValue): OperatorNetwork | undefined {
  const entries = item.entries(KEYS, ["prefix"]);
  if (!entries) return undefined;
  const wanted = "a network such as 192.0.2.0/24, no bits set past the length";
  const prefix = entries.get("prefix")?.text(wanted, (text) => parsePrefix(text) !== undefined);
  const code = "an ISO 3166-1 code of two capital letters, such as DE";
  const named = entries.get("country");
  const country = named ? named.text(code, (text) => /^[A-Z]{2}$/.test(text)) : "";
  if (country === undefined) return undefined;
  const subdivision = entries.get("subdivision")?.text() ?? "";
  const point = readPoint(item, entries, country);
  if (prefix === undefined || !point) return undefined;
  const { latitude, longitude } = point;
  return { prefix: parsePrefix(prefix)!, place: { latitude, longitude, country, subdivision } };
}

/** Without coordinates, the point of the country. */
function readPoint(item: YamlValue, entries: Map<string, YamlValue>, country: string): Point | undefined {
  const north = entries.get("latitude"), east = entries.get("longitude");
  const latitude = north?.number("degrees from -90 to 90", (n) => Math.abs(n) <= 90);
  const longitude = east?.number("degrees from -180 to 180", (n) => Math.abs(n) <= 180);
  if (!north !== !east) return item.problem(`a network has no ${north ? "longitude" : "latitude"}`);
  if (north || east) {
    return latitude === undefined || longitude === undefined ? undefined : { latitude, longitude };
  }
  if (country === "") return item.problem("a network wants latitude and longitude, or a country");
  return COUNTRY_POINTS.get(country) ?? entries.get("country")!.wrong("a country whose place is known");
}
