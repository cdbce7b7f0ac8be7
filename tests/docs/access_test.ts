/** What docs/ACCESS.md says, held against the code. */

import assert from "node:assert/strict";
import { checkCertificateConfig } from "../../core/access/certificates.ts";
import { readGrant } from "../../core/access/grants.ts";
import type { KeySource } from "../../core/access/key_source.ts";
import { readSecretKeys } from "../../core/access/key_source.ts";
import { checkOidcConfig } from "../../core/access/oidc.ts";
import { describeRoles, VERBS } from "../../core/access/roles.ts";
import { TOKEN_PATTERN } from "../../core/access/token_text.ts";

const PAGE = Deno.readTextFileSync("docs/ACCESS.md");

/** The JSON that is fenced as of some kind. */
function example(kind: string): unknown {
  const text = new RegExp(`^\`\`\`json ${kind}\n([^]*?)^\`\`\`$`, "m").exec(PAGE)?.[1];
  assert.ok(text, kind);
  return JSON.parse(text);
}

function sourceOf([, from, name]: readonly string[]): KeySource {
  if (from === "file") return { from, path: name! };
  return from === "environment" ? { from, variable: name! } : { from: "credential", name: name! };
}

Deno.test("docs/ACCESS.md has the table of roles as the code has it, and every verb", () => {
  assert.ok(PAGE.includes(`\n\n${describeRoles()}\n\n`));
  for (const [verb, meaning] of Object.entries(VERBS)) {
    assert.ok(PAGE.includes(`- \`${verb}\`: ${meaning}\n`), verb);
  }
});

Deno.test("docs/ACCESS.md has configurations that stand", () => {
  checkOidcConfig(example("oidc") as Parameters<typeof checkOidcConfig>[0]);
  checkCertificateConfig(example("certificates") as Parameters<typeof checkCertificateConfig>[0]);
  const named = Array.from(PAGE.matchAll(/`secrets (file|environment|credential) (\S+)`/g), sourceOf);
  assert.equal(named.length, 3);
  for (const source of named) {
    const missing = { name: "SecretError", message: /Cannot (find|read)/ };
    assert.throws(() => readSecretKeys(source, { environment: () => undefined }), missing);
  }
});

Deno.test("docs/ACCESS.md has the pattern for scanners, and a grant that can be read", () => {
  assert.ok(PAGE.includes(`\`${TOKEN_PATTERN.source}\``));
  const [, words] = /as in\s+`([^`]+)`/.exec(PAGE)!;
  assert.deepEqual(readGrant(words!.split(" ")), {
    role: "operator",
    pools: ["eu-*"],
    zones: ["example.org"],
  });
});
