/**
 * Hosts files (hosts(5)): lines of an address and the names that it goes by.
 *
 * @module
 */

import { fold, isWithin, type Name, parseAddress, parseName, prepend } from "../../core/plugin.ts";
import { reverseZones } from "../../core/corefile/keys.ts";
import type { Position } from "../../core/corefile/directive.ts";
import { STEP_ITEMS, type Steps } from "../../core/zone/steps.ts";

/** The addresses of a name by family, in wire form. */
export interface Hosts {
  readonly 4: readonly Uint8Array[];
  readonly 6: readonly Uint8Array[];
}

/** Everything that some hosts files say. Plain data; names that have the same one address share it. */
export interface HostTable {
  /** By name, folded; `*.example.org` stands for names with one label more. */
  readonly names: ReadonlyMap<Name, Hosts>;
  /** By reverse name, folded: the names that the address goes by, without wildcards. */
  readonly reverse: ReadonlyMap<Name, readonly Name[]>;
  /** How many addresses and names of addresses there are. */
  readonly entries: number;
}

/** One line: an address and its names. */
export interface HostLine {
  readonly address: string;
  readonly names: readonly string[];
}

/** A line that says nothing that can be understood. */
export interface OddLine {
  readonly at: Position;
  readonly message: string;
}

/** What {@linkcode HostTableBuilder} keeps. */
export interface HostTableOptions {
  /** Only names within these, folded. */
  readonly zones: readonly Name[];
  /** Whether addresses lead back to names. */
  readonly reverse: boolean;
}

/** Makes a table, a line at a time. */
export class HostTableBuilder {
  readonly #options: HostTableOptions;
  readonly #names = new Map<Name, Hosts>();
  readonly #reverse = new Map<Name, Name[]>();
  readonly #alone = new Map<string, Hosts>();
  #entries = 0;

  constructor(options: HostTableOptions) {
    this.#options = options;
  }

  /** Takes a line. @returns What is wrong with it; the names that are right are taken in any case. */
  add({ address: text, names }: HostLine): string | undefined {
    const octets = octetsOf(text);
    if (!octets) return `'${text}' is no IP address`;
    let wrong: string | undefined;
    for (const word of names) {
      try {
        this.#addName(fold(parseName(word)), octets);
      } catch (error) {
        wrong ??= (error as Error).message;
      }
    }
    return wrong;
  }

  finish(): HostTable {
    return { names: this.#names, reverse: this.#reverse, entries: this.#entries };
  }

  #addName(name: Name, octets: Uint8Array): void {
    if (!this.#options.zones.some((zone) => isWithin(name, zone))) return;
    const before = this.#names.get(name);
    const hosts = before ? withAddress(before, octets) : this.#only(octets);
    if (hosts !== before) {
      this.#names.set(name, hosts);
      this.#entries++;
    }
    if (!this.#options.reverse || name.startsWith("\x01*")) return;
    const reversed = reverseNameOf(octets);
    const known = this.#reverse.get(reversed) ?? [];
    if (known.length === NAMES_MAX || known.includes(name)) return;
    this.#reverse.set(reversed, [...known, name]);
    this.#entries++;
  }

  /** A list of blocked names has a hundred thousand of them, and one address. */
  #only(octets: Uint8Array): Hosts {
    const key = String(octets);
    let hosts = this.#alone.get(key);
    if (!hosts) this.#alone.set(key, hosts = withAddress({ 4: [], 6: [] }, octets));
    return hosts;
  }
}

/** How many names an address leads back to: a list of blocked names has them all at one. */
const NAMES_MAX = 100;

/** Reads a hosts file into a table. @returns The lines that could not be understood, and how many could. */
export function* readHostsInSteps(
  text: string,
  file: string,
  builder: HostTableBuilder,
): Steps<{ odd: OddLine[]; understood: number }> {
  const odd: OddLine[] = [];
  let understood = 0;
  for (const [i, line] of text.split("\n").entries()) {
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    const said = line.replace(/#.*/s, "").trim();
    if (said === "") continue;
    const [address, ...names] = said.split(/\s+/) as [string, ...string[]];
    const wrong = names.length === 0
      ? `'${address}' stands alone: wanted an address and names`
      : builder.add({ address, names });
    if (wrong === undefined) understood++;
    else odd.push({ at: { file, line: i + 1, column: line.search(/\S/) + 1 }, message: wrong });
  }
  return { odd, understood };
}

/** The name under which a wildcard for `name` stands; undefined where there can be none. */
export function wildcardFor(name: Name): Name | undefined {
  const length = name.charCodeAt(0);
  return length === 0 ? undefined : prepend("*", name.slice(length + 1) as Name);
}

/** The octets of an address; `%eth0` behind it is left out. */
export function octetsOf(text: string): Uint8Array | undefined {
  return parseAddress(text.replace(/%.*/s, ""))?.octets;
}

function withAddress(hosts: Hosts, octets: Uint8Array): Hosts {
  const family = octets.length === 4 ? 4 : 6;
  const known = hosts[family];
  if (known.some((one) => one.every((octet, i) => octet === octets[i]))) return hosts;
  return { ...hosts, [family]: [...known, octets] };
}

/** RFC 1035 section 3.5, RFC 3596 section 2.5. */
function reverseNameOf(octets: Uint8Array): Name {
  const family = octets.length === 4 ? 4 : 6;
  const [only] = reverseZones({ family, octets, length: octets.length * 8 });
  return parseName(only!.zone);
}
