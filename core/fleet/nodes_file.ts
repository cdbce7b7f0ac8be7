/**
 * Reads a node list: `nodes.yaml`. Its format is in plugins/anycast/README.md.
 *
 * @module
 */

import type { Problems } from "../corefile/directive.ts";
import { contains, formatAddress, parseAddress } from "../net/address.ts";
import { SPECIAL_BLOCKS } from "../net/special.ts";
import { parseInstantMs } from "./instant.ts";
import type { Node, Window } from "./node.ts";
import { isNodeId } from "./node_id.ts";
import type { Place } from "./place.ts";
import { YamlFile, type YamlValue } from "./yaml_reader.ts";

const NODE_KEYS = [
  "id",
  "addresses",
  "location",
  "region",
  "capacity",
  "weight",
  "labels",
  "overlay",
  "state",
  "maintenance",
];

/**
 * The nodes of a list, ascending by id. All that is wrong goes to `problems`, with its position in `file`; nodes with
 * something wrong are left out.
 */
export function readNodes(text: string, file: string, problems: Problems): Node[] {
  const entries = new YamlFile(text, file, problems).root.entries(["nodes"], ["nodes"]);
  const nodes = new Map<string, Node>();
  for (const item of entries?.get("nodes")?.items("a node") ?? []) {
    const found = problems.errors.length;
    const node = readNode(item);
    if (!node || problems.errors.length > found) continue;
    if (nodes.has(node.id)) item.problem(`node ${node.id} stands twice`);
    else nodes.set(node.id, node);
  }
  return [...nodes.values()].sort((a, b) => a.id < b.id ? -1 : 1);
}

/** What is wrong has a default in its place, so that the rest is still looked at. */
function readNode(item: YamlValue): Node | undefined {
  const entries = item.entries(NODE_KEYS, ["id", "addresses", "location"]);
  if (!entries) return undefined;
  const read = <T>(key: string, byDefault: T, reader: (value: YamlValue) => T | undefined): T => {
    const value = entries.get(key);
    return value && reader(value) || byDefault;
  };
  return {
    id: read("id", "", (value) => value.text("letters, digits, '.', '_' and '-'", isNodeId)),
    ...read("addresses", {}, readAddresses),
    place: read("location", NOWHERE, readPlace),
    region: read("region", "", (value) => value.text()),
    capacity: read("capacity", 0, (value) => value.number("a number, at least 0", (n) => n >= 0)),
    weight: read("weight", 1, (value) => value.number("a number above 0", (n) => n > 0 && n < Infinity)),
    labels: read("labels", {}, readLabels),
    overlay: read(
      "overlay",
      [],
      (value) => value.items("overlay")?.flatMap((one) => readAddress(one)?.text ?? []),
    ),
    state: read("state", "up", (value) => value.oneOf(["up", "drain", "down"])),
    maintenance: read(
      "maintenance",
      [],
      (value) => value.items("a window")?.flatMap((one) => readWindow(one) ?? []),
    ),
  };
}

const NOWHERE: Place = Object.freeze({ latitude: 0, longitude: 0, country: "", subdivision: "" });

function readAddresses(list: YamlValue): Pick<Node, "ipv4" | "ipv6"> {
  const addresses: { ipv4?: string; ipv6?: string } = {};
  const items = list.items("an address");
  if (items?.length === 0) list.problem("addresses must have an address, or one of each family");
  for (const item of items ?? []) {
    const address = readAddress(item);
    if (!address) continue;
    const nobody = unreachableBlock(address.text);
    if (nobody) {
      item.problem(`an address of a node must be one that clients can reach: ${address.text} is ${nobody}`);
      continue;
    }
    const family = address.family === 4 ? "ipv4" : "ipv6";
    if (addresses[family] !== undefined) {
      item.problem(`a node has one address of a family: ${address.text} stands beside ${addresses[family]}`);
    }
    addresses[family] ??= address.text;
  }
  return addresses;
}

/** The name of the block of an address that no client can reach; undefined when one may. */
export function unreachableBlock(text: string): string | undefined {
  const address = parseAddress(text)!;
  return SPECIAL_BLOCKS.find(({ name, prefix }) => NOBODYS.includes(name) && contains(prefix, address))?.name;
}

const NOBODYS = ["this network", "unspecified", "multicast", "link-local", "reserved", "discard only"];

function readAddress(value: YamlValue): { family: 4 | 6; text: string } | undefined {
  const text = value.text("an IP address such as 192.0.2.1", (text) => parseAddress(text) !== undefined);
  const address = text === undefined ? undefined : parseAddress(text);
  return address && { family: address.family, text: formatAddress(address) };
}

function readPlace(value: YamlValue): Place | undefined {
  const entries = value.entries(["latitude", "longitude", "country", "subdivision"], [
    "latitude",
    "longitude",
  ]);
  const country = "an ISO 3166-1 code of two capital letters, such as DE";
  return entries && {
    latitude: entries.get("latitude")?.number("degrees from -90 to 90", (n) => Math.abs(n) <= 90) ?? 0,
    longitude: entries.get("longitude")?.number("degrees from -180 to 180", (n) => Math.abs(n) <= 180) ?? 0,
    country: entries.get("country")?.text(country, (code) => /^[A-Z]{2}$/.test(code)) ?? "",
    subdivision: entries.get("subdivision")?.text() ?? "",
  };
}

function readLabels(value: YamlValue): Record<string, string> {
  const entries = [...value.anyEntries() ?? []];
  return Object.fromEntries(entries.map(([key, { value }]) => [key, value.text() ?? ""]));
}

function readWindow(item: YamlValue): Window | undefined {
  const entries = item.entries(["from", "until", "reason"], ["from", "until"]);
  const from = entries?.get("from"), until = entries?.get("until");
  const fromMs = from && readInstant(from), untilMs = until && readInstant(until);
  const reason = entries?.get("reason")?.text() ?? "";
  if (fromMs === undefined || untilMs === undefined) return undefined;
  return untilMs > fromMs ? { fromMs, untilMs, reason } : until!.wrong("later than from");
}

function readInstant(value: YamlValue): number | undefined {
  const isRight = (text: string) => parseInstantMs(text) !== undefined;
  const text = value.text("an instant such as 2026-12-01T02:00:00Z", isRight);
  return text === undefined ? undefined : parseInstantMs(text);
}
