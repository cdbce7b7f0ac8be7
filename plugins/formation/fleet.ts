/**
 * The half of formation that serves Formation's programs: in the fleet isolate.
 *
 * @module
 */

import { Authenticator } from "../../core/access/authenticate.ts";
import { failureEvent } from "../../core/access/failure_log.ts";
import { base32, SYSTEM_RANDOM } from "../../core/access/random.ts";
import { tokenLookUp } from "../../core/access/tokens.ts";
import { tokenVerifier } from "../../core/access/verifier.ts";
import type { Place } from "../../core/fleet/place.ts";
import type { Asking, Management } from "../../core/management/change.ts";
import { guardedLedger } from "../../core/membership/change_guard.ts";
import { readerOf } from "../../core/management/reader.ts";
import { Zones } from "../../core/management/zones.ts";
import type { FleetHalf, FleetScope, FleetServing } from "../../core/membership/fleet_half.ts";
import { NODE_LEASE } from "../../core/registry/lease.ts";
import { sharedBeats } from "../../core/registry/shared_beats.ts";
import { KEYS } from "../../core/state/keys.ts";
import { StoreUnavailableError } from "../../core/state/store.ts";
import { type App, makeApp } from "./app.ts";
import type { ServerStatus } from "./dns_metrics.ts";
import { isFields } from "./json.ts";
import { type FormationConfig, isLoopback } from "./parse.ts";
import type { Located } from "./places.ts";
import { recordTable } from "./published.ts";
import { Poller } from "./poller.ts";
import { recordName, RECORDS } from "./records.ts";
import { FormationService } from "./service.ts";
import type { FormationRecord } from "./shapes.ts";
import { resolveBy } from "./verification.ts";

export default { name: "formation", serve } satisfies FleetHalf<FormationConfig>;

/** Who does what nobody asked for. */
const OWN: Asking = { actor: "formation:configuration", reason: "the Corefile says so" };

/** What else than the scope is to be handed in: for tests. */
export interface Outside {
  readonly fetch: typeof fetch;
}

/** Begins to serve. @throws {Error} That says which address or file could not be had. */
export async function serve(
  config: FormationConfig,
  scope: FleetScope,
  outside: Outside = { fetch: globalThis.fetch },
): Promise<FleetServing> {
  const { member, clock, log, configuration: { server, lease = NODE_LEASE } } = scope,
    { store, replica } = member;
  const newId = () => base32(SYSTEM_RANDOM(10));
  const ledger = guardedLedger(member);
  const management: Management = { store, ledger, clock, newId, reader: readerOf(replica) };
  const beats = sharedBeats(member, {
    ...{ store, server, clock, log, leaseMs: lease.leaseMs },
    isNode: (id) => replica.get(KEYS.registration(id)) !== undefined,
  });
  const service = new FormationService({
    ...{ management, replica, server, clock, log, beats, ...config },
    places: {
      regions: config.regions,
      listed: (id) => member.besides.nodes.find((node) => node.id === id)?.place,
      locate: locator(config.bootstrapName, scope),
    },
  });
  const authenticator = makeAuthenticator(scope);
  const app = makeApp({
    ...{ service, authenticator, server, log, replies: config.replies },
    resolve: resolveBy(config.resolver),
    status: async () => await scope.ask("status") as ServerStatus,
  });
  const closing: (() => void | Promise<void>)[] = [
    () => service.close(),
    () => authenticator.close(),
    () => beats.close(),
  ];
  const close = async () => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  try {
    for (const endpoint of config.endpoints) {
      const listening = await listen(endpoint, config, app);
      closing.push(() => listening.close());
    }
    beats.start();
    member.tellNoted(() => beats.pulse().notedMs);
    service.heartbeats.start();
    closing.push(tellRecords(scope));
    closing.push(await prepare(config, { management, service, scope }));
    for (const poller of pollersOf(config, { scope, service, outside })) {
      poller.start();
      closing.push(() => poller.close());
    }
    return { close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Tells the half that answers which records have overlay addresses, now and after each change. */
function tellRecords({ member: { replica }, tell, log }: FleetScope): () => void {
  const tellAll = () => {
    try {
      const records = Array.from(replica.below(RECORDS), ({ value }) => JSON.parse(value) as FormationRecord);
      tell?.("formation", recordTable(records));
    } catch (error) {
      log.error(`formation: the records in the store cannot be read: ${error}`);
    }
  };
  tellAll();
  return replica.onChange((differences) => {
    if (differences.some(({ key }) => key.startsWith(RECORDS))) tellAll();
  });
}

/** How long until what the store could not take is tried again. */
const RETRY_MS = 5000;

/**
 * Makes zones and records that the Corefile names and that are not there. What cannot be made is told: the rest goes on. What
 * only the store's absence prevents is tried again; the function that comes back ends that.
 */
async function prepare(
  config: FormationConfig,
  { management, service, scope: { log, clock } }: {
    readonly management: Management;
    readonly service: FormationService;
    readonly scope: Pick<FleetScope, "log" | "clock">;
  },
): Promise<() => void> {
  let open = wanted(config, management, service), cancel = () => {}, isEnded = false;
  const attempt = async () => {
    const later: typeof open = [];
    for (const one of open) {
      try {
        await one.make();
      } catch (error) {
        if (error instanceof StoreUnavailableError) later.push(one);
        else log.error(`formation: ${one.what}: ${error instanceof Error ? error.message : error}`);
      }
    }
    open = later;
    if (open.length > 0 && !isEnded) cancel = clock.after(RETRY_MS, () => void attempt());
  };
  await attempt();
  return () => {
    isEnded = true;
    cancel();
  };
}

function wanted(
  { zones, records }: FormationConfig,
  management: Management,
  service: FormationService,
): { readonly what: string; make(): Promise<unknown> }[] {
  const made = zones.map(({ name, nameServers }) => ({
    what: `zone ${name}`,
    async make() {
      const key = KEYS.zone(`${recordName(name)}.`);
      if (!await management.store.get(key)) await new Zones(management).create({ name, nameServers }, OWN);
    },
  }));
  const imported = records.map((record) => ({
    what: `record ${record.domain}`,
    make: () => service.records.import(record, OWN),
  }));
  return [...made, ...imported];
}

function pollersOf(
  { states, pollMs, overlay }: FormationConfig,
  { scope: { clock, log }, service, outside: { fetch } }: {
    readonly scope: FleetScope;
    readonly service: FormationService;
    readonly outside: Outside;
  },
): Poller[] {
  return states.map((url) =>
    new Poller({
      ...{ url, everyMs: pollMs, overlay, fetch, clock, log },
      take: (list) => service.takeList(list, url, { actor: "formation:state", reason: url }),
      setAway: (isAway) => service.heartbeats.setAway(url, isAway),
    })
  );
}

/** Who has a token of Meridian's. */
function makeAuthenticator({ member: { replica, ledger }, clock, log }: FleetScope): Authenticator {
  const lookUp = tokenLookUp((key) => replica.get(key));
  return new Authenticator({
    ...{ clock, random: SYSTEM_RANDOM, verifiers: [tokenVerifier(lookUp, clock)] },
    onFailures: (report) => {
      ledger.write([failureEvent(report)], []).catch((error) => {
        log.warn(`formation: a refused login could not be recorded: ${error}`);
      });
    },
  });
}

/** How long requests under way may take at the end. */
const CLOSE_MS = 500;

async function listen(
  { hostname, port }: FormationConfig["endpoints"][number],
  { tls }: FormationConfig,
  app: App,
): Promise<{ close(): Promise<void> }> {
  const files = tls &&
    { cert: await Deno.readTextFile(tls.certificate), key: await Deno.readTextFile(tls.key) };
  const server = Deno.serve({ hostname, port, onListen() {}, ...files }, (request, { remoteAddr }) => {
    const address = (remoteAddr as Deno.NetAddr).hostname;
    return app.fetch(request, { address, isLocal: isLoopback(address) });
  });
  return {
    close: () =>
      Promise.race([server.shutdown(), new Promise<void>((resolve) => setTimeout(resolve, CLOSE_MS))]),
  };
}

/** For so long nobody is asked where an address is when that could not be told. */
const QUIET_MS = 5000;

/** Tells where geo data have an address, as the control isolate would explain a query of it; nothing while that is away. */
function locator(
  name: string,
  { ask, clock }: FleetScope,
): (address: string) => Promise<Located | undefined> {
  let quietUntilMs = -Infinity;
  return async (address) => {
    if (clock.nowMs() < quietUntilMs) return undefined;
    try {
      const told = await ask("explain", { name, type: "A", client: address });
      const decisions = isFields(told) && Array.isArray(told.decisions) ? told.decisions : [];
      const geo = decisions.find((one) => isFields(one) && one.plugin === "geo" && isFields(one.facts));
      const { place, precision } = geo?.facts ?? {};
      return place ? { place: place as Place, isCity: precision !== "country" } : undefined;
    } catch {
      quietUntilMs = clock.nowMs() + QUIET_MS;
      return undefined;
    }
  };
}
