/**
 * Reads `edns0 local|nsid|subnet ACTION ... [revert]`.
 *
 * @module
 */

import { type Arguments, CorefileError, type Token } from "../../core/plugin.ts";
import type { EdnsAction, EdnsData, EdnsOptionRule } from "./rules.ts";

/** Properties of a query that a local option may be filled with. */
const VARIABLES = ["qname", "qtype", "client_ip", "client_port", "protocol", "server_ip", "server_port"];

/** Reads what stands behind `edns0`. */
export function readEdnsRule(args: Arguments): EdnsOptionRule & { action: EdnsAction; revert: boolean } {
  const option = args.oneOf("the option", ["local", "nsid", "subnet"]);
  const action = args.oneOf("the action", ["set", "replace", "append", "unset"]);
  const rule = readOption(option, action, args);
  const revert = action !== "unset" && args.take("revert");
  return { ...rule, action, revert };
}

function readOption(
  option: "local" | "nsid" | "subnet",
  action: EdnsAction,
  args: Arguments,
): EdnsOptionRule {
  if (option === "nsid") return { option };
  if (option === "subnet") {
    if (action === "unset") return { option, ipv4Length: 0, ipv6Length: 0 };
    const ipv4Length = args.whole("the length for IPv4", { min: 0, max: 32 });
    return { option, ipv4Length, ipv6Length: args.whole("the length for IPv6", { min: 0, max: 128 }) };
  }
  const code = readCode(args.token("CODE"));
  if (action === "unset") return { option, code, data: { octets: new Uint8Array() } };
  return { option, code, data: readData(args.token("DATA")) };
}

/** A number as Go reads it: `65518`, `0xffee`, `0o177756`, `0b11`. */
function readCode(token: Token): number {
  const code = /^(\d+|0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+)$/.test(token.text)
    ? Number(token.text.replace(/^0(?=\d)/, "0o"))
    : NaN;
  if (code <= 0xffff) return code;
  throw new CorefileError(
    token,
    `rewrite: CODE must be from 0 to 65535, or 0x0 to 0xffff: got '${token.text}'`,
  );
}

function readData(token: Token): EdnsData {
  const { text } = token;
  if (/^\{.*\}$/.test(text)) {
    const variable = text.slice(1, -1);
    if (VARIABLES.includes(variable) || /^[^/]+\/.+/.test(variable)) return { variable };
    throw new CorefileError(
      token,
      `rewrite: DATA has no variable '${text}': there are ${
        VARIABLES.map((name) => `{${name}}`).join(", ")
      }, and labels such as {geoip/country/code}`,
    );
  }
  if (!text.startsWith("0x")) return { octets: new TextEncoder().encode(text) };
  if (/^0x([0-9a-fA-F]{2})*$/.test(text)) return { octets: Uint8Array.fromHex(text.slice(2)) };
  throw new CorefileError(
    token,
    `rewrite: DATA must have pairs of hexadecimal digits behind 0x: got '${text}'`,
  );
}
