/**
 * What routes work with: the operations on the fleet's state, who may do them, and who asks.
 *
 * @module
 */

import type { Actor } from "../../core/access/actor.ts";
import type { CertificateRule } from "../../core/access/certificates.ts";
import { Approvals } from "../../core/access/approvals.ts";
import { Authenticator } from "../../core/access/authenticate.ts";
import {
  failureEvent,
  FailureLog,
  type FailureReport,
  refusedNodesEvent,
} from "../../core/access/failure_log.ts";
import { type KeySource, readSecretKeys, thisMachine } from "../../core/access/key_source.ts";
import { base32, SYSTEM_RANDOM } from "../../core/access/random.ts";
import { SecretBox } from "../../core/access/secrets.ts";
import { SecretStore } from "../../core/access/secret_store.ts";
import { tokenLookUp, Tokens } from "../../core/access/tokens.ts";
import { type OidcConfig, OidcVerifier } from "../../core/access/oidc.ts";
import { tokenVerifier } from "../../core/access/verifier.ts";
import type { Management } from "../../core/management/change.ts";
import { nodeKind, type NodeValue, nodeValueOf } from "../../core/management/nodes.ts";
import { overrideKind } from "../../core/management/overrides.ts";
import { poolKind } from "../../core/management/pools.ts";
import { readerOf } from "../../core/management/reader.ts";
import { sweep, SWEEP_MS } from "../../core/management/sweep.ts";
import { Resources } from "../../core/management/resource.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import { NODE_LEASE } from "../../core/registry/lease.ts";
import { Registry } from "../../core/registry/registry.ts";
import { sharedBeats } from "../../core/registry/shared_beats.ts";
import type { AuditEvent } from "../../core/state/audit.ts";
import { sweepArchived } from "../../core/state/audit_log.ts";
import { namePart, PREFIXES } from "../../core/state/keys.ts";
import { objectIn } from "../../core/state/object_in.ts";
import { StoreUnavailableError } from "../../core/state/store.ts";
import { type ApprovalsFor, guardOfOthers } from "./approval_gate.ts";
import { nodeVerifier } from "./node_credentials.ts";
import { drainedInMs } from "./drained.ts";
import { joinTokens } from "./join_tokens.ts";
import { Revoked } from "./revoked.ts";
import { FleetSecret } from "./fleet_secret.ts";
import { othersTurn } from "./routes/slowly.ts";

/** See the module. */
export interface Services {
  readonly scope: FleetScope;
  readonly management: Management;
  readonly nodes: Resources<ReturnType<typeof nodeKind>["schema"]>;
  readonly pools: Resources<ReturnType<typeof poolKind>["schema"]>;
  readonly overrides: Resources<ReturnType<typeof overrideKind>["schema"]>;
  readonly tokens: Tokens;
  readonly approvals: Approvals;
  /** Whose critical changes wait for a second person. */
  readonly approvalsFor: ApprovalsFor;
  readonly authenticator: Authenticator;
  readonly fleetSecret: FleetSecret;
  /** Absent where this server has no key for them. */
  readonly secrets?: SecretStore;
  readonly registry: Registry;
  /** Registrations that were refused, for the audit log. */
  readonly refused: FailureLog;
  close(): Promise<void>;
}

/** Who asks through the machine's own control socket. */
export const LOCAL: Actor = Object.freeze({
  id: "local:root",
  way: "local",
  grants: [{ role: "admin" as const }],
});

/** Everything that the interface works with. `audiences`: the origins by which nodes reach it. */
export async function openServices(
  scope: FleetScope,
  {
    certificates,
    oidc,
    approvals: approvalsFor = "off",
    secrets: keySource,
    revoked = [],
    revokedFiles = [],
  }: {
    readonly certificates: readonly CertificateRule[];
    readonly oidc: readonly OidcConfig[];
    readonly approvals?: ApprovalsFor;
    readonly secrets?: KeySource;
    readonly revoked?: readonly string[];
    readonly revokedFiles?: readonly string[];
  },
  audiences: () => readonly string[],
): Promise<Services> {
  const { member: { store, replica, ledger }, clock, log, configuration: { server, lease = NODE_LEASE } } =
    scope;
  const newId = () => base32(SYSTEM_RANDOM(10));
  const management: Management = { store, ledger, clock, newId, reader: readerOf(replica), rest: othersTurn };
  const tokens = new Tokens({ store, ledger, clock, random: SYSTEM_RANDOM });
  const approvals = new Approvals({ store, ledger, clock, random: SYSTEM_RANDOM });
  const box = keySource && new SecretBox(readSecretKeys(keySource, thisMachine()), SYSTEM_RANDOM);
  const secrets = box && new SecretStore({ store, ledger, box });
  const fleetSecret = await FleetSecret.open(scope, box);
  const lookUp = tokenLookUp((key) => replica.get(key));
  const verifiers = [
    tokenVerifier(lookUp, clock),
    nodeVerifier(() => registry),
    ...oidc.length > 0 ? [new OidcVerifier({ issuers: oidc, fetch, clock })] : [],
  ];
  const taken = new Revoked({ revoked, revokedFiles }, { clock, log });
  const rules = {
    rules: certificates,
    get revoked() {
      return taken.fingerprints;
    },
  };
  const recording = (eventOf: (report: FailureReport) => AuditEvent) => (report: FailureReport) => {
    ledger.write([eventOf(report)], []).catch((error) => {
      if (!(error instanceof StoreUnavailableError)) {
        log.error(`api: who was refused could not be recorded: ${error}`);
      }
    });
  };
  const authenticator = new Authenticator({
    ...{ clock, random: SYSTEM_RANDOM, verifiers, certificates: rules },
    onFailures: recording(failureEvent),
  });
  const refused = new FailureLog(clock, recording(refusedNodesEvent));
  const registry = new Registry({
    ...{ store, ledger, replica, server, clock, log, randomOctets: SYSTEM_RANDOM, audiences },
    secret: fleetSecret.ring,
    servers: serverUrls(scope),
    joinTokens: joinTokens(scope),
    lease,
    drainedInMs: (node, drainingMs) => drainedInMs(scope, node, drainingMs),
    reserved: (id) => listedIds(scope).has(id),
    beats: (isNode) =>
      sharedBeats(scope.member, { store, server, clock, log, leaseMs: lease.leaseMs, isNode }),
  });
  registry.start();
  const archived = { sweep: () => sweepArchived(store, replica.below(PREFIXES.audit)) };
  const stopSweeping = sweepNowAndThen(scope, management, [tokens, approvals, archived]);
  scope.member.guard = guardOfOthers(scope, approvalsFor);
  scope.member.tellNoted(() => registry.pulse().notedMs);
  return {
    ...{ scope, management, tokens, approvals, approvalsFor, authenticator, registry, fleetSecret, refused },
    ...secrets && { secrets },
    nodes: new Resources(management, nodeKind(() => listedNodes(scope))),
    pools: new Resources(management, poolKind(() => scope.member.besides)),
    overrides: new Resources(
      management,
      overrideKind(() => knownTargets(scope)),
    ),
    async close() {
      stopSweeping();
      scope.member.guard = undefined;
      fleetSecret[Symbol.dispose]();
      taken.close();
      authenticator.close();
      refused.close();
      await registry.close();
    },
  };
}

/** Takes away what nobody needs any more; any server may, so each at its own time. */
function sweepNowAndThen(
  { clock, random, log, configuration: { server } }: FleetScope,
  management: Management,
  kept: readonly { sweep(actor: string): Promise<number> }[],
): () => void {
  let cancel = () => {};
  const next = () => {
    cancel = clock.after(SWEEP_MS * (0.5 + random()), async () => {
      try {
        await sweep(management, server);
        for (const one of kept) await one.sweep(`server:${server}`);
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) {
          log.error(`api: what is old could not be taken away: ${error}`);
        }
      }
      next();
    });
  };
  next();
  return () => cancel();
}

/** What an override may be for. */
function knownTargets({ member: { besides, replica } }: FleetScope) {
  const inStore = (prefix: string) =>
    Array.from(replica.below(prefix), ({ key }) => namePart(key.slice(prefix.length)));
  return {
    nodes: [...besides.nodes.map(({ id }) => id), ...inStore(PREFIXES.nodes)],
    pools: [...besides.pools.map(({ name }) => name), ...inStore(PREFIXES.pools)],
  };
}

/** Nodes that stand in files of this server. */
function listedNodes({ member }: FleetScope): readonly NodeValue[] {
  return member.besides.nodes.map((node) => nodeValueOf(node, "static"));
}

const idsOf = new WeakMap<object, ReadonlySet<string>>();

/** The ids of the same; as long as these are the same, the same set. */
function listedIds({ member: { besides } }: FleetScope): ReadonlySet<string> {
  const ids = idsOf.get(besides) ?? new Set(besides.nodes.map(({ id }) => id));
  idsOf.set(besides, ids);
  return ids;
}

/** Where agents may go besides: of all servers that say so. Each heartbeat asks: it is looked up once a second. */
function serverUrls({ member: { replica }, clock }: FleetScope): () => readonly string[] {
  let urls: readonly string[] = [], untilMs = -Infinity;
  return () => {
    const nowMs = clock.nowMs();
    if (nowMs < untilMs && untilMs - nowMs <= URLS_KEPT_MS) return urls;
    untilMs = nowMs + URLS_KEPT_MS;
    const all = Array.from(replica.below(PREFIXES.servers), ({ value }) => objectIn(value)?.url);
    return urls = all.filter((url) => typeof url === "string" && url !== "").sort() as string[];
  };
}

const URLS_KEPT_MS = 1000;
