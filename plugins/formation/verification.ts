/**
 * Whether a name is somebody's to give: whether it leads here, as the DNS of the world has it.
 *
 * @module
 */

import type { FormationRecord } from "./shapes.ts";
import { socketOf } from "./json.ts";
import { recordName } from "./records.ts";

/** Asks the DNS; none where there is no such name. Rejects where it could not be asked. */
export type Resolve = (name: string, type: "A" | "CNAME") => Promise<readonly string[]>;

/** What came of it. */
export type Verification =
  | { readonly kind: "verified" }
  | { readonly kind: "not-yet"; readonly config: RequiredConfig }
  | { readonly kind: "failed"; readonly why: string };

/** What whoever has the name is to put into their DNS. */
export interface RequiredConfig {
  readonly record_type: "A" | "CNAME";
  readonly target: string;
  readonly ttl: number;
}

/** The TTL that is asked for, seconds: short, so that it can be tried again. */
const CONFIG_TTL = 300;

/**
 * Verified where one of the name's addresses is a public one of some record, or an alias of it leads to a name that has a
 * record.
 */
export async function verify(
  record: FormationRecord,
  all: readonly (readonly [name: string, record: FormationRecord])[],
  resolve: Resolve,
): Promise<Verification> {
  const addresses = new Set(
    all.flatMap(([, { public_ip }]) => public_ip.map((text) => socketOf(text, "an address").address)),
  );
  const names = all.map(([name]) => name).filter((name) => name !== record.domain);
  try {
    const [found, aliases] = await Promise.all([
      resolve(record.domain, "A"),
      resolve(record.domain, "CNAME"),
    ]);
    const isAlias = aliases.map(recordName).some((alias) =>
      names.some((name) => alias === name || alias.endsWith(`.${name}`))
    );
    if (isAlias || found.some((address) => addresses.has(address))) return { kind: "verified" };
    return { kind: "not-yet", config: configFor(record) };
  } catch (error) {
    return { kind: "failed", why: error instanceof Error ? error.message : String(error) };
  }
}

function configFor({ record_type, public_ip, cname_target, domain }: FormationRecord): RequiredConfig {
  const target = public_ip[0];
  return record_type === "CNAME" || target === undefined
    ? { record_type: "CNAME", target: cname_target ?? domain, ttl: CONFIG_TTL }
    : { record_type: "A", target: socketOf(target, "an address").address, ttl: CONFIG_TTL };
}

/** How long the DNS may take to answer. */
const RESOLVE_MS = 5000;

/** Asks a resolver by its address; the machine's own without one. */
export function resolveBy(nameServer: { ipAddr: string; port: number } | undefined): Resolve {
  return async (name, type) => {
    try {
      const signal = AbortSignal.timeout(RESOLVE_MS);
      return await Deno.resolveDns(name, type, { ...nameServer && { nameServer }, signal });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  };
}
