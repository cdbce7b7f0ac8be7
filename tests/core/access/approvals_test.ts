import assert from "node:assert/strict";
import fc from "fast-check";
import type { Action, Actor } from "../../../core/access/actor.ts";
import type { ApprovalRecord, Proposal } from "../../../core/access/approval_request.ts";
import { Approvals, type Plan } from "../../../core/access/approvals.ts";
import { type Effect, isCovered, type PoolEffect, whyCritical } from "../../../core/access/critical.ts";
import { KEYS } from "../../../core/state/keys.ts";
import { person, withWorld, type World } from "./support.ts";

const DAY_MS = 86_400_000;
const ANNA = person("anna", { role: "operator" });
const BERT = person("bert", { role: "approver" });
const CARL = person("carl", { role: "admin" });

const OVERRIDE: Action = { resource: "overrides", verb: "create", pools: ["web.example.org"] };
const forced = (outAfter: number, more: Partial<PoolEffect> = {}): Effect => ({
  actions: [OVERRIDE],
  pools: [{ name: "web.example.org", nodes: 5, outBefore: 0, outAfter, ...more }],
});
const PROPOSAL: Proposal = {
  change: { operation: "override.create", input: { nodes: ["fra1", "fra2", "fra3"], state: "down" } },
  effect: forced(3),
  reason: "power cut",
};

/** Works the change out as it would be now, and writes down what was carried out. */
const planOf = (effect: Effect = PROPOSAL.effect, conditions: Plan["conditions"] = []) => (change: unknown) =>
  Promise.resolve({
    ...{ effect, conditions },
    events: [{ actor: "oidc:anna", action: "override.create", subject: "overrides/o1" }],
    writes: [{ put: KEYS.override("o1"), value: JSON.stringify(change) }],
  });

async function approved(world: World): Promise<{ approvals: Approvals; id: string }> {
  const approvals = new Approvals(world), { request, digest } = await approvals.request(ANNA, PROPOSAL);
  await approvals.approve(BERT, request.id, digest, "seen the news");
  return { approvals, id: request.id };
}

const critical = (action: Action) => whyCritical({ actions: [action] }).map(({ kind }) => kind);

Deno.test("whyCritical() takes configuration, pools that go, rights, keys and an import for critical, and nothing else", () => {
  const table: [Action["resource"], Action["verb"], string[]][] = [
    ["configuration", "apply", ["configuration"]],
    ["configuration", "propose", []],
    ["configuration", "approve", []],
    ["pools", "delete", ["pool-deleted"]],
    ["pools", "update", []],
    ["pools", "weigh", []],
    ["tokens", "create", ["tokens"]],
    ["tokens", "delete", []],
    ["secrets", "create", ["keys"]],
    ["secrets", "update", ["keys"]],
    ["secrets", "delete", ["keys"]],
    ["audit", "delete", ["audit"]],
    ["state", "apply", ["state"]],
    ["state", "create", []],
    ["nodes", "delete", []],
    ["overrides", "create", []],
    ["records", "delete", []],
    ["demand", "update", []],
  ];
  for (const [resource, verb, kinds] of table) {
    assert.deepEqual(critical({ resource, verb, pools: ["web.example.org"] }), kinds, `${resource} ${verb}`);
  }
});

Deno.test("whyCritical() counts more than half of a pool as most of it, one node after the other too", () => {
  const share = (nodes: number, outBefore: number, outAfter: number) =>
    whyCritical({ actions: [OVERRIDE], pools: [{ name: "web", nodes, outBefore, outAfter }] })[0]?.outShare;
  assert.deepEqual([share(4, 0, 2), share(4, 0, 3), share(4, 2, 3), share(5, 2, 3)], [
    undefined,
    0.75,
    0.75,
    0.6,
  ]);
  assert.deepEqual([share(1, 0, 1), share(0, 0, 0)], [1, undefined]);
  assert.equal(share(4, 4, 3), undefined, "giving back is not critical");
  assert.equal(share(4, 3, 3), undefined);
  assert.match(whyCritical(forced(4))[0]!.what, /leaves 1 of 5 nodes of pool web\.example\.org in answers/);
});

Deno.test("whyCritical() cannot be slipped past by taking nodes out in steps", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.integer({ min: 1, max: 3 })), (nodes, steps) => {
      let out = 0;
      for (const step of steps) {
        const outAfter = Math.min(nodes, out + step),
          pools = [{ name: "p", nodes, outBefore: out, outAfter }];
        if (whyCritical({ actions: [OVERRIDE], pools }).length === 0) out = outAfter;
      }
      assert.ok(out <= nodes / 2);
    }),
    { numRuns: 300, seed: 4 },
  );
});

Deno.test("isCovered() takes less of the same for what was approved, and nothing else", () => {
  const at = (out: number, name = "a") =>
    whyCritical({ actions: [OVERRIDE], pools: [{ name, nodes: 5, outBefore: 0, outAfter: out }] });
  assert.equal(isCovered(at(3), at(4)), true);
  assert.equal(isCovered(at(4), at(3)), false);
  assert.equal(isCovered(at(3, "b"), at(4, "a")), false);
  assert.equal(isCovered([], at(3)), true);
  assert.equal(isCovered(at(3), []), false);
});

Deno.test("a change is asked for, approved by a second person, and carried out once, each step with its record", async () => {
  await withWorld(async (world) => {
    const { approvals, id } = await approved(world);
    const { records } = await approvals.execute(ANNA, id, planOf());
    assert.deepEqual(JSON.parse((await world.store.get(KEYS.override("o1")))!.value), PROPOSAL.change);
    const view = await approvals.get(id);
    assert.deepEqual([view.state, view.decided!.by, view.executed!.by], [
      "executed",
      "oidc:bert",
      "oidc:anna",
    ]);
    assert.deepEqual(records.map(({ action, cause }) => [action, cause]), [
      ["approval.execute", undefined],
      ["override.create", `approvals/${id}`],
    ]);
    const all = await world.records();
    assert.deepEqual(all.map(({ action }) => action).slice(0, 2), ["approval.request", "approval.approve"]);
    assert.equal(all[1]!.reason, "seen the news");
    await assert.rejects(approvals.execute(ANNA, id, planOf()), { kind: "conflict", message: /is executed/ });
  });
});

Deno.test("two who carry the same request out at once do it once", async () => {
  await withWorld(async (world) => {
    const { approvals, id } = await approved(world);
    const results = await Promise.allSettled(
      [ANNA, CARL].map((actor) => approvals.execute(actor, id, planOf())),
    );
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
    assert.match(
      (results[1] as PromiseRejectedResult).reason.message,
      /somebody else has just dealt with it/,
    );
    assert.equal((await world.records()).filter(({ action }) => action === "override.create").length, 1);
  });
});

Deno.test("nobody approves what they asked for: not with another token, login or certificate of theirs", async () => {
  await withWorld(async (world) => {
    const approvals = new Approvals(world), grants = [{ role: "admin" }] as const;
    const asked = await approvals.request(
      { id: "token:anna/1", way: "token", grants, people: ["anna@example.org", "carl@example.org"] },
      PROPOSAL,
    );
    const others: Actor[] = [
      { id: "token:anna/1", way: "token", grants, people: ["anna@example.org"] },
      { id: "token:anna/2", way: "token", grants, people: ["Anna@Example.org"] },
      {
        id: "oidc:anna@example.org",
        way: "oidc",
        grants,
        people: ["anna@example.org", "17@login.example.org"],
      },
      { id: "certificate:anna", way: "certificate", grants, people: ["ANNA@example.org"] },
      { id: "token:dora/3", way: "token", grants, people: ["dora@example.org", "anna@example.org"] },
      { id: "oidc:carl@example.org", way: "oidc", grants, people: ["carl@example.org"] },
    ];
    for (const actor of others) {
      for (const decide of ["approve", "reject"] as const) {
        const args = decide === "approve" ? [asked.digest] as const : [] as const;
        await assert.rejects(
          (approvals[decide] as (...all: unknown[]) => Promise<unknown>)(actor, asked.request.id, ...args),
          { kind: "forbidden" },
          actor.id,
        );
      }
    }
    assert.equal((await approvals.get(asked.request.id)).state, "pending");
    assert.equal((await approvals.approve(BERT, asked.request.id, asked.digest)).state, "approved");
  });
});

Deno.test("to ask takes the right to do it, to approve the right to approve there, to carry out the right to do it", async () => {
  await withWorld(async (world) => {
    const approvals = new Approvals(world);
    await assert.rejects(approvals.request(BERT, PROPOSAL), { kind: "forbidden" });
    await assert.rejects(
      approvals.request(person("dora", { role: "operator", pools: ["mail.*"] }), PROPOSAL),
      {
        kind: "forbidden",
      },
    );
    const { request: { id }, digest } = await approvals.request(ANNA, PROPOSAL);
    for (
      const actor of [
        person("dora", { role: "operator" }),
        person("dora", { role: "viewer" }),
        person("dora", { role: "approver", pools: ["mail.*"] }),
        person("dora", { role: "approver", zones: ["*"] }),
      ]
    ) await assert.rejects(approvals.approve(actor, id, digest), { kind: "forbidden" });
    await approvals.approve(person("dora", { role: "approver", pools: ["web.*"] }), id, digest);
    await assert.rejects(approvals.execute(BERT, id, planOf()), { kind: "forbidden" });
    await assert.rejects(approvals.execute(person("eve", { role: "viewer" }), id, planOf()), {
      kind: "forbidden",
    });
    assert.equal((await approvals.execute(CARL, id, planOf())).succeeded, true);
  });
});

Deno.test("approve() wants the digest of what was seen, and only what waits", async () => {
  await withWorld(async (world) => {
    const approvals = new Approvals(world),
      { request: { id }, digest } = await approvals.request(ANNA, PROPOSAL);
    const other = await approvals.request(ANNA, {
      ...PROPOSAL,
      change: { operation: "override.create", input: {} },
    });
    assert.notEqual(other.digest, digest);
    await assert.rejects(approvals.approve(BERT, id, other.digest), { kind: "conflict", field: "digest" });
    await assert.rejects(approvals.execute(ANNA, id, planOf()), /is pending, not approved/);
    await approvals.approve(BERT, id, digest);
    await assert.rejects(approvals.approve(CARL, id, digest), /is approved, not pending/);
    await assert.rejects(approvals.approve(CARL, "none", digest), { kind: "absent" });
  });
});

Deno.test("execute() refuses a request that is another in the store than the one that was approved", async () => {
  await withWorld(async (world) => {
    const { approvals, id } = await approved(world), key = KEYS.approval(id);
    const record = JSON.parse((await world.store.get(key))!.value) as ApprovalRecord;
    const tampered: ApprovalRecord[] = [
      { ...record, request: { ...record.request, change: { operation: "pool.delete", input: {} } } },
      { ...record, request: { ...record.request, expiresMs: record.request.expiresMs + DAY_MS } },
      { ...record, decided: { ...record.decided!, people: ["anna"] } },
    ];
    const { decided: _, ...undecided } = record;
    for (const wrong of [...tampered, undecided]) {
      await world.store.transact([{ put: key, value: JSON.stringify(wrong) }]);
      await assert.rejects(approvals.execute(ANNA, id, planOf()), /not what was approved/);
    }
    assert.equal(await world.store.get(KEYS.override("o1")), undefined);
  });
});

Deno.test("execute() works out anew, and refuses what has become more than what was approved", async () => {
  await withWorld(async (world) => {
    const { approvals, id } = await approved(world);
    const more: Effect[] = [
      forced(4),
      forced(3, { nodes: 4 }),
      { ...forced(3), actions: [{ ...OVERRIDE, pools: ["web.example.org", "mail.example.org"] }] },
      {
        ...forced(3),
        actions: [OVERRIDE, { resource: "nodes", verb: "delete", pools: ["web.example.org"] }],
      },
      { ...forced(3), actions: [{ ...OVERRIDE, node: "fra9" }] },
      { actions: [{ resource: "overrides", verb: "create" }] },
      { actions: [] },
    ];
    for (const effect of more) {
      await assert.rejects(approvals.execute(ANNA, id, planOf(effect)), /more than what was approved/);
    }
    await assert.rejects(
      approvals.execute(ANNA, id, () => Promise.reject(new Error("no such node"))),
      /no such node/,
    );
    assert.equal((await approvals.get(id)).state, "approved");
    assert.equal((await approvals.execute(ANNA, id, planOf(forced(2)))).succeeded, true);
  });
});

Deno.test("execute() leaves a request approved when what it changes was changed just then", async () => {
  await withWorld(async (world) => {
    const { approvals, id } = await approved(world);
    const stale = planOf(PROPOSAL.effect, [{ key: KEYS.override("o1"), revision: 99 }]);
    await assert.rejects(approvals.execute(ANNA, id, stale), /what it changes was changed just now/);
    assert.equal(await world.store.get(KEYS.override("o1")), undefined);
    assert.equal((await approvals.execute(ANNA, id, planOf())).succeeded, true);
  });
});

Deno.test("a request ends after a day, approved or not", async () => {
  await withWorld(async (world) => {
    const { approvals, id } = await approved(world), late = await approvals.request(ANNA, PROPOSAL);
    world.clock.advance(DAY_MS - 1);
    assert.equal((await approvals.get(id)).state, "approved");
    world.clock.advance(1);
    assert.deepEqual((await approvals.list()).map(({ state }) => state), ["expired", "expired"]);
    await assert.rejects(approvals.execute(ANNA, id, planOf()), /is expired/);
    await assert.rejects(approvals.approve(BERT, late.request.id, late.digest), /is expired/);
  });
});

Deno.test("reject() and withdraw() end a request, also an approved one; withdraw() is for whoever asked", async () => {
  await withWorld(async (world) => {
    const first = await approved(world), second = await approved(world), { approvals } = second;
    assert.equal((await approvals.reject(CARL, first.id, "power is back")).state, "rejected");
    await assert.rejects(approvals.execute(ANNA, first.id, planOf()), /is rejected/);
    await assert.rejects(approvals.withdraw(BERT, second.id), { kind: "forbidden" });
    assert.equal((await approvals.withdraw(ANNA, second.id)).state, "withdrawn");
    await assert.rejects(approvals.execute(ANNA, second.id, planOf()), /is withdrawn/);
  });
});

Deno.test("request() refuses what does nothing, and what is too large to be read", async () => {
  await withWorld(async (world) => {
    const approvals = new Approvals(world);
    await assert.rejects(approvals.request(CARL, { ...PROPOSAL, effect: { actions: [] } }), {
      kind: "invalid",
    });
    const input = "x".repeat(262_144);
    await assert.rejects(approvals.request(CARL, { ...PROPOSAL, change: { operation: "x", input } }), {
      kind: "invalid",
    });
  });
});

Deno.test("sweep() takes away requests that ended a month ago", async () => {
  await withWorld(async (world) => {
    const { approvals } = await approved(world);
    world.clock.advance(31 * DAY_MS);
    assert.equal(await approvals.sweep("server:fra"), 0);
    world.clock.advance(1);
    assert.equal(await approvals.sweep("server:fra"), 1);
    assert.deepEqual(await approvals.list(), []);
    assert.equal((await world.records()).at(-1)!.action, "approval.sweep");
  });
});
