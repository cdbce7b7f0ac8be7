/**
 * Writes pools and nodes as a person would: the parts of a Corefile and a node list that importers have in common.
 *
 * @module
 */

/** One node of a list. */
export interface NodeText {
  readonly id: string;
  /** One address, or one of each family. */
  readonly addresses: readonly string[];
  readonly latitude: number;
  readonly longitude: number;
  readonly country?: string;
  readonly weight?: number;
  /** The pool that it belongs to. */
  readonly pool: string;
}

/** One pool. */
export interface PoolText {
  /** Absolute names, or names in the zone of the block. */
  readonly names: readonly string[];
  /** Label of its nodes; absent: the addresses are those of the zone file. */
  readonly pool?: string;
  readonly options: readonly string[];
}

/** `nodes.yaml`. */
export function formatNodes(nodes: readonly NodeText[], from: string): string {
  const lines = nodes.flatMap(({ id, addresses, latitude, longitude, country, weight, pool }) => [
    `  - id: ${id}`,
    `    addresses: [${addresses.map((address) => JSON.stringify(address)).join(", ")}]`,
    `    location: { latitude: ${latitude}, longitude: ${longitude}${
      country ? `, country: "${country}"` : ""
    } }`,
    ...weight !== undefined && weight !== 1 ? [`    weight: ${weight}`] : [],
    `    labels: { pool: ${JSON.stringify(pool)} }`,
  ]);
  return [`# Made from ${from}.`, "nodes:", ...lines, ""].join("\n");
}

/** A server block. */
export function formatBlock(keys: readonly string[], lines: readonly string[]): string {
  return `${keys.join(" ")} {\n${lines.map((line) => `    ${line}\n`).join("")}}\n`;
}

/** The lines of an `anycast` directive. */
export function poolLines({ names, pool, options }: PoolText): string[] {
  const nodes = pool === undefined ? ["nodes below"] : ["nodes nodes.yaml", `select pool=${pool}`];
  return [`anycast ${names.join(" ")} {`, ...[...nodes, ...options].map((line) => `    ${line}`), "}"];
}

/** An id or a label that a node list takes, from any words. */
export function idOf(...words: readonly string[]): string {
  const id = words.join("-").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "");
  return (id || "x").slice(0, 63);
}

/** A word of a Corefile: in quotes where it must be. */
export function quoted(word: string): string {
  return /^$|[\s"#{}]/.test(word) ? `"${word.replaceAll('"', '\\"')}"` : word;
}
