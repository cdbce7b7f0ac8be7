/**
 * Hashes of values: of their canonical text, so that equal values have equal ones.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { canonicalJson, type Json } from "./canonical_json.ts";

export { canonicalJson, type Json } from "./canonical_json.ts";

/** SHA-256 of the canonical text, in hexadecimal. */
export function digestOf(value: Json): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
