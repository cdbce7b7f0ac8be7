/**
 * Mutual TLS: from the certificate that a peer has shown to whom it is here. That an authority of ours has signed it, TLS
 * has made sure; what remains is the name.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { Actor, Grant } from "./actor.ts";
import { type CertificateNames, readCertificateNames } from "./der.ts";
import { AccessError } from "./error.ts";
import { captureOf, matchesGlob } from "./glob.ts";
import { checkGrants } from "./grants.ts";
import type { Verified } from "./verifier.ts";

/** Whom certificates stand for. Plain data. */
export interface CertificateConfig {
  /** The first that matches counts. */
  readonly rules: readonly CertificateRule[];
  /** SHA-256 fingerprints, hexadecimal with or without colons, of certificates that count no more. */
  readonly revoked?: readonly string[];
}

/** One kind of certificate. */
export interface CertificateRule {
  /** Which of its names is looked at. */
  readonly by: "common-name" | "dns" | "uri" | "email";
  /** What one of these has to be, `*` for any run of characters: `*.nodes.example.org`. */
  readonly pattern: string;
  /** A node's role alone takes a pattern with one `*`, which then stands for the node's id. */
  readonly grants: readonly Grant[];
}

/** What `node:tls` knows of the peer. */
export interface PeerCertificate {
  /** `TLSSocket.authorized`: that its chain ends with an authority that is trusted. */
  readonly authorized: boolean;
  /** `TLSSocket.getPeerCertificate().raw`: DER. */
  readonly raw: Uint8Array;
}

/** Checks what an operator wrote. @throws {AccessError} With the field. */
export function checkCertificateConfig({ rules, revoked = [] }: CertificateConfig): void {
  for (const [i, { by, pattern, grants }] of rules.entries()) {
    const field = `rules.${i}`;
    if (!Object.hasOwn(NAMES, by)) {
      throw new AccessError("invalid", `Cannot map certificates by ${JSON.stringify(by)}`, `${field}.by`);
    }
    if (pattern === "") throw new AccessError("invalid", "Cannot use an empty pattern", `${field}.pattern`);
    checkGrants(grants, `${field}.grants`);
    if (
      grants.some(({ role }) => role === "node") && (grants.length > 1 || pattern.split("*").length !== 2)
    ) {
      const what =
        "Cannot map to the role node but alone, and by a pattern with one * in place of the node's id";
      throw new AccessError("invalid", what, field);
    }
  }
  const bad = revoked.findIndex((one) => !/^[0-9a-f]{64}$/.test(plainFingerprint(one)));
  if (bad < 0) return;
  const what = `Cannot use ${JSON.stringify(revoked[bad])} as a fingerprint: wanted 64 hexadecimal digits`;
  throw new AccessError("invalid", what, `revoked.${bad}`);
}

/**
 * The fingerprints of a text: one a line; what follows `#` does not count. @param where What is told of it.
 *
 * @throws {AccessError} With the line.
 */
export function fingerprintsIn(text: string, where: string): readonly string[] {
  return text.split("\n").flatMap((line, i) => {
    const one = line.replace(/#.*/, "").trim();
    if (one === "") return [];
    try {
      checkCertificateConfig({ rules: [], revoked: [one] });
      return [one];
    } catch (error) {
      if (!(error instanceof AccessError)) throw error;
      throw new AccessError(error.kind, `${where}:${i + 1}: ${error.message}`);
    }
  });
}

/** Whom a certificate stands for. The connection may be older than its end, so that is looked at each time. */
export function verifyCertificate(
  { authorized, raw }: PeerCertificate,
  { rules, revoked = [] }: CertificateConfig,
  nowMs: number,
): Verified {
  if (!authorized) return { fault: "certificate: no authority that is trusted here has signed it" };
  const fingerprint = createHash("sha256").update(raw).digest("hex");
  if (revoked.some((one) => plainFingerprint(one) === fingerprint)) {
    return refusal(`${fingerprint} was revoked`);
  }
  const names = namesOf(raw);
  if (!names) return refusal(`${fingerprint} cannot be read`);
  if (!(nowMs >= names.fromMs && nowMs <= names.untilMs)) {
    return refusal(`${fingerprint} is not valid at this time`);
  }
  for (const rule of rules) {
    const actor = actorBy(rule, names);
    if (actor) return { actor };
  }
  return refusal(`${fingerprint} stands for nobody here`);
}

/** Where the names of each kind are. */
const NAMES = { "common-name": "commonNames", dns: "dns", uri: "uris", email: "emails" } as const;

/** A name with `*` in it stands for many, and so for nobody. */
function actorBy({ by, pattern, grants }: CertificateRule, names: CertificateNames): Actor | undefined {
  const isNode = grants.some(({ role }) => role === "node");
  for (const name of names[NAMES[by]]) {
    if (name.includes("*") || !matchesGlob(pattern, name)) continue;
    if (!isNode) return { id: `certificate:${name}`, way: "certificate", grants, people: [name] };
    const node = captureOf(pattern, name);
    if (node && /^[\w-]+$/.test(node)) {
      return { id: `certificate:${node}`, way: "certificate", grants, node, people: [name] };
    }
  }
}

function namesOf(raw: Uint8Array): CertificateNames | undefined {
  try {
    return readCertificateNames(raw);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function plainFingerprint(text: string): string {
  return text.replaceAll(":", "").toLowerCase();
}

/** Of one that an authority of ours has signed. */
function refusal(fault: string): Verified {
  return { fault: `certificate: ${fault}`, told: `Cannot use this certificate: ${fault}`, isGenuine: true };
}
