/**
 * All that is configured of access. Plain data, out of a Corefile.
 *
 * @module
 */

import { type CertificateConfig, checkCertificateConfig } from "./certificates.ts";
import type { KeySource } from "./key_source.ts";
import { checkOidcConfig, type OidcConfig } from "./oidc.ts";
import { AccessError } from "./error.ts";

/** How people and programs show who they are, and what one of them must not do alone. */
export interface AccessConfig {
  /** Whether tokens of the fleet's own are taken. */
  readonly tokens: boolean;
  readonly oidc: readonly OidcConfig[];
  /** Absent: certificates stand for nobody. */
  readonly certificates?: CertificateConfig;
  /** Where the keys for secrets are; absent: there are no secrets in the store. */
  readonly keys?: KeySource;
  /** Whether critical changes wait for a second person. */
  readonly approvals: boolean;
}

/** Checks what an operator wrote. @throws {AccessError} With the field: `oidc.0.audience`. */
export function checkAccessConfig({ oidc, certificates }: AccessConfig): void {
  for (const [i, config] of oidc.entries()) within(`oidc.${i}`, () => checkOidcConfig(config));
  const twice = oidc.findIndex(({ issuer }, i) => oidc.findIndex((other) => other.issuer === issuer) < i);
  if (twice >= 0) {
    const what = `Cannot use issuer ${oidc[twice]!.issuer} twice`;
    throw new AccessError("invalid", what, `oidc.${twice}.issuer`);
  }
  if (certificates) within("certificates", () => checkCertificateConfig(certificates));
}

function within(field: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    throw new AccessError(error.kind, error.message, error.field ? `${field}.${error.field}` : field);
  }
}
