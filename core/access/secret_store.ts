/**
 * Secrets in the store: written by people, opened by servers, shown to nobody.
 *
 * @module
 */

import type { AuditEvent } from "../state/audit.ts";
import { canonicalJson, type Json } from "../state/canonical.ts";
import { KEYS, namePart, PREFIXES } from "../state/keys.ts";
import type { Ledger } from "../state/ledger.ts";
import type { Condition, Store, Write } from "../state/store.ts";
import type { Actor } from "./actor.ts";
import { AccessError } from "./error.ts";
import { may } from "./roles.ts";
import { type Sealed, type SecretBox, SecretError } from "./secrets.ts";

/** What secrets are kept with. */
export interface SecretStoreOptions {
  readonly store: Store;
  readonly ledger: Ledger;
  readonly box: SecretBox;
}

/** What may be known of a secret. */
export interface SecretView {
  readonly name: string;
  /** The id of the key that it is encrypted with, and whether there is a newer one. */
  readonly key: string;
  readonly isOld: boolean;
}

/** A change that has not been made. */
export interface SecretPlan {
  readonly events: readonly AuditEvent[];
  readonly writes: readonly Write[];
  readonly conditions: readonly Condition[];
}

/** The longest secret, in octets. */
const OCTETS_MAX = 65_536;

/** How many secrets are encrypted anew in one transaction. */
const BATCH = 32;

/** The secrets of a fleet. */
export class SecretStore {
  readonly #options: SecretStoreOptions;

  constructor(options: SecretStoreOptions) {
    this.#options = options;
  }

  /** Keeps a secret, in place of what had its name. @throws {AccessError} Not this actor, not such a one, or not just now. */
  async put(actor: Actor, name: string, secret: Uint8Array): Promise<SecretView> {
    const sealed = this.seal(name, secret);
    await this.#commit(name, await this.plan(actor, name, sealed));
    return viewOf(name, sealed, this.#options.box);
  }

  /** What a request may hold while it waits for approval, in place of the secret. @throws {AccessError} Not such a one. */
  seal(name: string, secret: Uint8Array): Sealed {
    if (!/^[\w.@-]{1,128}$/.test(name)) {
      throw new AccessError("invalid", `Cannot use ${JSON.stringify(name)} as the name of a secret`, "name");
    }
    if (secret.length > OCTETS_MAX) {
      throw new AccessError(
        "invalid",
        `Cannot keep ${secret.length} octets: at most ${OCTETS_MAX}`,
        "secret",
      );
    }
    return this.#options.box.seal(name, secret);
  }

  /**
   * What it takes to keep a sealed secret, for a transaction; without one, to take away what there is.
   *
   * @throws {AccessError} Not this actor, or there is nothing to take away. @throws {SecretError} It cannot be opened.
   */
  async plan(actor: Actor, name: string, sealed?: Sealed): Promise<SecretPlan> {
    const key = KEYS.secret(name), entry = await this.#options.store.get(key);
    if (!sealed && !entry) throw new AccessError("absent", `Cannot find secret ${name}: there is none`);
    if (sealed) this.#options.box.open(name, sealed);
    const verb = !sealed ? "delete" : entry ? "update" : "create";
    const decision = may(actor, { resource: "secrets", verb });
    if (!decision.allowed) throw new AccessError("forbidden", decision.why);
    const about = { actor: actor.id, action: `secret.${verb}`, subject: key };
    return {
      // That there was a change, and under which key; of the secret the record says nothing.
      events: [{ ...about, ...sealed && { after: { key: sealed.key } } }],
      writes: [sealed ? { put: key, value: textOf(sealed) } : { remove: key }],
      conditions: [{ key, revision: entry?.revision ?? 0 }],
    };
  }

  /** Takes one away. @throws {AccessError} There is none, or not this actor, or somebody changed it just now. */
  async remove(actor: Actor, name: string): Promise<void> {
    await this.#commit(name, await this.plan(actor, name));
  }

  /** What is in one, for the server's own use: no actor is ever given it. @throws {AccessError} @throws {SecretError} */
  async open(name: string): Promise<Uint8Array> {
    const entry = await this.#options.store.get(KEYS.secret(name));
    if (!entry) throw new AccessError("absent", `Cannot find secret ${name}: there is none`);
    return this.#options.box.open(name, JSON.parse(entry.value) as Sealed);
  }

  /** What there is, by name. */
  async list(): Promise<readonly SecretView[]> {
    const { entries } = await this.#options.store.list(PREFIXES.secrets);
    return entries.map(({ key, value }) => viewOf(nameOf(key), JSON.parse(value), this.#options.box));
  }

  /**
   * Encrypts with the newest key what is not; afterwards the others can be thrown away. What somebody changes meanwhile is
   * left, and what cannot be opened too.
   *
   * @returns How many were, and the names of those that are still under another key.
   */
  async reseal(actor: string): Promise<{ readonly resealed: number; readonly left: readonly string[] }> {
    const { store, box } = this.#options;
    const { entries } = await store.list(PREFIXES.secrets);
    const old = entries.filter(({ value }) => box.isOld(JSON.parse(value)));
    let count = 0;
    for (let at = 0; at < old.length; at += BATCH) {
      count += await this.#resealSome(actor, old.slice(at, at + BATCH));
    }
    return {
      resealed: count,
      left: (await this.list()).filter(({ isOld }) => isOld).map(({ name }) => name),
    };
  }

  async #resealSome(
    actor: string,
    entries: readonly { readonly key: string; readonly value: string; readonly revision: number }[],
  ): Promise<number> {
    const { ledger, box } = this.#options;
    const done = entries.flatMap(({ key, value, revision }) =>
      resealed(box, nameOf(key), JSON.parse(value)).map((sealed) => ({ key, revision, sealed }))
    );
    if (done.length === 0) return 0;
    const names = done.map(({ key }) => nameOf(key));
    const event = {
      actor,
      action: "secret.reseal",
      subject: "secrets",
      after: { names, key: box.keyIds[0]! },
    };
    const { succeeded } = await ledger.write(
      [event],
      done.map(({ key, sealed }) => ({ put: key, value: textOf(sealed) })),
      done.map(({ key, revision }) => ({ key, revision })),
    );
    return succeeded ? done.length : 0;
  }

  async #commit(name: string, { events, writes, conditions }: SecretPlan): Promise<void> {
    const { succeeded } = await this.#options.ledger.write(events, writes, conditions);
    if (!succeeded) {
      throw new AccessError("conflict", `Cannot change secret ${name}: it was changed just now`);
    }
  }
}

/** Under the newest key; none where it cannot be opened. */
function resealed(box: SecretBox, name: string, sealed: Sealed): Sealed[] {
  try {
    return [box.reseal(name, sealed)];
  } catch (error) {
    if (error instanceof SecretError) return [];
    throw error;
  }
}

function viewOf(name: string, sealed: Sealed, box: SecretBox): SecretView {
  return { name, key: sealed.key, isOld: box.isOld(sealed) };
}

function nameOf(key: string): string {
  return namePart(key.slice(PREFIXES.secrets.length));
}

function textOf(sealed: Sealed): string {
  return canonicalJson(sealed as unknown as Json);
}
