/**
 * The query log's formats: text with placeholders, read once into parts, written for every reply.
 *
 * @module
 */

import { classToText, rcodeToText, typeToText } from "../../core/dns/types.ts";
import type { Location } from "../../core/fleet/place.ts";
import { type Address, formatAddress, formatName, nearest, type Selection } from "../../core/plugin.ts";
import { classOf, distanceKm, flagNames, kindOf, leastTtl, type Reply } from "./reply.ts";

/** A piece of a format: text as it stands, the name of a placeholder, or of a label. Plain data. */
export type Part = { readonly text: string } | { readonly field: string } | { readonly label: string };

/** CoreDNS's formats, and ours. */
const COMMON =
  '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" {rcode} {>rflags} {rsize} {duration}';
const FORMATS: Readonly<Record<string, string>> = {
  common: COMMON,
  combined: `${COMMON} "{>opcode}"`,
  meridian: `${COMMON} {location} {ecs}→/{scope} {pool} {nodes} "{why}"`,
};

/** What every line of text begins with. */
export const PREFIX = "[INFO] ";

/** What CoreDNS writes for a thing that is not there. */
export const NONE = "-";

/** Every placeholder and what it stands for in a line. */
export const FIELDS: Readonly<Record<string, (reply: Reply) => string>> = {
  "type": ({ context }) => typeToText(context.question.type),
  "name": ({ context }) => formatName(context.name),
  "class": ({ context }) => classToText(context.question.class),
  "proto": ({ context }) => context.transport,
  "remote": ({ context }) => bracketed(context.source.address),
  "port": ({ context }) => String(context.source.port),
  "local": ({ context }) => bracketed(context.server.address),
  "size": ({ context }) => String(context.sizeOctets),
  "duration": ({ sent }) => formatSeconds(sent.durationMs),
  "rcode": ({ answer, sent }) => sent.octets > 0 ? rcodeToText(answer.rcode) : NONE,
  "rsize": ({ sent }) => String(sent.octets),
  "rflags": ({ sent }) => flagNames(sent.flags).join(",") || NONE,
  ">rflags": ({ sent }) => flagNames(sent.flags).join(",") || NONE,
  ">opcode": () => "0",
  ">id": ({ context }) => String(context.messageId),
  ">do": ({ context }) => String(context.edns?.dnssecOk ?? false),
  ">bufsize": (reply) => String(replySizeMaxOctets(reply)),
  "/log/class": ({ context, answer }) => classOf(kindOf(context.question.type, answer)),
  "/log/type": ({ context, answer }) => kindOf(context.question.type, answer),
  "zone": ({ context }) => formatName(context.zone),
  "plugin": ({ sent }) => sent.plugin || NONE,
  "ttl": ({ answer }) => String(leastTtl(answer) ?? NONE),
  "location": ({ locate }) => locationText(locate()),
  "ecs": ecsField,
  "scope": ({ answer }) => String(answer.dependence.scopePrefixLength),
  "pool": ({ answer }) => selected(answer.selections, ({ pool }) => pool),
  "nodes": ({ answer }) => selected(answer.selections, ({ nodes }) => nodes.join(",") || NONE),
  "why": ({ answer }) => selected(answer.selections, ({ why }) => why),
  "distance": ({ answer, locate }) => selected(answer.selections, (one) => distanceText(one, locate())),
  "weight": ({ weight = "1" }) => weight,
};

/** The format of a `log` that names none: `{common}` and, where a pool chose, how it chose. */
export const DEFAULT_FORMAT: readonly Part[] = [...parseFormat("{common}"), { field: "selections" }];

/** Placeholders that a person may write, for messages. */
const KNOWN = [...Object.keys(FORMATS), ...Object.keys(FIELDS)];

/**
 * Reads a format. `{/PLUGIN/LABEL}` is what `metadata` tells, `-` where that is nothing, as in CoreDNS.
 *
 * @throws {SyntaxError} At a placeholder that does not exist.
 */
export function parseFormat(format: string): Part[] {
  const expanded = format.replace(/\{(common|combined|meridian)\}/g, (_, name) => FORMATS[name]!);
  return expanded.split(/(\{[^{}]*\})/).filter((piece) => piece !== "").map((piece) => {
    if (!/^\{.*\}$/s.test(piece)) return { text: piece };
    const name = piece.slice(1, -1);
    if (Object.hasOwn(FIELDS, name)) return { field: name };
    if (/^\/[^/]+\/.+$/.test(name)) return { label: name.slice(1) };
    const guess = nearest(name, KNOWN);
    throw new SyntaxError(`unknown placeholder '${piece}'${guess ? `; did you mean '{${guess}}'?` : ""}`);
  });
}

/** A format for lines that stand for several replies each: one of those that there are always says so at its end. */
export function withWeight(format: readonly Part[]): readonly Part[] {
  const saysSo = format.some((part) => "field" in part && part.field === "weight");
  return saysSo ? format : [...format, { text: " weight=" }, { field: "weight" }];
}

/** The line for a reply. */
export function formatLine(format: readonly Part[], reply: Reply): string {
  let line = "";
  for (const part of format) {
    if ("text" in part) line += part.text;
    else if ("label" in part) line += labelField(part.label, reply);
    else line += part.field === "selections" ? selectionsSuffix(reply) : FIELDS[part.field]!(reply);
  }
  return line;
}

function labelField(name: string, { context, answer }: Reply): string {
  // What became known on the way to the answer is told only where labels are wanted.
  if (!context.label) return NONE;
  return printable(answer.labels?.[name] ?? context.label(name) ?? NONE) || NONE;
}

/** ` entry.example.org. → fra1 (nearest, 12 km; DE/HE/city; 192.0.2.0/24 → /20)`; nothing where no pool chose. */
function selectionsSuffix(reply: Reply): string {
  const { selections = [], dependence } = reply.answer;
  if (selections.length === 0) return "";
  const location = reply.locate();
  const chosen = selections.map((one) => chosenText(one) + aloneDistance(one, location)).join("); ");
  const ecs = reply.context.edns?.clientSubnet ? `${ecsField(reply)} → ` : "";
  return ` ${chosen}; ${locationText(location)}; ${ecs}/${dependence.scopePrefixLength})`;
}

/** `entry.example.org. → fra1 (nearest` */
export function chosenText({ pool, nodes, why }: Selection): string {
  return printable(`${pool} → ${nodes.join(",") || NONE} (${why}`);
}

/** `, 12 km`, nothing where that is not known. */
export function aloneDistance(selection: Selection, location: Location | undefined): string {
  const km = distanceKm(selection, location);
  return km === undefined ? "" : `, ${Math.round(km)} km`;
}

/** The kilometres of `{distance}`. */
export function distanceText(selection: Selection, location: Location | undefined): string {
  const km = distanceKm(selection, location);
  return km === undefined ? NONE : String(Math.round(km));
}

/** `DE/HE/city` */
export function locationText(location: Location | undefined): string {
  if (location?.special) return printable(`special:${location.source}`);
  if (!location?.place) return NONE;
  const { country, subdivision } = location.place;
  return printable(`${country || NONE}/${subdivision || NONE}/${location.precision ?? NONE}`);
}

function ecsField({ context }: Reply): string {
  const subnet = context.edns?.clientSubnet;
  return subnet ? `${formatAddress(subnet.address)}/${subnet.sourcePrefixLength}` : NONE;
}

/** One text for several pools: the first is the one asked for, the others those it led to. */
function selected(selections: readonly Selection[] = [], pick: (selection: Selection) => string): string {
  return selections.length === 0 ? NONE : printable(selections.map(pick).join("; "));
}

/** What the reply may have, as CoreDNS tells it: never less than 512, and 65535 over TCP. */
function replySizeMaxOctets({ context }: Reply): number {
  return context.transport === "tcp" ? 65535 : Math.max(512, context.edns?.payloadSize ?? 0);
}

function bracketed(address: Address): string {
  return address.family === 6 ? `[${formatAddress(address)}]` : formatAddress(address);
}

/** Seconds without an exponent or idle zeros: `0.000412s`. */
function formatSeconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(9).replace(/\.?0+$/, "") + "s";
}

/** Text with everything but printable ASCII escaped as in JSON, so that no name or label can forge a line. */
export function printable(text: string): string {
  return text.replace(
    /[^ -!#-[\]-~→]/g,
    (c) => c === '"' || c === "\\" ? `\\${c}` : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
