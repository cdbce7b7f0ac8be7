/**
 * Versions of the configuration that servers share: a Corefile and the files that it names, kept whole, by number and by
 * digest. One is proposed, looked at, tried on some servers, applied to all, and rolled back; what each server made of it
 * is told by itself.
 *
 *     config/versions/N    what it says                 config/current   what all servers are to run
 *     config/seen/SERVER   what a server made of it     config/stage     what some are to try before
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { canonicalJson, digestOf, type Json } from "../state/canonical.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import type { Entry } from "../state/store.ts";
import { type Asking, change, checkConditions, eventOf, type Management, type Plan } from "./change.ts";
import { etagOf } from "./etag.ts";
import { type Page, pageOf, type PageRequest } from "./pagination.ts";
import { type FieldProblem, ProblemError } from "./problem.ts";
import type { Reader } from "./reader.ts";
import type { ResourceAnswer } from "./resource.ts";
import {
  type Current,
  readCurrent,
  readRollout,
  readSeen,
  readStage,
  type Rollout,
  type Seen,
  type Stage,
  type ToApply,
  whyNotReady,
} from "./rollout.ts";
import { pointerTo, readAs, text, wanted } from "./schema.ts";
import { unifiedDiff } from "./text_diff.ts";
import { isVersionPath } from "./version_path.ts";

/** The most octets of a version: with its record it must fit into one transaction. */
export const VERSION_OCTETS_MAX = 900 << 10;

/** What is proposed. */
export const proposalSchema = z.strictObject({
  corefile: z.string(wanted("the text of a Corefile")).min(1),
  files: z.record(z.string(), z.string(wanted("a file's text"))).optional()
    .openapi({
      description: "files that it names, by path relative to it",
      example: { "zones/example.org.zone": "" },
    }),
  reason: text("a reason").optional(),
}).openapi("ConfigurationProposal");

/** A version. */
export interface Version {
  readonly number: number;
  /** SHA-256 of Corefile and files: equal of equal ones. */
  readonly digest: string;
  readonly corefile: string;
  readonly files: Readonly<Record<string, string>>;
  readonly actor: string;
  /** ISO 8601. */
  readonly at: string;
  readonly reason?: string;
  /** What is odd about it, though not wrong. */
  readonly warnings: readonly string[];
}

/** A version in a list: without its texts. */
export type VersionSummary = Omit<Version, "corefile" | "files"> & {
  readonly files: readonly string[];
  readonly isCurrent: boolean;
  readonly isStaged: boolean;
};

/** Says what is wrong with a version, as the server that is asked would find. */
export type Validate = (version: Pick<Version, "corefile" | "files">) => Promise<{
  readonly errors: readonly FieldProblem[];
  readonly warnings: readonly string[];
}>;

/** Keeps versions, and says which of them servers are to run. */
export class Configurations {
  readonly #management: Management;
  readonly #validate: Validate;

  constructor(management: Management, validate: Validate) {
    [this.#management, this.#validate] = [management, validate];
  }

  /** What is wrong with a proposal, without keeping it. @throws {ProblemError} `invalid`, `too-large` */
  async validate(body: unknown): Promise<{ readonly digest: string; readonly warnings: readonly string[] }> {
    const { version, warnings } = await this.#checked(body);
    return { digest: version.digest, warnings };
  }

  /** Keeps a version, under the next number. Nothing runs it yet. */
  async propose(body: unknown, asking: Asking): Promise<ResourceAnswer<VersionSummary>> {
    const { store, clock } = this.#management, { version, warnings, reason } = await this.#checked(body);
    const at = new Date(clock.nowMs()).toISOString();
    return await this.#change("propose", asking, { digest: version.digest }, async () => {
      const { entries } = await store.list(PREFIXES.configurationVersions);
      const number = entries.reduce((most, { value }) =>
        Math.max(most, (JSON.parse(value) as Version).number), 0) + 1;
      const kept: Version = {
        ...version,
        number,
        actor: asking.actor,
        at,
        warnings,
        ...reason && { reason },
      };
      const key = KEYS.configurationVersion(number), told = summaryOf(kept, undefined, undefined);
      const after = { number, digest: version.digest, files: told.files };
      return {
        events: [eventOf(asking, "configuration.propose", `configuration/${number}`, undefined, after)],
        writes: [{ put: key, value: canonicalJson(kept as unknown as Json) }],
        conditions: [{ key, revision: 0 }],
        ...{ status: 201, value: told as unknown as Json },
      };
    });
  }

  /** A version with its texts. @throws {ProblemError} `not-found` */
  async get(number: number): Promise<Version> {
    return await findVersion(this.#reader, number);
  }

  /** Versions, the newest first. */
  async history(page: PageRequest = {}): Promise<Page<VersionSummary>> {
    const reader = this.#reader, { entries } = await reader.list(PREFIXES.configurationVersions);
    const [current, stage] = [await readCurrent(reader), await readStage(reader)];
    const versions = entries.map(({ value }) => summaryOf(JSON.parse(value), current?.value, stage?.value))
      .reverse();
    return pageOf(versions, ({ number }) => String(1e12 - number).padStart(13, "0"), page);
  }

  /** What became different between two versions, file by file; `from` 0 = nothing at all. */
  async diff(from: number, to: number): Promise<string> {
    const [before, after] = [from === 0 ? undefined : await this.get(from), await this.get(to)];
    const files = new Set([...Object.keys(before?.files ?? {}), ...Object.keys(after.files)]);
    return [
      unifiedDiff("Corefile", before?.corefile, after.corefile),
      ...[...files].sort().map((path) => unifiedDiff(path, before?.files[path], after.files[path])),
    ].join("");
  }

  /** What servers are to run, and what they made of it. */
  rollout(): Promise<Rollout> {
    return readRollout(this.#reader);
  }

  /**
   * Applies a version: to the servers named, to be tried there; or to all. To all only when each server that was to try it
   * runs it, unless that is acknowledged. If-Match names the tag of what is current.
   */
  apply(number: number, to: ToApply, asking: Asking): Promise<ResourceAnswer<Current | Stage>> {
    return this.#change("apply", asking, { number, to: to as Json }, async () => {
      const { store } = this.#management, version = await findVersion(store, number);
      const [current, stage] = [await readCurrent(store), await readStage(store)];
      await checkConditions(store, asking, current?.entry.revision ?? 0, "configuration/current");
      return to.servers
        ? this.#staged(version, to.servers, current, stage, asking)
        : await this.#applied(version, to.acknowledged ?? false, current, stage, asking);
    });
  }

  /** Ends a trial; where there is none, back to what all servers ran before. */
  rollback(asking: Asking): Promise<ResourceAnswer<Current>> {
    return this.#change("rollback", asking, {}, async () => {
      const { store } = this.#management;
      const [current, stage] = [await readCurrent(store), await readStage(store)];
      await checkConditions(store, asking, current?.entry.revision ?? 0, "configuration/current");
      if (stage) return ended(stage, current, asking);
      const previous = current?.value.previous;
      if (!current || previous === undefined) {
        throw new ProblemError("conflict", "there is nothing to go back to");
      }
      return this.#current(await findVersion(store, previous), "rollback", current, undefined, asking);
    });
  }

  get #reader(): Reader {
    return this.#management.reader ?? this.#management.store;
  }

  #staged(
    { number, digest }: Version,
    servers: readonly string[],
    current: Found<Current>,
    stage: Found<Stage>,
    asking: Asking,
  ): Plan {
    if (servers.length === 0) {
      throw ProblemError.invalid([{ pointer: "/servers", detail: "wanted at least one" }]);
    }
    const at = new Date(this.#management.clock.nowMs()).toISOString();
    const after: Stage = { number, digest, servers, actor: asking.actor, at };
    const key = KEYS.configurationStage;
    return {
      events: [
        eventOf(asking, "configuration.stage", `configuration/${number}`, json(stage?.value), json(after)),
      ],
      writes: [{ put: key, value: canonicalJson(json(after)!) }],
      conditions: [at0(key, stage), at0(KEYS.configurationCurrent, current)],
      ...{ status: 200, value: json(after)! },
    };
  }

  async #applied(
    version: Version,
    acknowledged: boolean,
    current: Found<Current>,
    stage: Found<Stage>,
    asking: Asking,
  ): Promise<Plan> {
    const seen = await readSeen(this.#management.store);
    const why = acknowledged ? undefined : whyNotReady(version.number, stage?.value, seen);
    if (why) throw new ProblemError("conflict", why);
    return this.#current(version, "apply", current, stage, asking);
  }

  #current(
    { number, digest }: Version,
    verb: string,
    current: Found<Current>,
    stage: Found<Stage>,
    asking: Asking,
  ): Plan {
    const { actor } = asking, at = new Date(this.#management.clock.nowMs()).toISOString();
    const before = current?.value;
    // To apply what is current already leads back to what it led back to.
    const previous = before?.number === number ? before.previous : before?.number;
    const after: Current = { number, digest, actor, at, ...previous !== undefined && { previous } };
    const key = KEYS.configurationCurrent;
    return {
      events: [eventOf(asking, `configuration.${verb}`, "configuration/current", json(before), json(after))],
      writes: [
        { put: key, value: canonicalJson(json(after)!) },
        ...stage ? [{ remove: KEYS.configurationStage }] : [],
      ],
      conditions: [at0(key, current), at0(KEYS.configurationStage, stage)],
      ...{ status: 200, value: json(after)! },
    };
  }

  async #checked(body: unknown) {
    const { corefile, files = {}, reason } = readAs(proposalSchema, body);
    const problems = Object.keys(files).flatMap(pathProblems);
    if (problems.length > 0) throw ProblemError.invalid(problems);
    const octets = new TextEncoder().encode(canonicalJson({ corefile, files })).length;
    if (octets > VERSION_OCTETS_MAX) {
      throw new ProblemError(
        "too-large",
        `wanted at most ${VERSION_OCTETS_MAX} octets in all, got ${octets}`,
      );
    }
    const { errors, warnings } = await this.#validate({ corefile, files });
    if (errors.length > 0) throw ProblemError.invalid(errors);
    return { version: { corefile, files, digest: digestOf({ corefile, files }) }, warnings, reason };
  }

  async #change<T>(
    verb: string,
    asking: Asking,
    asked: Readonly<Record<string, Json>>,
    plan: () => Promise<Plan>,
  ): Promise<ResourceAnswer<T>> {
    const operation = { operation: `configuration.${verb}`, ...asked, ifMatch: asking.ifMatch };
    const { status, value, revision } = await change(this.#management, asking, operation, plan);
    return value === undefined ? { status } : { status, value: value as T, etag: etagOf(revision) };
  }
}

/** A value with its entry, where it is there. */
type Found<T> = { readonly value: T; readonly entry: Entry } | undefined;

async function findVersion(reader: Reader, number: number): Promise<Version> {
  const isNumber = Number.isSafeInteger(number) && number > 0;
  const entry = isNumber ? await reader.get(KEYS.configurationVersion(number)) : undefined;
  if (!entry) throw new ProblemError("not-found", `there is no version ${number} of the configuration`);
  return JSON.parse(entry.value);
}

/** The plan that ends a trial. */
function ended(stage: NonNullable<Found<Stage>>, current: Found<Current>, asking: Asking): Plan {
  const { value, entry } = stage;
  return {
    events: [eventOf(asking, "configuration.unstage", `configuration/${value.number}`, json(value))],
    writes: [{ remove: entry.key }],
    conditions: [at0(entry.key, stage), at0(KEYS.configurationCurrent, current)],
    status: 200,
    ...current && { value: json(current.value)! },
  };
}

function summaryOf(
  { corefile: _, files, ...rest }: Version,
  current: Current | undefined,
  stage: Stage | undefined,
): VersionSummary {
  const { number } = rest;
  const isCurrent = current?.number === number, isStaged = stage?.number === number;
  return { ...rest, files: Object.keys(files).sort(), isCurrent, isStaged };
}

/** Below the folder of the Corefile and nowhere else. */
function pathProblems(path: string): FieldProblem[] {
  const detail =
    "wanted a path below the Corefile's folder, of letters, digits, '.', '_' and '-', another than Corefile";
  return isVersionPath(path) ? [] : [{ pointer: pointerTo("files", path), detail }];
}

function at0(key: string, found: Found<unknown>) {
  return { key, revision: found?.entry.revision ?? 0 };
}

function json(value: object | undefined): Json | undefined {
  return value as Json | undefined;
}

export type { Current, Rollout, Seen, Stage, ToApply };
