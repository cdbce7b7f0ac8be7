/**
 * Formation's records: kept as they are below `formation/records/`, and put as RRsets into the managed zone that holds their
 * name, from which they are served.
 *
 * @module
 */

import { type Asking, eventOf, type Management } from "../../core/management/change.ts";
import { Records } from "../../core/management/records.ts";
import { canonicalJson, type Json } from "../../core/state/canonical.ts";
import { keyPart, KEYS } from "../../core/state/keys.ts";
import { parseName, type Prefix } from "../../core/plugin.ts";
import { FormationProblem, socketOf } from "./json.ts";
import { isWithinAny } from "./node_lists.ts";
import { PREFIX } from "./nodes.ts";
import type { FormationRecord, RecordRequest, VerificationStatus } from "./shapes.ts";

/** What it works with. */
export interface RecordsOptions {
  readonly management: Management;
  /** Networks whose IPv4 addresses are overlay ones. */
  readonly overlay: readonly Prefix[];
}

/** Below this they lie. */
export const RECORDS = `${PREFIX}records/`;

/** A new record's TTL, seconds. */
const NEW_TTL = 3600;

/** The types that a record may come to. */
const TYPES = ["A", "AAAA", "CNAME"] as const;

/** So often a change is tried when somebody else changes the same. */
const ATTEMPTS = 8;

/** See the module. */
export class FormationRecords {
  readonly #options: RecordsOptions;
  readonly #records: Records;

  constructor(options: RecordsOptions) {
    this.#options = options;
    this.#records = new Records(options.management);
  }

  /** @throws {FormationProblem} `key` is {@linkcode recordName}'s. */
  async get(name: string): Promise<FormationRecord> {
    const entry = await this.#store.get(keyOf(name));
    if (entry) return JSON.parse(entry.value);
    throw new FormationProblem(`there is no record for ${recordName(name)}`);
  }

  /** All of them, by name. */
  async list(): Promise<readonly (readonly [name: string, record: FormationRecord])[]> {
    const { entries } = await this.#store.list(RECORDS);
    return entries.map(({ value }) => JSON.parse(value) as FormationRecord)
      .map((record) => [record.domain, record] as const);
  }

  /** Makes a record, or another one in the place of what was there. @throws {FormationProblem} */
  create(request: RecordRequest, asking: Asking): Promise<FormationRecord> {
    const domain = recordName(request.domain ?? "");
    checkName(domain);
    return this.#change(domain, asking, () => this.#made(domain, request, NEW));
  }

  /** Changes a record. @throws {FormationProblem} Where there is none. */
  update(name: string, request: RecordRequest, asking: Asking): Promise<FormationRecord> {
    return this.#change(recordName(name), asking, (before) => {
      const known = this.#known(before, name);
      return this.#made(known.domain, request, request.replace ? { ...known, ...NO_ADDRESSES } : known);
    });
  }

  /** Takes a whole record, from records.json say; nothing is written where it is there already. */
  async import(record: FormationRecord, asking: Asking): Promise<FormationRecord> {
    const domain = recordName(record.domain);
    checkName(domain);
    return await this.#change(domain, asking, (before) => before ?? { ...record, domain });
  }

  /** Notes whether a name has been shown to be somebody's. */
  setVerification(
    name: string,
    verification_status: VerificationStatus,
    asking: Asking,
  ): Promise<FormationRecord> {
    const verification_timestamp = Math.floor(this.#options.management.clock.nowMs() / 1000);
    return this.#change(recordName(name), asking, (before) => {
      return { ...this.#known(before, name), verification_status, verification_timestamp };
    });
  }

  /** Takes a record away. @returns It. @throws {FormationProblem} Where there is none. */
  async remove(name: string, asking: Asking): Promise<FormationRecord> {
    let removed: FormationRecord | undefined;
    await this.#change(recordName(name), asking, (before) => {
      removed = this.#known(before, name);
      return undefined;
    });
    return removed!;
  }

  get #store(): Management["store"] {
    return this.#options.management.store;
  }

  #known(before: FormationRecord | undefined, name: string): FormationRecord {
    if (before) return before;
    throw new FormationProblem(`there is no record for ${recordName(name)}`);
  }

  #made(domain: string, request: RecordRequest, before: Omit<FormationRecord, "domain">): FormationRecord {
    const { addresses, record_type, cname_target, ssl_cert, ttl = before.ttl } = request;
    const isInside = (text: string) => isOverlay(text, this.#options.overlay);
    return {
      ...before,
      ...{ domain, record_type, cname_target, ssl_cert, ttl },
      formnet_ip: [...before.formnet_ip, ...addresses.filter(isInside)],
      public_ip: [...before.public_ip, ...addresses.filter((text) => !isInside(text))],
    };
  }

  async #change(
    domain: string,
    asking: Asking,
    plan: (before: FormationRecord | undefined) => FormationRecord | undefined,
  ): Promise<FormationRecord> {
    const { store, ledger } = this.#options.management, key = keyOf(domain);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const entry = await store.get(key), before = entry && JSON.parse(entry.value) as FormationRecord;
      const after = plan(before), value = after && canonicalJson(after as unknown as Json);
      // The zone first: what it refuses is no record.
      await this.#putIntoZone(domain, after, asking);
      if (value === entry?.value) return after!;
      const verb = !after ? "delete" : before ? "update" : "create";
      const event = eventOf(
        asking,
        `record.${verb}`,
        key,
        before as unknown as Json,
        after as unknown as Json,
      );
      const write = value === undefined ? { remove: key } : { put: key, value };
      const done = await ledger.write([event], [write], [{ key, revision: entry?.revision ?? 0 }]);
      if (done.succeeded) return after!;
    }
    throw new FormationProblem(`the record for ${domain} is changed by somebody else meanwhile: try again`);
  }

  /** Makes a managed zone's RRsets what the record says; where no zone holds the name, nothing is served. */
  async #putIntoZone(domain: string, record: FormationRecord | undefined, asking: Asking): Promise<void> {
    const zone = await this.zoneOf(domain);
    if (zone === undefined) return;
    const rrsets = record ? rrsetsOf(record) : {}, name = `${domain}.`;
    const changes = TYPES.map((type) => {
      const rdata = rrsets[type];
      return rdata
        ? { change: "put", name, type, ttl: record!.ttl, rdata }
        : { change: "delete", name, type };
    });
    await this.#records.change(zone, { changes }, asking);
  }

  /** The closest managed zone around a name; undefined = none. */
  async zoneOf(domain: string): Promise<string | undefined> {
    const labels = domain.split(".");
    for (let i = 0; i < labels.length; i++) {
      const zone = `${labels.slice(i).join(".")}.`;
      if (await this.#store.get(KEYS.zone(zone))) return zone;
    }
    return undefined;
  }
}

const NO_ADDRESSES = { public_ip: [], formnet_ip: [] } as const;

const NEW: Omit<FormationRecord, "domain"> = {
  ...{ record_type: "A", ...NO_ADDRESSES, cname_target: null, ssl_cert: false, ttl: NEW_TTL },
  ...{ verification_status: "NotVerified", verification_timestamp: null },
};

/** A name as records are kept by: in lower case, without the final dot. */
export function recordName(text: string): string {
  return text.toLowerCase().replace(/\.$/, "");
}

/** @throws {FormationProblem} */
function checkName(domain: string): void {
  if (domain === "") throw new FormationProblem("domain is missing");
  try {
    parseName(`${domain}.`);
  } catch (error) {
    throw new FormationProblem(`domain must be a domain name: ${(error as Error).message}`);
  }
}

function keyOf(name: string): string {
  return RECORDS + keyPart(recordName(name));
}

/** Whether a socket address is an overlay one: IPv6 ones never are, as in form-dns. */
export function isOverlay(socket: string, overlay: readonly Prefix[]): boolean {
  const { address, family } = socketOf(socket, "an address");
  return family === 4 && isWithinAny(address, overlay);
}

/** What the world is told of a record: its public addresses, each once, or those of the overlay where it has no others. */
export function rrsetsOf(record: FormationRecord): Readonly<Record<string, string[]>> {
  if (record.record_type === "CNAME") return { CNAME: [`${recordName(record.cname_target ?? "")}.`] };
  const sockets = (record.public_ip.length > 0 ? record.public_ip : record.formnet_ip)
    .map((text) => socketOf(text, "an address"));
  const ofFamily = (
    wanted: 4 | 6,
  ) => [...new Set(sockets.filter(({ family }) => family === wanted).map(({ address }) => address))];
  const [a, aaaa] = [ofFamily(4), ofFamily(6)];
  return { ...a.length > 0 && { A: a }, ...aaaa.length > 0 && { AAAA: aaaa } };
}
