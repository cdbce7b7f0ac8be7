/** What tests of the registry work with: a server of it, and nodes. */

import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ManualClock } from "../../../core/clock.ts";
import type { Log } from "../../../core/plugin.ts";
import type { JoinGrant } from "../../../core/registry/claim.ts";
import { publicText } from "../../../core/registry/keys.ts";
import { type Beat, type NodeDocument, type Proof, signedText } from "../../../core/registry/protocol.ts";
import { Registry, type RegistryOptions } from "../../../core/registry/registry.ts";
import { Ledger } from "../../../core/state/ledger.ts";
import { MemoryReplica, MemoryStore } from "./memory_store.ts";

export const ORIGIN = "https://fra.example.org:8443";
export const SECRET = new Uint8Array(32).fill(7);

/** A node that nothing is wrong with. */
export function document(id = "fra1", changes: object = {}): NodeDocument {
  return {
    ...{ id, addresses: ["192.0.2.1", "2001:db8::1"] },
    location: { latitude: 50.11, longitude: 8.68, country: "DE" },
    ...{ region: "eu-central", labels: { service: "entry" }, capacity: 1000 },
    ...changes,
  };
}

export const BEAT: Beat = { load: { cpu: 0.25, memory: 0.5, network: 1000, connections: 12 } };

/** A key of a node. */
export class TestKey {
  readonly privateKey: KeyObject;
  readonly text: string;

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    this.privateKey = privateKey;
    this.text = publicText(publicKey);
  }

  /** What shows it to a server. */
  prove(registry: Registry, node: string, server = ORIGIN): Proof {
    const { challenge } = registry.challenge({ node, key: this.text });
    const signature = sign(null, signedText(challenge, node, server), this.privateKey).toString("base64");
    return { key: this.text, challenge, server, signature };
  }
}

/** Says nothing. */
export const QUIET: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A server's registry with all that it works with. */
export function makeServer(options: Partial<RegistryOptions> & { tokens?: Record<string, JoinGrant> } = {}) {
  const store = options.store as MemoryStore ?? new MemoryStore(), clock = options.clock ?? new ManualClock();
  const server = options.server ?? "fra", replica = new MemoryReplica(store);
  const tokens = options.tokens ?? {
    join: { id: "t1", mayReplace: false },
    other: { id: "t2", mayReplace: false },
    replace: { id: "t3", mayReplace: true },
  };
  const registry = new Registry({
    ...{ store, replica, server, clock, log: QUIET, secret: SECRET },
    ledger: new Ledger({ store, server, clock }),
    randomOctets: (count) => crypto.getRandomValues(new Uint8Array(count)),
    audiences: () => [ORIGIN],
    servers: () => [ORIGIN],
    joinTokens: { redeem: (token) => Promise.resolve(tokens[token]) },
    ...options,
  });
  return { registry, store, clock: clock as ManualClock, replica };
}

/** Lets promises that wait for nothing but each other go on. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}
