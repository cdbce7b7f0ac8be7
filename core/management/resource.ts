/**
 * Things of one kind that lie in the store, each under a key of its own, and what can be done with them.
 *
 *     body --schema--> value --check--> plan --ledger--> store
 *       all fields at fault, at once      \-- with its record, before and after
 *
 * @module
 */

import type { z } from "@hono/zod-openapi";
import { canonicalJson, digestOf, type Json } from "../state/canonical.ts";
import { objectIn } from "../state/object_in.ts";
import type { Entry } from "../state/store.ts";
import {
  type Asking,
  change,
  type Changed,
  checkConditions,
  eventOf,
  type Management,
  type Plan,
} from "./change.ts";
import { etagOf } from "./etag.ts";
import { type Listed, listedOf, readListed } from "./listed.ts";
import { isObject, mergePatch } from "./merge_patch.ts";
import { chosenBy, type Page, pageOfRead, type PageRequest } from "./pagination.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import { pointerTo, readAs, shown } from "./schema.ts";

/** What a kind of thing is. */
export interface ResourceKind<S extends z.ZodType> {
  /** As in paths: `nodes`. */
  readonly name: string;
  /** As in the audit log: `node`. */
  readonly singular: string;
  readonly schema: S;
  /** Below which all lie. */
  readonly prefix: string;
  /** Where the one of an id lies. */
  key(id: string): string;
  /** The field that has the id. */
  readonly id: "id" | "name";
  /** Fields that no request sets. A request may have them as they are, so that what was read can be sent back. */
  readonly readOnly: readonly string[];
  /** What the server adds: to something new the id, too, where the body has none. */
  complete?(value: z.output<S>, made: Made, before?: z.output<S>): z.output<S>;
  /** What the server sets anew in something that has been changed. */
  changed?(value: z.output<S>, actor: string): z.output<S>;
  /** What no schema can say. */
  check?(
    value: z.output<S>,
    facts: CheckFacts<S>,
  ): readonly FieldProblem[] | Promise<readonly FieldProblem[]>;
  /** Throws where it cannot go. */
  checkRemoval?(value: z.output<S>, reader: Reader): void | Promise<void>;
  /** Keys of what is of no use without it, and goes in the same transaction. */
  alsoRemove?(id: string): readonly string[];
  /** What lists can be narrowed by. */
  readonly filters: Readonly<Record<string, (value: z.output<S>, wanted: string) => boolean>>;
  /** Those that are not in the store but are listed with the rest, and where they are to be changed. */
  fixed?(): Fixed<z.output<S>>;
}

/** What is not in the store. */
export interface Fixed<T> {
  readonly values: readonly T[];
  readonly where: string;
  /** Whether they hide what the store has of the same id; that can be taken away, and nothing else. */
  readonly goesFirst?: true;
}

/** How something new came to be. */
export interface Made {
  readonly actor: string;
  readonly nowMs: number;
  readonly id: string;
}

/** What a check may look at. */
export interface CheckFacts<S extends z.ZodType> {
  /** What it was; undefined = it is new. */
  readonly before: z.output<S> | undefined;
  readonly nowMs: number;
  readonly reader: Reader;
}

/** Something, and its entity tag. */
export interface Versioned<T> {
  readonly value: T;
  readonly etag: string;
}

/** What became of a request. */
export interface ResourceAnswer<T> {
  readonly status: number;
  readonly value?: T;
  /** Absent when it is gone. */
  readonly etag?: string;
}

/** What lies there of one key. */
interface Found<T> {
  readonly entry: Entry;
  /** Undefined where it is nothing that could be read: it can be taken away, or made anew. */
  readonly value: T | undefined;
}

/** Lists, reads and changes the things of one kind. */
export class Resources<S extends z.ZodType<object>> {
  readonly kind: ResourceKind<S>;
  readonly #management: Management;

  constructor(management: Management, kind: ResourceKind<S>) {
    [this.#management, this.kind] = [management, kind];
  }

  /** A page of those that the filters leave, ascending by id. @throws {ProblemError} `malformed` */
  async list(
    page: PageRequest = {},
    filters: Readonly<Record<string, string>> = {},
  ): Promise<Page<Versioned<z.output<S>>>> {
    const isChosen = chosenBy(this.kind.filters, filters);
    const { entries } = await this.#reader.list(this.kind.prefix),
      { values = [], ...how } = this.kind.fixed?.() ?? {};
    const fixed = values.map((value) => [this.kind.key(this.#idOf(value)!), value] as const);
    return await pageOfRead(listedOf(entries, fixed, how), (listed: Listed<z.output<S>>) => {
      const versioned = readListed(listed);
      return versioned && isChosen(versioned.value) ? versioned : undefined;
    }, page);
  }

  /** One. @throws {ProblemError} `not-found` */
  async get(id: string): Promise<Versioned<z.output<S>>> {
    const fixed = this.#fixed(id);
    if (fixed && this.#isHidden(id)) return fixed;
    const found = await this.#find(this.#reader, id);
    if (found) return { value: this.#readable(id, found), etag: etagOf(found.entry.revision) };
    if (fixed) return fixed;
    throw this.#notFound(id);
  }

  /** Makes a new one; its id is the body's or, where the kind gives one, the server's. */
  create(body: unknown, asking: Asking): Promise<ResourceAnswer<z.output<S>>> {
    // Planned anew it keeps its id.
    const newId = this.#management.newId();
    return this.#change("create", asking, { body: body as Json }, async () => {
      const value = this.#completed(readAs(this.kind.schema, body), newId, asking);
      const id = this.#idOf(value);
      if (id === undefined) throw this.#missingId();
      const found = await this.#find(this.#management.store, id);
      if (found || this.#fixed(id)) throw new ProblemError("exists", `${this.#subject(id)} is there already`);
      return await this.#planOf(asking, id, undefined, value, body);
    });
  }

  /** Makes the one of this id what the body says, whether it is there or not. */
  put(id: string, body: unknown, asking: Asking): Promise<ResourceAnswer<z.output<S>>> {
    return this.#change("put", asking, { id, body: body as Json }, async () => {
      const found = await this.#findToChange(id, asking);
      const withId = isObject(body as Json) ? { [this.kind.id]: id, ...body as object } : body;
      const read = readAs(this.kind.schema, withId);
      const value = this.#completed(read, id, asking, found?.value);
      return await this.#planOf(asking, id, found, value, body);
    });
  }

  /** Changes some of it: a merge patch (RFC 7396). */
  patch(id: string, patch: unknown, asking: Asking): Promise<ResourceAnswer<z.output<S>>> {
    return this.#change("patch", asking, { id, body: patch as Json }, async () => {
      const found = await this.#findToChange(id, asking);
      if (!found) throw this.#notFound(id);
      const merged = mergePatch(this.#readable(id, found) as unknown as Json, patch as Json);
      const value = this.#completed(readAs(this.kind.schema, merged), id, asking, found.value);
      return await this.#planOf(asking, id, found, value, merged);
    });
  }

  /** Takes it away. */
  remove(id: string, asking: Asking): Promise<ResourceAnswer<z.output<S>>> {
    return this.#change("delete", asking, { id }, async () => {
      const found = await this.#findToChange(id, asking, true);
      if (!found) throw this.#notFound(id);
      if (found.value) await this.kind.checkRemoval?.(found.value, this.#management.store);
      const { key, revision } = found.entry;
      const before = (found.value ?? found.entry.value) as Json;
      return {
        events: [eventOf(asking, `${this.kind.singular}.delete`, this.#subject(id), before)],
        writes: [key, ...this.kind.alsoRemove?.(id) ?? []].map((key) => ({ remove: key })),
        conditions: [{ key, revision }],
        status: 204,
      };
    });
  }

  get #reader(): Reader {
    return this.#management.reader ?? this.#management.store;
  }

  async #change(
    verb: string,
    asking: Asking,
    asked: { readonly id?: string; readonly body?: Json },
    plan: () => Promise<Plan>,
  ): Promise<ResourceAnswer<z.output<S>>> {
    const { ifMatch, ifNoneMatch } = asking;
    const operation = { operation: `${this.kind.name}.${verb}`, ...asked, ifMatch, ifNoneMatch };
    return this.#told(await change(this.#management, asking, operation, plan));
  }

  #told({ status, value, revision }: Changed): ResourceAnswer<z.output<S>> {
    return value === undefined ? { status } : { status, value: value as z.output<S>, etag: etagOf(revision) };
  }

  /** What is written where `found` becomes `value`. */
  async #planOf(
    asking: Asking,
    id: string,
    found: Found<z.output<S>> | undefined,
    value: z.output<S>,
    body: unknown,
  ): Promise<Plan> {
    const before = found?.value, key = this.kind.key(id);
    const kept = this.#withReadOnly(value, before);
    const facts = { before, nowMs: this.#management.clock.nowMs(), reader: this.#management.store };
    const problems = [...this.#idProblems(id, value), ...this.#readOnlyProblems(body, kept)];
    problems.push(...await this.kind.check?.(kept, facts) ?? []);
    if (problems.length > 0) throw ProblemError.invalid(problems);
    const status = found ? 200 : 201;
    if (found && canonicalJson(before as unknown as Json) === canonicalJson(kept as unknown as Json)) {
      const { revision } = found.entry;
      return { events: [], writes: [], conditions: [], status, value: kept as unknown as Json, revision };
    }
    const stored = found && this.kind.changed ? this.kind.changed(kept, asking.actor) : kept;
    const after = stored as unknown as Json, text = canonicalJson(after);
    const action = `${this.kind.singular}.${found ? "update" : "create"}`;
    return {
      events: [eventOf(asking, action, this.#subject(id), before as Json | undefined, after)],
      writes: [{ put: key, value: text }],
      conditions: [{ key, revision: found?.entry.revision ?? 0 }],
      ...{ status, value: after },
    };
  }

  #withReadOnly(value: z.output<S>, before: z.output<S> | undefined): z.output<S> {
    if (!before) return value;
    const kept = { ...value } as Record<string, unknown>;
    for (const field of this.kind.readOnly) {
      delete kept[field];
      if (Object.hasOwn(before, field)) kept[field] = (before as Record<string, unknown>)[field];
    }
    return kept as z.output<S>;
  }

  #readOnlyProblems(body: unknown, kept: z.output<S>): FieldProblem[] {
    const sent = body as Record<string, Json>, is = kept as Record<string, Json | undefined>;
    return this.kind.readOnly
      .filter((field) =>
        sent[field] !== undefined && canonicalJson(sent[field]) !== canonicalJson(is[field] ?? null)
      )
      .map((field) => ({
        pointer: pointerTo(field),
        detail: "is set by the server: wanted it as it is, or left out",
      }));
  }

  #idProblems(id: string, value: z.output<S>): FieldProblem[] {
    const found = this.#idOf(value);
    if (found === id) return [];
    return [{
      pointer: pointerTo(this.kind.id),
      detail: `wanted ${shown(id)}, as the path has it, got ${shown(found)}`,
    }];
  }

  #completed(value: z.output<S>, id: string, { actor }: Asking, before?: z.output<S>): z.output<S> {
    const made = { actor, id, nowMs: this.#management.clock.nowMs() };
    return this.kind.complete?.(value, made, before) ?? value;
  }

  /** What is to be changed, when it may be. */
  async #findToChange(
    id: string,
    asking: Asking,
    isRemoved = false,
  ): Promise<Found<z.output<S>> | undefined> {
    const { store } = this.#management, found = await this.#find(store, id);
    if (found ? !isRemoved && this.#isHidden(id) : this.#fixed(id)) {
      throw new ProblemError(
        "fixed",
        `${this.#subject(id)} is from ${this.kind.fixed!().where}: change it there`,
      );
    }
    await checkConditions(store, asking, found?.entry.revision ?? 0, this.#subject(id));
    return found;
  }

  async #find(reader: Reader, id: string): Promise<Found<z.output<S>> | undefined> {
    const entry = await reader.get(this.kind.key(id));
    return entry && { entry, value: objectIn(entry.value) as z.output<S> | undefined };
  }

  #readable(id: string, { value }: Found<z.output<S>>): z.output<S> {
    if (value) return value;
    const what = `what the store has of ${this.#subject(id)} cannot be read: take it away, or put it anew`;
    throw new ProblemError("conflict", what);
  }

  #fixed(id: string): Versioned<z.output<S>> | undefined {
    const value = this.kind.fixed?.().values.find((value) => this.#idOf(value) === id);
    return value && { value, etag: `"${digestOf(value as unknown as Json)}"` };
  }

  /** Whether what the store has of an id is of no account. */
  #isHidden(id: string): boolean {
    return this.kind.fixed?.().goesFirst === true && this.#fixed(id) !== undefined;
  }

  #idOf(value: z.output<S>): string | undefined {
    return (value as Record<string, string | undefined>)[this.kind.id];
  }

  #subject(id: string): string {
    return `${this.kind.name}/${id}`;
  }

  #notFound(id: string): ProblemError {
    return new ProblemError("not-found", `there is no ${this.kind.singular} ${shown(id)}`);
  }

  #missingId(): ProblemError {
    return ProblemError.invalid([{ pointer: pointerTo(this.kind.id), detail: "is missing" }]);
  }
}
