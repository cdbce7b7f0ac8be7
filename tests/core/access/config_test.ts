import assert from "node:assert/strict";
import { localActor, nodeActor } from "../../../core/access/actors.ts";
import { type AccessConfig, checkAccessConfig } from "../../../core/access/config.ts";
import { peopleOf } from "../../../core/access/people.ts";
import { may } from "../../../core/access/roles.ts";

const ISSUER = { issuer: "https://login.example.org", audience: ["meridian"], grants: [] };
const CONFIG: AccessConfig = {
  ...{ tokens: true, approvals: true, oidc: [ISSUER] },
  certificates: { rules: [{ by: "dns", pattern: "*.example.org", grants: [{ role: "node" }] }] },
  keys: { from: "credential", name: "meridian.key" },
};

Deno.test("checkAccessConfig() names the part and the field at fault", () => {
  checkAccessConfig(structuredClone(CONFIG));
  const cases: [Partial<AccessConfig>, string][] = [
    [{ oidc: [ISSUER, { ...ISSUER, issuer: "https://b.example", audience: [] }] }, "oidc.1.audience"],
    [{ oidc: [ISSUER, ISSUER] }, "oidc.1.issuer"],
    [{ certificates: { rules: [{ by: "dns", pattern: "", grants: [] }] } }, "certificates.rules.0.pattern"],
  ];
  for (const [more, field] of cases) {
    assert.throws(() => checkAccessConfig({ ...CONFIG, ...more }), { kind: "invalid", field }, field);
  }
});

Deno.test("a local administrator is admin, and somebody else than a person of that name", () => {
  const root = localActor("root");
  assert.equal(may(root, { resource: "configuration", verb: "apply" }).allowed, true);
  assert.deepEqual(peopleOf(root), ["local:root"]);
});

Deno.test("a node with its key speaks for itself", () => {
  const decide = (node: string) => may(nodeActor("fra1"), { resource: "nodes", verb: "beat", node }).allowed;
  assert.deepEqual([decide("fra1"), decide("fra2")], [true, false]);
});
