/**
 * The configuration that servers share, on one of them: takes the version that the fleet wants, proves it aside, serves by
 * it, and tells what came of it.
 *
 *     fleet ──wanted──▶ files on the disk ──▶ parsed, checked, what it may run ──▶ the supervisor's next server
 *       ◀──seen: running, or refused and why────────────────────────────────────────┘
 *
 * What is this server's own (who it is, where its state is, what may be run) stands in the Corefile on its disk, whatever a
 * version says; without a version that Corefile is served.
 *
 * @module
 */

import { normalize } from "node:path/posix";
import type { Corefile, Problems } from "../corefile/directive.ts";
import { formatPosition } from "../corefile/directive.ts";
import { type ProblemRecord, problemRecords } from "../corefile/format.ts";
import { OWN_OPTIONS, refusedPrograms } from "../management/allowed_programs.ts";
import type { SeenConfiguration, WantedConfiguration } from "../membership/protocol.ts";
import type { Log } from "../plugin.ts";
import type { LoadedConfiguration, ReloadReport } from "../server/supervisor.ts";
import { type BuiltIn, type Foreign, loadCorefile, type Loaded, loadGlobals, loadHash } from "./load.ts";
import { VersionFolder, type VersionName, type VersionTexts } from "./version_folder.ts";

/** A Corefile and where it stands. */
interface Source {
  readonly file: string;
  readonly text: string;
}

/** What it works with. */
export interface DistributedOptions {
  /** Reads the Corefile on the disk. @throws {Error} When it cannot be read. */
  readDisk(): Source;
  readonly builtIn: BuiltIn;
  readonly defaultPort: number;
  asLoaded(loaded: Loaded): LoadedConfiguration;
  readonly log: Pick<Log, "error" | "info">;
}

/** Who serves by what is wanted. */
export interface Steering {
  reload(why: string, load?: () => Promise<LoadedConfiguration>): Promise<ReloadReport>;
  tellSeen(seen: SeenConfiguration): void;
}

/** What is wrong with a version that nobody runs yet. Plain data. */
export interface Validation {
  readonly errors: readonly ValidationProblem[];
  readonly warnings: readonly ValidationProblem[];
}

/** One problem. */
export interface ValidationProblem {
  /** Relative to the version's folder, where it lies there. */
  readonly file: string;
  /** With its position. */
  readonly message: string;
}

/** Global options that hold where a version says nothing of them. */
const DEFAULT_OPTIONS = ["lease", "spin", "vantages", "workers"];

/** The longest reason that is told. */
const REASON_MAX = 2000;

/** See the module. */
export class Distributed {
  readonly #options: DistributedOptions;
  #wanted: WantedConfiguration | null | undefined;
  /** What a reload takes up again. */
  #kept: VersionName | undefined;
  /** What is served; undefined = the Corefile on the disk. */
  #serving: VersionName | undefined;
  #steering: Steering | undefined;
  #last: Promise<void> = Promise.resolve();
  #isSettling = false;
  #isClosed = false;

  constructor(options: DistributedOptions) {
    this.#options = options;
  }

  /** What a start begins with: the version that was served last, where it can be loaded; else undefined. */
  async first(): Promise<LoadedConfiguration | undefined> {
    const own = this.#own();
    if (!own.isOn) return undefined;
    own.folder.removeAsides();
    this.#kept = own.folder.applied();
    const loaded = await this.load();
    if (!loaded?.hasErrors) {
      if (this.#kept) this.#options.log.info(`Serving by version ${this.#kept.number} of the configuration`);
      return loaded;
    }
    this.giveUp(loaded.problems);
    return undefined;
  }

  /** The version that was kept cannot be served: until the fleet is heard the Corefile on the disk is. */
  giveUp(why: string): void {
    const { number } = this.#kept!;
    this.#kept = undefined;
    this.#options.log.error(
      `Version ${number} of the configuration cannot be served any more, serving by the Corefile on the disk: ${why}`,
    );
  }

  /** The version that is to be served; undefined where the Corefile on the disk is. @throws {Error} */
  async load(): Promise<LoadedConfiguration | undefined> {
    const own = this.#own(), kept = this.#kept;
    if (!own.isOn || !kept) return undefined;
    return this.#asLoaded(await this.#loadVersion(own.folder.folderOf(kept), own), kept, own);
  }

  /** What stands for it, as load() would find it; undefined where the Corefile on the disk is served. @throws {Error} */
  async hash(): Promise<{ readonly hash: string | undefined } | undefined> {
    const own = this.#own();
    if (!own.isOn || !this.#kept) return undefined;
    const source = readIn(own.folder.folderOf(this.#kept));
    return { hash: await loadHash(source, this.#options.builtIn, foreign(source, own)) };
  }

  /** The Corefile on the disk is served from now on. */
  tookDisk(): void {
    this.#serving = undefined;
  }

  /** What the fleet wants from now on. */
  take(wanted: WantedConfiguration | null): void {
    this.#wanted = wanted;
    this.#settleSoon();
  }

  /** From now on what is wanted is served; after every reload, as the Corefile on the disk may allow now what it did not. */
  begin(steering: Steering): void {
    this.#steering = steering;
    if (!this.#isSettling) this.#settleSoon();
  }

  /** Resolves when nothing is under way any more. */
  idle(): Promise<void> {
    return this.#last;
  }

  /** Takes up nothing from now on; resolves when what was under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.idle();
  }

  /** What is wrong with a version, as far as can be seen without serving by it. */
  async validate(texts: VersionTexts): Promise<Validation> {
    const own = this.#own();
    // A server that keeps nothing can look at one all the same.
    const base = own.stateDirectory || Deno.makeTempDirSync();
    let folder = "";
    try {
      folder = new VersionFolder(base).writeAside(texts);
    } catch (error) {
      return { errors: [{ file: "Corefile", message: messageOf(error) }], warnings: [] };
    } finally {
      if (!folder && !own.stateDirectory) Deno.removeSync(base, { recursive: true });
    }
    try {
      const { problems } = await this.#loadVersion(folder, own), records = problemRecords(problems);
      const told = (severity: ProblemRecord["severity"]) =>
        records.filter((one) => one.severity === severity).map((one) => ({
          file: within(folder, one.file),
          message: lineOf(one, folder),
        }));
      return { errors: told("error"), warnings: told("warning") };
    } finally {
      Deno.removeSync(own.stateDirectory ? folder : base, { recursive: true });
    }
  }

  #settleSoon(): void {
    this.#last = this.#last.then(async () => {
      this.#isSettling = true;
      try {
        await this.#settle();
      } catch (error) {
        this.#options.log.error(`The configuration that servers share: ${messageOf(error)}`);
      } finally {
        this.#isSettling = false;
      }
    });
  }

  async #settle(): Promise<void> {
    const wanted = this.#wanted, steering = this.#steering;
    if (wanted === undefined || !steering || this.#isClosed) return;
    if (wanted === null) return await this.#leave(steering);
    const why = await this.#why(wanted, steering);
    if (this.#isClosed) return;
    const { number, digest } = wanted, runs = this.#serving?.number ?? 0;
    if (why === undefined) steering.tellSeen({ number, digest, state: "running", runs });
    else {
      const reason = why.slice(0, REASON_MAX);
      steering.tellSeen({ number, digest, state: "refused", runs, reason });
    }
  }

  /** Serves by what is wanted. @returns Why not; undefined when it does. */
  async #why(wanted: WantedConfiguration, steering: Steering): Promise<string | undefined> {
    const { fault } = wanted;
    if (fault !== undefined) return fault;
    if (isSame(wanted, this.#serving)) return undefined;
    let loaded: Loaded | undefined, folder = "";
    try {
      const own = this.#own();
      if (!own.isOn) return "this server's own Corefile does not say `configuration on`";
      folder = own.folder.write(wanted);
      const { taken, reason } = await steering.reload(
        `version ${wanted.number} of the configuration`,
        async () => {
          loaded = await this.#loadVersion(folder, own);
          return this.#asLoaded(loaded, wanted, own);
        },
      );
      if (taken) return undefined;
      own.folder.removeAllBut(this.#kept);
      // Lines of files that a version names may be nobody's business elsewhere.
      return loaded && loaded.problems.errors.length > 0 ? linesOf(loaded.problems, folder) : reason ?? "";
    } catch (error) {
      const message = messageOf(error);
      return folder ? message.replaceAll(`${folder}/`, "") : message;
    }
  }

  /** Back to the Corefile on the disk. */
  async #leave(steering: Steering): Promise<void> {
    const kept = this.#kept, own = this.#own();
    this.#kept = undefined;
    if (!own.isOn) return;
    if (!kept) return own.folder.apply(undefined);
    const { taken } = await steering.reload("no version of the configuration is wanted any more");
    if (!taken) return void (this.#kept = kept);
    own.folder.apply(undefined);
    steering.tellSeen({ number: 0, digest: "", state: "running", runs: 0 });
  }

  #asLoaded(loaded: Loaded, { number, digest }: VersionName, { folder }: Own): LoadedConfiguration {
    const onTaken = () => {
      this.#serving = this.#kept = { number, digest };
      try {
        folder.apply(this.#kept);
      } catch (error) {
        this.#options.log.error(
          `Version ${number} of the configuration is served, but not after a restart: ${messageOf(error)}`,
        );
      }
    };
    return { ...this.#options.asLoaded(loaded), onTaken };
  }

  #loadVersion(folder: string, own: Own): Promise<Loaded> {
    const { builtIn, defaultPort } = this.#options, source = readIn(folder);
    return loadCorefile(source, builtIn, defaultPort, foreign(source, own));
  }

  /** What the Corefile on the disk says for itself. @throws {Error} Where it cannot be read. */
  #own(): Own {
    const source = this.#options.readDisk();
    const { directives, globals, problems, directory } = loadGlobals(source, [
      ...OWN_OPTIONS,
      ...DEFAULT_OPTIONS,
    ]);
    if (problems.errors.length > 0) {
      throw new Error("the Corefile on this server's own disk has errors: `meridian check` shows them");
    }
    const { isOn = false, allowExec = [] } = globals.distributed ?? {};
    const { stateDirectory } = globals;
    return {
      ...{ isOn, allowExec, directives, directory, stateDirectory },
      folder: new VersionFolder(stateDirectory),
    };
  }
}

/** What the Corefile on a server's disk says for itself. */
interface Own {
  readonly isOn: boolean;
  readonly allowExec: readonly string[];
  readonly directives: Corefile["globals"];
  readonly directory: string;
  /** "" = it keeps nothing: then it is not on. */
  readonly stateDirectory: string;
  readonly folder: VersionFolder;
}

/** How a version is read: with what is this server's own, and nothing that it may not have. */
function foreign({ file }: Source, { allowExec, directives, directory }: Own): Foreign {
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  return {
    directory,
    mayRead: (path) => `${normalize(path)}/`.startsWith(normalize(folder)),
    adapt({ globals, blocks }, problems) {
      const refused = refusedPrograms({ globals, blocks }, allowExec);
      problems.errors.push(...refused);
      const said = new Set(globals.map(({ name }) => name.text));
      const own = directives.filter(({ name }) => OWN_OPTIONS.includes(name.text) || !said.has(name.text));
      // What is refused is not even looked at: a plugin's module would be run.
      return refused.length > 0 ? { globals: own, blocks: [] } : { globals: [...own, ...globals], blocks };
    },
  };
}

function readIn(folder: string): Source {
  const file = `${folder}/Corefile`;
  return { file, text: Deno.readTextFileSync(file) };
}

function linesOf(problems: Problems, folder: string): string {
  return problemRecords(problems).filter(({ severity }) => severity === "error")
    .map((one) => lineOf(one, folder)).join("\n");
}

/** What stands in files of the machine's own is nobody's business elsewhere: a version may name any. */
function lineOf({ file, line, column, message }: ProblemRecord, folder: string): string {
  if (!file.startsWith(`${folder}/`)) {
    return `${file}: something in it is wrong, of which the machine itself tells`;
  }
  const at = formatPosition({ file: within(folder, file), line, column });
  return `${at}: ${message.replaceAll(`${folder}/`, "")}`;
}

function within(folder: string, file: string): string {
  return file.startsWith(`${folder}/`) ? file.slice(folder.length + 1) : file;
}

function isSame(a: VersionName, b: VersionName | undefined): boolean {
  return b !== undefined && a.number === b.number && a.digest === b.digest;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
