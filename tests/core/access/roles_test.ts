import assert from "node:assert/strict";
import fc from "fast-check";
import type { Action, Actor, Grant, Resource, Role, Verb, Way } from "../../../core/access/actor.ts";
import { captureOf, matchesGlob, withinGlob } from "../../../core/access/glob.ts";
import { readGrant } from "../../../core/access/grants.ts";
import { areApart, peopleOf } from "../../../core/access/people.ts";
import {
  describeRoles,
  includesGrant,
  includesRole,
  may,
  RESOURCES,
  ROLES,
  VERBS,
} from "../../../core/access/roles.ts";

/**
 * Who may, in other words than the code's: for each verb of a resource the letters of the roles (v viewer, o operator, a
 * admin, n node about itself, p approver). Written from what people are to be trusted with, not from the code.
 */
// deno-fmt-ignore: columns
const MATRIX: Record<Resource, Partial<Record<Verb, string>>> = {
  nodes:         { read: "voanp", create: "oa", update: "oa", delete: "oa", register: "an", beat: "an" },
  peers:         { read: "voanp" },
  pools:         { read: "voap", create: "a", update: "a", weigh: "oa", delete: "a" },
  zones:         { read: "voap", create: "a", update: "a", delete: "a" },
  records:       { read: "voap", create: "oa", update: "oa", delete: "oa" },
  health:        { read: "voap" },
  overrides:     { read: "voap", create: "oa", update: "oa", delete: "oa" },
  configuration: { read: "voap", propose: "a", approve: "ap", apply: "a" },
  demand:        { read: "voap", create: "oa", update: "oa", delete: "oa" },
  explain:       { read: "voap" },
  audit:         { read: "voap", delete: "a" },
  events:        { read: "voap" },
  tokens:        { read: "voap", create: "a", delete: "a" },
  approvals:     { read: "voap", approve: "ap" },
  servers:       { read: "voap", delete: "a" },
  state:         { read: "voap", create: "a", apply: "a" },
  secrets:       { read: "voap", create: "a", update: "a", delete: "a" },
};

const LETTERS: Record<Role, string> = { viewer: "v", operator: "o", admin: "a", node: "n", approver: "p" };
const WAYS: readonly Way[] = ["token", "oidc", "certificate", "node-key", "local"];

const actor = (grants: readonly Grant[], more: Partial<Actor> = {}): Actor => ({
  ...{ id: "token:anna", way: "token", grants, people: ["anna"] },
  ...more,
});
const action = (resource: Resource, verb: Verb, more: Partial<Action> = {}): Action => ({
  ...{ resource, verb },
  ...more,
});

for (const resource of RESOURCES) {
  Deno.test(`may() does for ${resource} what the matrix says: every verb and role, whichever way they come`, () => {
    for (const verb of Object.keys(VERBS) as Verb[]) {
      for (const role of ROLES) checkCell(resource, verb, role);
    }
  });
}

function checkCell(resource: Resource, verb: Verb, role: Role): void {
  const isExpected = (MATRIX[resource][verb] ?? "").includes(LETTERS[role]);
  for (const way of WAYS) {
    const decision = may(
      actor([{ role }], { way, node: "fra1" }),
      action(resource, verb, { node: "fra1", requestedBy: ["bert"] }),
    );
    assert.equal(decision.allowed, isExpected, `${role}: ${decision.why}`);
    assert.ok(decision.why.startsWith(`token:anna may ${isExpected ? "" : "not "}${verb} ${resource}: `));
  }
}

Deno.test("the matrix of this test has every resource there is, and no other", () => {
  assert.deepEqual(Object.keys(MATRIX).toSorted(), RESOURCES.toSorted());
});

Deno.test("may() gives no role to whoever has none, and says which would do", () => {
  assert.deepEqual(may(actor([]), action("overrides", "create")), {
    allowed: false,
    why:
      "token:anna may not create overrides: that takes the role operator or admin, and it is granted nothing",
  });
  assert.match(
    may(actor([{ role: "viewer", pools: ["eu-*"] }]), action("pools", "delete")).why,
    /takes the role admin, and it is viewer for pools eu-\*, zones none$/,
  );
  assert.match(may(actor([{ role: "admin" }]), action("health", "delete")).why, /no such thing$/);
});

Deno.test("may() holds a node to itself, whatever it asks for", () => {
  const node = actor([{ role: "node" }], { id: "node:fra1", node: "fra1" });
  const allowed = (verb: Verb, about?: string, resource: Resource = "nodes") =>
    may(node, action(resource, verb, about === undefined ? {} : { node: about })).allowed;
  for (const verb of ["read", "register", "beat"] as const) {
    assert.equal(allowed(verb, "fra1"), true);
    assert.equal(allowed(verb, "fra2"), false);
    assert.equal(allowed(verb), false, `${verb} of all nodes`);
  }
  assert.deepEqual([allowed("read", "fra1", "peers"), allowed("read", undefined, "peers")], [true, true]);
  assert.equal(allowed("read", "fra2", "peers"), false);
  assert.match(
    may(node, action("nodes", "beat", { node: "fra2" })).why,
    /it speaks for node fra1, and this is about node fra2$/,
  );
});

Deno.test("may() lets a join token register nodes, and do nothing else", () => {
  const join = actor([{ role: "node", pools: ["eu-*"] }]);
  const decide = (verb: Verb, pools: string[]) => may(join, action("nodes", verb, { node: "fra1", pools }));
  assert.equal(decide("register", ["eu-web"]).allowed, true);
  assert.match(decide("register", ["eu-web", "us-web"]).why, /pool us-web is outside/);
  for (const verb of ["read", "beat"] as const) assert.match(decide(verb, ["eu-web"]).why, /nothing else$/);
});

Deno.test("may() wants every pool and zone that an action concerns within a grant", () => {
  const who = actor([
    { role: "operator", pools: ["eu-*.example.org"] },
    { role: "operator", zones: ["example.net"] },
    { role: "viewer" },
  ]);
  const why = (more: Partial<Action>, verb: Verb = "update") => {
    const { allowed, why } = may(who, action("records", verb, more));
    return allowed ? undefined : why;
  };
  assert.equal(why({ pools: ["eu-web.example.org", "EU-mail.Example.org."] }), undefined);
  assert.equal(why({ pools: ["eu-web.example.org"], zones: ["example.net"] }), undefined);
  assert.match(
    why({ pools: ["eu-web.example.org", "us-web.example.org"] })!,
    /pool us-web\.example\.org is outside/,
  );
  assert.match(why({ zones: ["example.org"] })!, /zone example\.org is outside/);
  assert.match(why({ pools: ["eu-web.example.org"], zones: ["example.org"] })!, /zone example\.org/);
  assert.match(
    why({})!,
    /takes a grant without limits; it is operator for pools eu-\*\.example\.org, zones none;/,
  );
  assert.equal(why({}, "read"), undefined);
  assert.equal(why({ pools: ["us-web.example.org"] }, "read"), undefined);
});

Deno.test("may() gives whoever has some pools no zone, and a read of others' is refused", () => {
  const who = actor([{ role: "operator", pools: ["*"] }]);
  assert.equal(may(who, action("records", "update", { zones: ["example.org"] })).allowed, false);
  assert.equal(may(who, action("records", "read", { zones: ["example.org"] })).allowed, false);
  assert.equal(may(who, action("records", "read")).allowed, true);
});

Deno.test("may() lets nobody approve what they asked for, by whatever way they come", () => {
  const request = action("approvals", "approve", { requestedBy: ["Anna@Example.org "] });
  const decide = (people: string[]) => may(actor([{ role: "admin" }], { people }), request);
  assert.equal(decide(["bert"]).allowed, true);
  assert.match(decide(["anna@example.org"]).why, /asked for it, and somebody else has to approve/);
  assert.equal(decide(["bert", "ANNA@example.org"]).allowed, false);
  assert.equal(may(actor([{ role: "approver" }]), action("approvals", "approve")).allowed, false);
  const itself = action("approvals", "approve", { requestedBy: ["token:x"] });
  assert.equal(may({ id: "token:x", way: "token", grants: [{ role: "admin" }] }, itself).allowed, false);
});

Deno.test("peopleOf() takes names as one that look like one, and the actor's id when there is none", () => {
  assert.deepEqual(peopleOf({ id: "token:x", people: ["Anna", "ａｎｎａ", " anna "] }), ["anna"]);
  assert.deepEqual(peopleOf({ id: "local:root" }), ["local:root"]);
  assert.deepEqual(peopleOf({ id: "local:root", people: [" "] }), ["local:root"]);
  assert.deepEqual([areApart(["a"], ["b"]), areApart(["a", "b"], ["B"])], [true, false]);
});

Deno.test("includesRole() knows which roles are more than others", () => {
  const pairs = ROLES.flatMap((role) =>
    ROLES.filter((other) => includesRole(role, other)).map((o) => `${role}>${o}`)
  );
  assert.deepEqual(pairs.filter((pair) => new Set(pair.split(">")).size > 1), [
    "operator>viewer",
    "admin>viewer",
    "admin>operator",
    "admin>node",
    "admin>approver",
    "approver>viewer",
  ]);
});

const names = fc.stringMatching(/^[ab.]{0,6}$/), globs = fc.stringMatching(/^[ab.*]{0,5}$/);
const grants: fc.Arbitrary<Grant> = fc.record({
  role: fc.constantFrom(...ROLES),
  pools: fc.array(globs, { maxLength: 2 }),
  zones: fc.array(globs, { maxLength: 2 }),
}, { requiredKeys: ["role"] });

Deno.test("includesGrant(): what is included allows nothing that was not allowed before", () => {
  fc.assert(
    fc.property(
      fc.array(grants, { maxLength: 3 }),
      grants,
      fc.constantFrom(...RESOURCES),
      fc.constantFrom(...Object.keys(VERBS) as Verb[]),
      fc.array(names, { maxLength: 2 }),
      fc.array(names, { maxLength: 2 }),
      (held, wanted, resource, verb, pools, zones) => {
        if (!includesGrant(held, wanted)) return;
        const asked = action(resource, verb, { pools, zones, requestedBy: ["bert"] });
        if (may(actor([wanted]), asked).allowed) assert.ok(may(actor(held), asked).allowed);
      },
    ),
    { numRuns: 3000, seed: 7 },
  );
});

Deno.test("includesGrant() is not fooled by a wider pattern, nor by an admin of somewhere else", () => {
  assert.equal(
    includesGrant([{ role: "admin", pools: ["eu-*"] }], { role: "viewer", pools: ["eu-web"] }),
    true,
  );
  assert.equal(includesGrant([{ role: "admin", pools: ["eu-*"] }], { role: "viewer", pools: ["*"] }), false);
  assert.equal(includesGrant([{ role: "admin", pools: ["eu-*"] }], { role: "viewer" }), false);
  assert.equal(includesGrant([{ role: "admin", pools: ["*"], zones: ["*"] }], { role: "viewer" }), false);
  assert.equal(includesGrant([{ role: "operator" }], { role: "approver" }), false);
  assert.equal(includesGrant([{ role: "admin" }], { role: "operator", zones: ["example.org"] }), true);
  assert.equal(includesGrant([], { role: "viewer", pools: [] }), false);
});

Deno.test("matchesGlob() agrees with a regular expression", () => {
  fc.assert(
    fc.property(globs, names, (glob, name) => {
      const fold = (text: string) => text.length > 1 && text.endsWith(".") ? text.slice(0, -1) : text;
      const expected = new RegExp(`^${fold(glob).split("*").map(RegExp.escape).join(".*")}$`).test(
        fold(name),
      );
      assert.equal(matchesGlob(glob, name), expected);
    }),
    { numRuns: 3000, seed: 1 },
  );
});

Deno.test("withinGlob(): a pattern is within another when all that it matches is", () => {
  fc.assert(
    fc.property(globs, globs, names, (outer, inner, name) => {
      if (withinGlob(outer, inner) && matchesGlob(inner, name)) assert.ok(matchesGlob(outer, name));
    }),
    { numRuns: 3000, seed: 2 },
  );
  assert.deepEqual([withinGlob("a*", "ab*"), withinGlob("ab*", "a*"), withinGlob("*", "*.*")], [
    true,
    false,
    true,
  ]);
});

Deno.test("matchesGlob() takes no time that grows without bound", () => {
  assert.equal(matchesGlob("*a".repeat(100) + "b", "a".repeat(5000)), false);
});

Deno.test("captureOf() is what the one star stands for", () => {
  assert.equal(captureOf("*.nodes.example.org", "FRA1.nodes.example.org"), "fra1");
  assert.equal(captureOf("fra1", "fra1"), undefined);
  assert.equal(captureOf("*-*", "a-b"), undefined);
  assert.equal(captureOf("ab*ba", "aba"), undefined);
});

Deno.test("readGrant() reads what an operator writes, and points at what it cannot", () => {
  assert.deepEqual(readGrant(["operator"]), { role: "operator" });
  assert.deepEqual(readGrant("operator pool eu-* us-* zone example.org".split(" ")), {
    role: "operator",
    pools: ["eu-*", "us-*"],
    zones: ["example.org"],
  });
  for (const words of ["root", "", "viewer eu-*", "viewer pool", "viewer pool a,b", "viewer zone é"]) {
    assert.throws(() => readGrant(words.split(" ")), { name: "AccessError", kind: "invalid" }, words);
  }
});

Deno.test("describeRoles() is a table with a row for each resource, as wide throughout", () => {
  const lines = describeRoles().split("\n");
  assert.equal(lines.length, RESOURCES.length + 2);
  assert.equal(new Set(lines.map(({ length }) => length)).size, 1);
  assert.match(lines[2]!, /^\| nodes +\| read +\| read create update delete \| /);
});
