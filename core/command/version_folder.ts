/**
 * The versions of a shared configuration that a server keeps on its disk, each in a folder of its own, and which of them it
 * serves by.
 *
 *     STATE/configuration/applied.json       { number, digest }
 *     STATE/configuration/N-DIGEST/Corefile  with its files beside it
 *
 * @module
 */

import { normalize } from "node:path/posix";
import { isVersionPath } from "../management/version_path.ts";

/** Which version. */
export interface VersionName {
  readonly number: number;
  /** SHA-256, in hexadecimal. */
  readonly digest: string;
}

/** What it says. */
export interface VersionTexts {
  readonly corefile: string;
  /** By path relative to the Corefile. */
  readonly files: Readonly<Record<string, string>>;
}

/** See the module. */
export class VersionFolder {
  readonly path: string;

  /** @param stateDirectory What was kept there is there after a restart. */
  constructor(stateDirectory: string) {
    // As parsers of Corefiles write it.
    this.path = normalize(`${stateDirectory}/configuration`);
  }

  /** The folder of a version. */
  folderOf({ number, digest }: VersionName): string {
    return `${this.path}/${number}-${digest.slice(0, 16)}`;
  }

  /** The version that was served by last, where its files are there. */
  applied(): VersionName | undefined {
    try {
      const { number, digest } = JSON.parse(Deno.readTextFileSync(`${this.path}/${MARK}`));
      if (!Number.isSafeInteger(number) || !/^[0-9a-f]{64}$/.test(digest)) return undefined;
      return Deno.statSync(`${this.folderOf({ number, digest })}/Corefile`).isFile
        ? { number, digest }
        : undefined;
    } catch {
      return undefined;
    }
  }

  /** Keeps which one is served by, and takes all others away; undefined = none. @throws {Error} */
  apply(version: VersionName | undefined): void {
    if (version) {
      const { number, digest } = version, aside = `${this.path}/${MARK}.new`;
      Deno.writeTextFileSync(aside, JSON.stringify({ number, digest }));
      Deno.renameSync(aside, `${this.path}/${MARK}`);
    } else removeIfThere(`${this.path}/${MARK}`);
    this.removeAllBut(version);
  }

  /** Takes away what of other versions is there. @throws {Error} */
  removeAllBut(version: VersionName | undefined): void {
    const kept = version && this.folderOf(version);
    for (const { name, isDirectory } of listIfThere(this.path)) {
      const path = `${this.path}/${name}`;
      if (isDirectory && !name.startsWith(ASIDE) && path !== kept) removeIfThere(path);
    }
  }

  /** Takes away what a process before left unfinished. @throws {Error} */
  removeAsides(): void {
    for (const { name } of listIfThere(this.path)) {
      if (name.startsWith(ASIDE)) removeIfThere(`${this.path}/${name}`);
    }
  }

  /** Writes a version, whole or not at all. @returns Its folder. @throws {Error} */
  write(version: VersionName & VersionTexts): string {
    const folder = this.folderOf(version);
    removeIfThere(folder);
    Deno.renameSync(this.writeAside(version), folder);
    return folder;
  }

  /** Writes texts into a folder that is no version's. @returns The folder, for the caller to remove. @throws {Error} */
  writeAside({ corefile, files }: VersionTexts): string {
    const folder = `${this.path}/${ASIDE}${crypto.randomUUID()}`;
    try {
      Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
      Deno.writeTextFileSync(`${folder}/Corefile`, corefile, WRITE);
      for (const [path, text] of Object.entries(files)) writeFile(folder, path, text);
      return folder;
    } catch (error) {
      removeIfThere(folder);
      throw error;
    }
  }
}

const MARK = "applied.json", ASIDE = "new-";

/** A configuration may have secrets in it; what is there already is none of ours. */
const WRITE = { mode: 0o600, createNew: true } as const;

function writeFile(folder: string, path: string, text: string): void {
  // Whoever wrote the version into the store need not have asked the interface.
  if (!isVersionPath(path)) throw new Error(`${JSON.stringify(path)} is no path below the Corefile's folder`);
  const slash = path.lastIndexOf("/");
  if (slash > 0) Deno.mkdirSync(`${folder}/${path.slice(0, slash)}`, { recursive: true, mode: 0o700 });
  Deno.writeTextFileSync(`${folder}/${path}`, text, WRITE);
}

function listIfThere(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
