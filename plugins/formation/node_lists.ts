/**
 * Lists of nodes, in the three shapes that form-state has had and that its documents tell of.
 *
 *     {"Success":{"List":[{node_id, host, host_region, last_heartbeat, …}]}}     /v1/node/list
 *     {"nodes":[{node_id, public_ip, private_ip, timestamp, region, status}]}    /node/list, as form-dns reads it
 *     {"success":true,"nodes":[{id, name, endpoint, state, …}]}                  /nodes, as the documents have it
 *
 * @module
 */

import { contains, parseAddress, type Prefix } from "../../core/plugin.ts";
import { secondsAsMs } from "./decode.ts";
import {
  type Fields,
  fieldsOf,
  FormationProblem,
  isFields,
  listOf,
  shown,
  socketOf,
  textOf,
} from "./json.ts";
import type { ListedNode } from "./shapes.ts";

/** A list as it was understood. */
export interface NodeList {
  readonly nodes: readonly ListedNode[];
  /** What of it could not be, a line each. */
  readonly problems: readonly string[];
}

/** @param overlay Networks whose addresses are overlay ones. @throws {FormationProblem} Where it is no list of any shape. */
export function decodeNodeList(value: unknown, overlay: readonly Prefix[]): NodeList {
  const nodes: ListedNode[] = [], problems: string[] = [];
  for (const entry of entriesOf(value)) {
    try {
      nodes.push(decodeNode(entry, overlay));
    } catch (error) {
      if (!(error instanceof FormationProblem)) throw error;
      problems.push(error.message);
    }
  }
  return { nodes, problems };
}

function entriesOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  const { Success, Failure, nodes, success } = fieldsOf(value, "a node list");
  if (Failure !== undefined || success === false) {
    throw new FormationProblem(`the list was refused: ${shown(Failure ?? value)}`);
  }
  if (Success === "None") return [];
  if (isFields(Success)) return listOf(Success.List ?? [], "List");
  if (nodes !== undefined) return listOf(nodes, "nodes");
  throw new FormationProblem(`wanted {"Success":{"List":…}} or {"nodes":…}: got ${shown(value)}`);
}

/** One node, in whichever of the shapes. @throws {FormationProblem} */
export function decodeNode(value: unknown, overlay: readonly Prefix[]): ListedNode {
  const fields = fieldsOf(value, "a node"), id = textOf(fields.node_id ?? fields.id, "node_id");
  try {
    const addresses = addressesOf(fields), isOverlay = (text: string) => isWithinAny(text, overlay);
    const open = addresses.filter((text) => !isOverlay(text)), inside = addresses.filter(isOverlay);
    const heartbeatMs = heartbeatOf(fields), isUp = statedUp(fields), cores = capacityOf(fields);
    return {
      id,
      // One that is on the overlay alone has no other address to be known by.
      addresses: oneOfEachFamily(open.length > 0 ? open : inside),
      overlay: inside,
      region: regionOf(fields),
      ...heartbeatMs !== undefined && { heartbeatMs },
      ...isUp !== undefined && { isUp },
      ...cores !== undefined && { capacity: cores },
      labels: labelsOf(fields),
    };
  } catch (error) {
    if (error instanceof FormationProblem) throw new FormationProblem(`node ${id}: ${error.message}`);
    throw error;
  }
}

/** Whether an address lies in one of some networks. */
export function isWithinAny(text: string, networks: readonly Prefix[]): boolean {
  const address = parseAddress(text);
  return address !== undefined && networks.some((network) => contains(network, address));
}

function addressesOf(fields: Fields): string[] {
  const found = [hostOf(fields.host), fields.public_ip, fields.private_ip, fields.endpoint]
    .flatMap((value) => value === undefined || value === null || value === "" ? [] : [value]);
  if (found.length === 0) {
    throw new FormationProblem("it has no address: host, public_ip or endpoint is wanted");
  }
  return [...new Set(found.map((value) => socketOf(value, "an address").address))];
}

/** `{"Ipv4":…}`, `{"Ipv6":…}` or `{"Domain":…}`. A name would have to be asked for, by whoever answers names. */
function hostOf(host: unknown): unknown {
  if (!isFields(host)) return host;
  if (host.Domain !== undefined) {
    throw new FormationProblem(`its host is a name, ${shown(host.Domain)}: an address is wanted`);
  }
  return host.Ipv4 ?? host.Ipv6;
}

function oneOfEachFamily(addresses: readonly string[]): string[] {
  const familyOf = (text: string) => parseAddress(text)!.family;
  return addresses.filter((text, i) =>
    addresses.findIndex((other) => familyOf(other) === familyOf(text)) === i
  );
}

function heartbeatOf({ last_heartbeat, timestamp }: Fields): number | undefined {
  const seconds = last_heartbeat ?? timestamp;
  return typeof seconds === "number" && Number.isFinite(seconds) ? secondsAsMs(seconds) : undefined;
}

const UP = ["active", "online", "healthy", "running"];

/** As form-dns has it: whatever is not said to be active is not. */
function statedUp({ status, state }: Fields): boolean | undefined {
  const said = status ?? state;
  return typeof said === "string" ? UP.includes(said.toLowerCase()) : undefined;
}

function regionOf({ host_region, region }: Fields): string {
  const said = host_region ?? region;
  return typeof said === "string" ? said : "";
}

function capacityOf({ capacity, total_vcpus }: Fields): number | undefined {
  const cores = isFields(capacity) ? capacity.cpu_total_cores : total_vcpus;
  return typeof cores === "number" && cores > 0 ? cores : undefined;
}

/** Roles, tags and the data centre, by which pools may select. */
function labelsOf({ metadata }: Fields): Record<string, string> {
  const labels: Record<string, string> = { network: "formation" };
  if (!isFields(metadata)) return labels;
  const { annotations, tags } = metadata;
  const put = (name: string, value: unknown) => {
    if (typeof value === "string" && value !== "" && name.length <= 63) labels[name] = value.slice(0, 255);
  };
  for (const tag of Array.isArray(tags) ? tags : []) if (typeof tag === "string") put(`tag-${tag}`, "yes");
  if (!isFields(annotations)) return labels;
  for (const role of Array.isArray(annotations.roles) ? annotations.roles : []) {
    if (typeof role === "string") put(`role-${role}`, "yes");
  }
  put("datacenter", annotations.datacenter);
  return labels;
}
