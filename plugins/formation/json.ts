/**
 * Reads JSON that others wrote, field by field: what is wrong is told with its place, what is more than was asked for is let
 * be.
 *
 * @module
 */

import { formatAddress, parseAddress } from "../../core/plugin.ts";
import { parseHostPort } from "../../core/net/host_port.ts";

/** What could not be read, or done: its message is for whoever asked. */
export class FormationProblem extends Error {
  override readonly name = "FormationProblem";
}

/** An object of JSON. */
export type Fields = Readonly<Record<string, unknown>>;

/** @throws {FormationProblem} */
export function fieldsOf(value: unknown, what: string): Fields {
  if (isFields(value)) return value;
  throw new FormationProblem(`${what} must be an object: got ${shown(value)}`);
}

/** Whether it is an object, and no list. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Text, not empty. @throws {FormationProblem} */
export function textOf(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new FormationProblem(`${what} must be text: got ${shown(value)}`);
}

/** Text, or nothing where it is absent, null or empty. @throws {FormationProblem} */
export function optionalText(value: unknown, what: string): string | undefined {
  return value === undefined || value === null || value === "" ? undefined : textOf(value, what);
}

/** @throws {FormationProblem} */
export function wholeOf(value: unknown, what: string, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new FormationProblem(`${what} must be a whole number, ${max} at most: got ${shown(value)}`);
}

/** The whole number, or 0 where there is none that could be. */
export function wholeOr0(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? Math.trunc(value) : 0;
}

/** A list, or nothing at all where it is absent or null. @throws {FormationProblem} */
export function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  throw new FormationProblem(`${what} must be a list: got ${shown(value)}`);
}

/** An address and the port behind it, which may be missing. */
export interface Socket {
  /** Canonical text. */
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number | undefined;
}

/** Reads `ip`, `ip:port` or `[v6]:port`. @throws {FormationProblem} */
export function socketOf(value: unknown, what: string): Socket {
  const text = textOf(value, what), socket = parseAddress(text) ? undefined : parseHostPort(text);
  const address = parseAddress(socket ? socket.host : text.replace(/^\[(.*)\]$/, "$1"));
  if (!address) {
    throw new FormationProblem(`${what} must be an address, with a port or without: got ${shown(value)}`);
  }
  return { address: formatAddress(address), family: address.family, port: socket?.port };
}

/** As socket addresses are written. */
export function formatSocket({ address, family, port }: Socket, defaultPort: number): string {
  return `${family === 6 ? `[${address}]` : address}:${port ?? defaultPort}`;
}

/** For messages: not much of it. */
export function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
