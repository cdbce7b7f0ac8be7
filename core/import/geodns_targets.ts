/**
 * Which labels of a geodns zone are variants of others for some clients: `www.europe`, `www.de`, `www.us-west`.
 *
 * @module
 */

import { COUNTRY_POINTS } from "../fleet/country_points.ts";
import { CONTINENT_SPOTS, type Spot } from "./gdnsd_map.ts";
import type { GeoDnsLabel, GeoDnsZone } from "./geodns_zone.ts";
import type { Findings } from "./imported.ts";

const CONTINENTS: Readonly<Record<string, string>> = {
  africa: "AF",
  antarctica: "AN",
  asia: "AS",
  europe: "EU",
  "north-america": "NA",
  oceania: "OC",
  "south-america": "SA",
};

/** geodns' groups of states. */
const REGION_GROUPS: Readonly<Record<string, Spot>> = {
  "us-west": { latitude: 37, longitude: -120 },
  "us-central": { latitude: 35, longitude: -96 },
  "us-east": { latitude: 39, longitude: -77 },
};

/** A variant, and whom it is for. */
export interface Variant {
  readonly target: string;
  readonly label: GeoDnsLabel;
}

/** The labels that are names, and by their keys the variants of each. What cannot be a variant here is a finding. */
export function spreadOf(
  { labels, targeting }: GeoDnsZone,
  findings: Findings,
): { plain: GeoDnsLabel[]; targeted: ReadonlyMap<string, readonly Variant[]> } {
  const plain: GeoDnsLabel[] = [];
  const targeted = new Map<string, Variant[]>();
  for (const label of labels.values()) {
    const [, base = "", target = ""] = /^(?:(.*?)\.)?(\[[^\]]*\]|[^.]+)$/.exec(label.key) ?? [];
    const kind = kindOf(target);
    if (!kind || !targeting.includes(kind) || !labels.has(base)) plain.push(label);
    else if (kind === "asn" || kind === "ip" || kind === "region") {
      findings.leftOut(
        label.at,
        label.key,
        `clients are told apart by place; networks.yaml can place a network`,
      );
    } else targeted.set(base, [...targeted.get(base) ?? [], { target, label }]);
  }
  return { plain, targeted };
}

/** The word of `targeting` that a target belongs to. */
function kindOf(target: string): string | undefined {
  if (CONTINENTS[target]) return "continent";
  if (REGION_GROUPS[target]) return "regiongroup";
  if (/^as\d+$/.test(target)) return "asn";
  if (/^\[.*\]$/.test(target)) return "ip";
  if (/^[a-z]{2}$/.test(target) && COUNTRY_POINTS.has(target.toUpperCase())) return "country";
  return /^[a-z]{2}-[a-z0-9]{1,3}$/.test(target) && COUNTRY_POINTS.has(target.slice(0, 2).toUpperCase())
    ? "region"
    : undefined;
}

/** The point that stands for a target. */
export function spotOf(target: string): Spot & { readonly country?: string } {
  const continent = CONTINENTS[target];
  if (continent) return CONTINENT_SPOTS[continent]!;
  const group = REGION_GROUPS[target];
  if (group) return { ...group, country: "US" };
  const country = target.toUpperCase();
  return { ...COUNTRY_POINTS.get(country)!, country };
}
