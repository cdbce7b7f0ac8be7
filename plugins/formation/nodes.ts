/**
 * Formation's nodes in the store: as `nodes/ID`, which pools answer from, as `registrations/ID`, by which they have a lease, and
 * as they came, for whoever asks for them in Formation's own words.
 *
 * @module
 */

import type { Clock } from "../../core/clock.ts";
import { type Asking, eventOf, type Management } from "../../core/management/change.ts";
import { isNodeId } from "../../core/fleet/node_id.ts";
import type { NodeRecord, RegistrationRecord } from "../../core/registry/node_record.ts";
import { canonicalJson, digestOf, type Json } from "../../core/state/canonical.ts";
import { keyPart, KEYS, namePart } from "../../core/state/keys.ts";
import type { Write } from "../../core/state/store.ts";
import type { Replica } from "../../core/state/replica.ts";
import { FormationProblem } from "./json.ts";
import { placeOfNode, type PlaceSources } from "./places.ts";
import type { BootstrapRequest, ListedNode } from "./shapes.ts";

/** What it works with. */
export interface NodesOptions {
  readonly management: Pick<Management, "store" | "ledger">;
  readonly replica: Pick<Replica, "get" | "below">;
  readonly clock: Clock;
  /** This server's id. */
  readonly server: string;
  readonly places: PlaceSources;
}

/** Below this lies what is kept of Formation. */
export const PREFIX = "formation/";

const DOCUMENTS = `${PREFIX}nodes/`;

/** Where nodes that this plugin put there say that they came from. */
export const ORIGIN = "formation";

/** The label of nodes that are entry points, by which a pool selects them. */
export const BOOTSTRAP_LABEL = "bootstrap";

/** The label of those that nothing but `/bootstrap/add` has told of. */
const ONLY_BOOTSTRAP = "bootstrap-only";

/** The label that has the TTL which was asked for, seconds. */
const TTL_LABEL = "bootstrap-ttl";

/** So often a change is tried when somebody else changes the same. */
const ATTEMPTS = 8;

/** What of a node is Formation's to say; the rest is what operators have changed. */
interface Change {
  readonly record: NodeRecord | undefined;
  /** That it has a lease, from an instant on; absent = it stays as it was. */
  readonly leasedMs?: number;
}

/** See the module. */
export class FormationNodes {
  readonly #options: NodesOptions;

  constructor(options: NodesOptions) {
    this.#options = options;
  }

  /** The nodes there are, as the store has them. */
  *all(): Generator<NodeRecord> {
    for (const { value } of this.#options.replica.below("nodes/")) {
      const record = JSON.parse(value) as NodeRecord;
      if (record.origin === ORIGIN) yield record;
    }
  }

  /** One; undefined = there is none that came from Formation. */
  get(id: string): NodeRecord | undefined {
    const entry = this.#options.replica.get(KEYS.node(id));
    const record = entry && JSON.parse(entry.value) as NodeRecord;
    return record?.origin === ORIGIN ? record : undefined;
  }

  /** Whether it is heard of by heartbeats. */
  hasLease(id: string): boolean {
    return this.#options.replica.get(KEYS.registration(id)) !== undefined;
  }

  /** A node as it came; undefined = it did not come as a whole. */
  document(id: string): Json | undefined {
    const entry = this.#options.replica.get(DOCUMENTS + keyPart(id));
    return entry && JSON.parse(entry.value);
  }

  /** All that came as a whole. */
  *documents(): Generator<[id: string, document: Json]> {
    for (const { key, value } of this.#options.replica.below(DOCUMENTS)) {
      yield [namePart(key.slice(DOCUMENTS.length)), JSON.parse(value)];
    }
  }

  /**
   * Takes a node, new or changed; nothing is written where it says what it said before.
   *
   * @param document As it came, where it is to be kept so.
   * @throws {FormationProblem} Where it cannot be a node, or the id is somebody else's.
   */
  async take(node: ListedNode, asking: Asking, document?: Json): Promise<void> {
    const place = await placeOfNode(node, this.#options.places);
    await this.#change(node.id, asking, (before) => {
      const { [ONLY_BOOTSTRAP]: _, ...kept } = bootstrapLabelsOf(before);
      const record = {
        ...before,
        ...{ id: node.id, addresses: node.addresses, origin: ORIGIN },
        location: locationOf(place),
        labels: { ...node.labels, ...kept },
        ...node.overlay.length > 0 && { overlay: node.overlay.slice(0, 16) },
        ...node.region !== "" && { region: node.region.slice(0, 64) },
        ...node.capacity !== undefined && { capacity: node.capacity },
      };
      return { record, leasedMs: node.heartbeatMs ?? this.#options.clock.nowMs() };
    }, document);
  }

  /** Takes what a node has room for. */
  async setCapacity(id: string, cores: number, asking: Asking): Promise<void> {
    if (this.get(id)?.capacity === cores || cores <= 0) return;
    await this.#change(id, asking, (before) => ({ record: { ...this.#known(before, id), capacity: cores } }));
  }

  /** From now on a node is heard of by heartbeats. @throws {FormationProblem} There is no such node. */
  async lease(id: string, atMs: number, asking: Asking): Promise<void> {
    await this.#change(id, asking, (before) => ({ record: this.#known(before, id), leasedMs: atMs }));
  }

  /** Makes a node an entry point. @throws {FormationProblem} It is one already, or cannot be. */
  async addBootstrap(request: BootstrapRequest, isOverlay: boolean, asking: Asking): Promise<void> {
    const { node_id: id, ip_address: address, region = "", ttl } = request;
    const labels = {
      [BOOTSTRAP_LABEL]: "yes",
      network: "formation",
      ...ttl !== undefined && { [TTL_LABEL]: `${ttl}` },
    };
    const described = { id, region, addresses: [address], overlay: isOverlay ? [address] : [], labels };
    const known = this.get(id);
    const location = known ? known.location : locationOf(await placeOfNode(described, this.#options.places));
    await this.#change(id, asking, (before) => {
      if (before?.labels?.[BOOTSTRAP_LABEL] !== undefined) throw existing(address);
      return {
        record: before ? { ...before, labels: { ...before.labels, ...labels } } : {
          ...{ id, addresses: [address], location, origin: ORIGIN },
          labels: { ...labels, [ONLY_BOOTSTRAP]: "yes" },
          ...isOverlay && { overlay: [address] },
          ...region !== "" && { region },
        },
      };
    });
  }

  /** Makes a node no entry point any more; one of which nothing else is known is taken away. */
  async removeBootstrap(id: string, asking: Asking): Promise<void> {
    await this.#change(id, asking, (before) => {
      const { [BOOTSTRAP_LABEL]: _, [TTL_LABEL]: _ttl, ...labels } = this.#known(before, id).labels ?? {};
      const isAll = labels[ONLY_BOOTSTRAP] !== undefined && !this.hasLease(id);
      return { record: isAll ? undefined : { ...before!, labels } };
    });
  }

  /** Takes a node away. @throws {FormationProblem} There is none. */
  async remove(id: string, asking: Asking): Promise<void> {
    await this.#change(id, asking, (before) => {
      this.#known(before, id);
      return { record: undefined };
    });
  }

  #known(before: NodeRecord | undefined, id: string): NodeRecord {
    if (before) return before;
    throw new FormationProblem(`there is no node ${id}`);
  }

  async #change(
    id: string,
    asking: Asking,
    plan: (before: NodeRecord | undefined) => Change,
    document?: Json,
  ): Promise<void> {
    if (!isNodeId(id)) {
      throw new FormationProblem(`a node's id has letters, digits, '.', '_' and '-', 63 at most: got ${id}`);
    }
    const { store, ledger } = this.#options.management;
    const keys = [KEYS.node(id), KEYS.registration(id), DOCUMENTS + keyPart(id)];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const entries = await Promise.all(keys.map((key) => store.get(key)));
      const [before, registration] = entries.map((entry) => entry && JSON.parse(entry.value));
      if (before && before.origin !== ORIGIN) throw taken(before);
      const { record, leasedMs } = plan(before);
      const after = [
        record && valueOf(record),
        record && leasedMs !== undefined
          ? this.#registrationAfter(registration, record, leasedMs)
          : registration,
        record && (document ?? (entries[2] && JSON.parse(entries[2].value))),
      ].map((value) => value && canonicalJson(value));
      const writes = keys.flatMap((key, i): Write[] => {
        if (after[i] === entries[i]?.value) return [];
        return after[i] === undefined || !record ? [{ remove: key }] : [{ put: key, value: after[i]! }];
      });
      if (writes.length === 0) return;
      const conditions = keys.map((key, i) => ({ key, revision: entries[i]?.revision ?? 0 }));
      const verb = !record ? "delete" : before ? "update" : "create";
      const event = eventOf(asking, `node.${verb}`, `nodes/${id}`, before, record && valueOf(record));
      if ((await ledger.write([event], writes, conditions)).succeeded) return;
    }
    throw new FormationProblem(`node ${id} is changed by somebody else meanwhile: try again`);
  }

  /** A lease begins anew where there was none, or the node has left. */
  #registrationAfter(
    before: RegistrationRecord | undefined,
    record: NodeRecord,
    leasedMs: number,
  ): RegistrationRecord {
    if (before && before.leftMs === undefined) return before;
    const { server, clock } = this.#options;
    return {
      registeredMs: Math.min(leasedMs, clock.nowMs()),
      server,
      said: digestOf(valueOf(record)),
    };
  }
}

/** What a node's TTL as an entry point is to be, seconds; undefined = nobody said. */
export function bootstrapTtl({ labels }: NodeRecord): number | undefined {
  const text = labels?.[TTL_LABEL];
  return text === undefined ? undefined : Number(text);
}

function bootstrapLabelsOf(record: NodeRecord | undefined): Record<string, string> {
  const own = [BOOTSTRAP_LABEL, ONLY_BOOTSTRAP, TTL_LABEL];
  return Object.fromEntries(Object.entries(record?.labels ?? {}).filter(([name]) => own.includes(name)));
}

function locationOf({ latitude, longitude, country, subdivision }: {
  readonly latitude: number;
  readonly longitude: number;
  readonly country: string;
  readonly subdivision: string;
}): NodeRecord["location"] {
  return { latitude, longitude, ...country && { country }, ...subdivision && { subdivision } };
}

function valueOf(record: NodeRecord): Json {
  return record as unknown as Json;
}

function taken({ id, origin = "an operator" }: NodeRecord): FormationProblem {
  const by = origin === "registry" ? "a node that registered itself" : "an operator";
  return new FormationProblem(`node ${id} is there already, by ${by}`);
}

/** In form-dns's words. */
export function existing(address: string): FormationProblem {
  return new FormationProblem(`Bootstrap node ${address} already exists`);
}
