/**
 * What all servers of a fleet know and nobody else: by it one takes the challenges and credentials that another has handed
 * out to nodes. Sealed in the store where servers have a key for that; and changed without any node's noticing:
 *
 *     rotated ─────────── 30 s ──────────▶ ─────────── 15 min ───────────▶
 *     the old one makes, both count        the new one makes, both count     the new one alone
 *
 * @module
 */

import type { SecretView } from "../../core/access/secret_store.ts";
import { type Sealed, type SecretBox, SecretError } from "../../core/access/secrets.ts";
import type { FleetScope } from "../../core/membership/fleet_half.ts";
import { CREDENTIAL_MS } from "../../core/registry/credentials.ts";
import type { KeyRing } from "../../core/registry/seal.ts";
import type { AuditEvent } from "../../core/state/audit.ts";
import { canonicalJson, type Json } from "../../core/state/canonical.ts";
import { type Condition, type Entry, StoreUnavailableError, type Write } from "../../core/state/store.ts";

/** Where it lies. Without a key for secrets, who may read the store is a server. */
export const FLEET_SECRET_KEY = "registry/secret";

/** What it is called among secrets. */
export const FLEET_SECRET_NAME = "registry";

/** How long other servers have to hear of a new one before anything is made with it. */
const HEARD_MS = 30_000;

/** A secret as the store has it. */
interface Kept {
  /** From then on it is made with; milliseconds since 1970, as all of these. */
  readonly fromMs: number;
  /** Until then it counts; absent = for good. */
  readonly untilMs?: number;
  /** 32 octets, base64; in clear, or sealed. */
  readonly secret?: string;
  readonly sealed?: Sealed;
}

/** One that could be opened. */
interface Opened extends Pick<Kept, "fromMs" | "untilMs"> {
  readonly octets: Uint8Array;
}

/** What may be known of it. */
export interface FleetSecretView extends Omit<SecretView, "key"> {
  /** null = it lies there in clear. */
  readonly key: string | null;
  /** Since when it is made with, ISO 8601. */
  readonly at: string;
}

/** What a change of it takes. */
export interface FleetSecretPlan {
  readonly events: readonly AuditEvent[];
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
}

/** See the module. */
export class FleetSecret implements Disposable {
  readonly #scope: FleetScope;
  readonly #box: SecretBox | undefined;
  readonly #stop: () => void;
  #opened: readonly Opened[] = [];
  #ring: readonly Uint8Array[] = [];
  /** Where nothing can be had: nodes prove themselves once more to such a server. */
  readonly #own = randomSecret();

  private constructor(scope: FleetScope, box: SecretBox | undefined) {
    [this.#scope, this.#box] = [scope, box];
    this.#stop = scope.member.replica.onChange((differences) => {
      const difference = differences.find(({ key }) => key === FLEET_SECRET_KEY);
      if (difference?.after) this.#take(difference.after.value);
    });
  }

  /** The secret, made by the first server that wants it. While the store is away it is what is known. */
  static async open(scope: FleetScope, box: SecretBox | undefined): Promise<FleetSecret> {
    const secret = new FleetSecret(scope, box), known = scope.member.replica.get(FLEET_SECRET_KEY);
    try {
      secret.#take((known ?? await secret.#make()).value);
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      scope.log.warn(
        "api: the store is away: nodes that come from another server prove themselves once more",
      );
    }
    return secret;
  }

  /** Those of now: the one that texts are made with, then all others that count. */
  readonly ring: KeyRing = () => {
    const nowMs = this.#scope.clock.nowMs();
    const current = this.#opened.filter(({ untilMs = Infinity }) => nowMs < untilMs);
    const first = current.find(({ fromMs }) => fromMs <= nowMs) ?? current[0];
    const ring = [first, ...current.filter((one) => one !== first)].flatMap((one) => one?.octets ?? []);
    // The same list for as long as they are the same: what is known by it need not be looked at again.
    const isSame = ring.length === this.#ring.length && ring.every((one, i) => one === this.#ring[i]);
    if (!isSame || this.#ring.length === 0) this.#ring = ring.length > 0 ? ring : [this.#own];
    return this.#ring;
  };

  /** What may be known of it; undefined while there is none. */
  view(): FleetSecretView | undefined {
    const entry = this.#scope.member.replica.get(FLEET_SECRET_KEY);
    return entry && this.viewOf(entry.value);
  }

  /** The same of what a plan writes. */
  viewOf(value: string): FleetSecretView | undefined {
    const [newest] = keptIn(value);
    if (!newest) return undefined;
    const { sealed, fromMs } = newest, at = new Date(fromMs).toISOString();
    const isOld = this.#box !== undefined && (!sealed || this.#box.isOld(sealed));
    return { name: FLEET_SECRET_NAME, key: sealed?.key ?? null, isOld, at };
  }

  /** A new one. @param forget The old one is to count no more: nodes prove themselves once more. @throws {SecretError} */
  async planRotation(
    actor: string,
    { forget, reason }: { forget: boolean; reason?: string },
  ): Promise<FleetSecretPlan> {
    const { clock, member: { store } } = this.#scope, nowMs = clock.nowMs();
    const entry = await store.get(FLEET_SECRET_KEY);
    const before = forget || !entry
      ? []
      : keptIn(entry.value).filter(({ untilMs = Infinity }) => nowMs < untilMs);
    const fromMs = before.length > 0 ? nowMs + HEARD_MS : nowMs;
    const made = this.#keep(randomSecret(), { fromMs });
    const untilMs = fromMs + CREDENTIAL_MS;
    const kept = [
      made,
      ...before.map((one) => ({ ...one, untilMs: Math.min(one.untilMs ?? Infinity, untilMs) })),
    ];
    const after = { key: made.sealed?.key ?? null, fromMs, ...before.length > 0 && { oldUntilMs: untilMs } };
    return this.#plan(entry, kept, { actor, action: "secret.rotate", after, ...reason && { reason } });
  }

  /** All of it under the newest key; undefined where it is. @throws {SecretError} */
  async planReseal(actor: string): Promise<FleetSecretPlan | undefined> {
    const entry = await this.#scope.member.store.get(FLEET_SECRET_KEY), box = this.#box;
    if (!entry || !box) return undefined;
    const before = keptIn(entry.value);
    if (before.every(({ sealed }) => sealed && !box.isOld(sealed))) return undefined;
    const kept = before.map((one) => this.#keep(this.#open(one), one));
    return this.#plan(entry, kept, {
      ...{ actor, action: "secret.reseal", after: { names: [FLEET_SECRET_NAME], key: box.keyIds[0]! } },
    });
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #plan(
    entry: Entry | undefined,
    kept: readonly Kept[],
    event: Omit<AuditEvent, "subject">,
  ): FleetSecretPlan {
    return {
      events: [{ ...event, subject: FLEET_SECRET_KEY }],
      writes: [{ put: FLEET_SECRET_KEY, value: textOf(kept) }],
      conditions: [{ key: FLEET_SECRET_KEY, revision: entry?.revision ?? 0 }],
    };
  }

  async #make(): Promise<Entry> {
    const { clock, configuration: { server }, member: { store, ledger } } = this.#scope;
    const made = this.#keep(randomSecret(), { fromMs: clock.nowMs() });
    const { events, writes, conditions } = this.#plan(undefined, [made], {
      actor: `server:${server}`,
      action: "secret.make",
      after: { key: made.sealed?.key ?? null, fromMs: made.fromMs },
    });
    // Where another server was first, that one's is there.
    await ledger.write(events, writes, conditions);
    return (await store.get(FLEET_SECRET_KEY))!;
  }

  #keep(octets: Uint8Array, { fromMs, untilMs }: Pick<Kept, "fromMs" | "untilMs">): Kept {
    const span = { fromMs, ...untilMs !== undefined && { untilMs } };
    return this.#box
      ? { ...span, sealed: this.#box.seal(FLEET_SECRET_KEY, octets) }
      : { ...span, secret: octets.toBase64() };
  }

  /** What cannot be opened does not count here. */
  #take(value: string): void {
    const known = new Map(this.#opened.map((one) => [one.octets.toBase64(), one.octets]));
    this.#opened = keptIn(value).flatMap((kept): Opened[] => {
      try {
        const octets = this.#open(kept), { fromMs, untilMs } = kept;
        return [{
          octets: known.get(octets.toBase64()) ?? octets,
          fromMs,
          ...untilMs !== undefined && { untilMs },
        }];
      } catch (error) {
        if (!(error instanceof SecretError)) throw error;
        this.#scope.log.error(
          `api: ${error.message}; nodes that come from another server prove themselves once more`,
        );
        return [];
      }
    });
  }

  #open({ secret, sealed }: Kept): Uint8Array {
    if (!sealed) return Uint8Array.fromBase64(secret!);
    if (this.#box) return this.#box.open(FLEET_SECRET_KEY, sealed);
    throw new SecretError(
      `the secret that servers share is sealed with key ${sealed.key}: \`secrets\` is wanted in api`,
    );
  }
}

/** The newest first. Before there were several it was one alone. */
function keptIn(value: string): readonly Kept[] {
  const { secrets, secret } = JSON.parse(value) as { secrets?: readonly Kept[]; secret?: string };
  return secrets ?? [{ fromMs: 0, secret: secret! }];
}

function textOf(secrets: readonly Kept[]): string {
  return canonicalJson({ secrets } as unknown as Json);
}

function randomSecret(): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(32));
}
