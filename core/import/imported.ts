/**
 * What comes of another server's configuration: files of ours, and what has no counterpart here.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";

/** Something of the other server's that is not here, or not the same. */
export interface Finding {
  /** Where it stands there. */
  readonly at: Position;
  /** What it is, in the other server's words. */
  readonly what: string;
  /** `left out`: the new configuration does without it. `differs`: it is there, and behaves otherwise. */
  readonly kind: "left out" | "differs";
  readonly why: string;
}

/** A file of the new configuration; its path is relative to a folder of the operator's choice. */
export interface ImportedFile {
  readonly path: string;
  readonly text: string;
}

/** A whole configuration, as far as it could be turned. */
export interface Imported {
  readonly files: readonly ImportedFile[];
  readonly findings: readonly Finding[];
}

/** How an importer reads: the other server's files, not ours. */
export interface ImportSource {
  /** The text of a file; undefined when there is none. */
  read(path: string): string | undefined;
  /** The names in a folder, hidden ones left out, in order; undefined when there is none. */
  list(path: string): readonly string[] | undefined;
}

/** A configuration that cannot be read at all. */
export class ImportError extends Error {
  override readonly name = "ImportError";
  readonly at: Position;

  constructor(at: Position, message: string) {
    super(message);
    this.at = at;
  }
}

/** Keeps findings, each once. */
export class Findings {
  readonly all: Finding[] = [];
  readonly #seen = new Set<string>();

  leftOut(at: Position, what: string, why: string): void {
    this.#add({ at, what, kind: "left out", why });
  }

  differs(at: Position, what: string, why: string): void {
    this.#add({ at, what, kind: "differs", why });
  }

  #add(finding: Finding): void {
    const key = JSON.stringify(finding);
    if (!this.#seen.has(key)) this.all.push(finding);
    this.#seen.add(key);
  }
}

/** `path` as meant in `file`: relative to the folder that `file` is in. */
export function besides(file: string, path: string): string {
  return path.startsWith("/") ? path : `${folderOf(file)}/${path}`;
}

/** The folder that a file is in. */
export function folderOf(file: string): string {
  const slash = file.lastIndexOf("/");
  return slash < 0 ? "." : file.slice(0, slash) || "/";
}
