/** What docs/ACCESS.md says, held against the code. */

import assert from "node:assert/strict";
import { readGrant } from "../../core/access/grants.ts";
import type { KeySource } from "../../core/access/key_source.ts";
import { readSecretKeys } from "../../core/access/key_source.ts";
import { describeRoles, VERBS } from "../../core/access/roles.ts";
import { TOKEN_PATTERN } from "../../core/access/token_text.ts";
import { Problems } from "../../core/plugin.ts";
import { parse } from "../../plugins/api/parse.ts";
import { directivesOf } from "../support/directives.ts";
import { parseScopeOf } from "../support/scopes.ts";

const PAGE = Deno.readTextFileSync("docs/ACCESS.md");

/** What of `api { … }` is fenced. */
function parts(): string[] {
  return Array.from(PAGE.matchAll(/^```corefile-part\n([^]*?)^```$/gm), ([, text]) => text!);
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
  const problems = new Problems();
  const [directive] = directivesOf(`api localhost:8443 {\n${parts().join("")}}`);
  const config = parse([directive!], parseScopeOf({ problems, sharesState: true, path: ({ text }) => text }));
  assert.deepEqual(problems.errors.map(({ message }) => message), []);
  const { oidc, certificates, revoked } = config;
  assert.deepEqual([oidc.length, oidc[0]!.grants.length, certificates.length, revoked!.length], [1, 3, 3, 1]);
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
