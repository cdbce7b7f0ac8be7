/**
 * Certificates that count no more: those that stand in the Corefile, and those of files, which are read again when they
 * change. A file that cannot be read takes nothing back: what it said before goes on.
 *
 * @module
 */

import { fingerprintsIn } from "../../core/access/certificates.ts";
import type { Clock } from "../../core/clock.ts";
import { lookAgain, stampOf } from "../../core/files.ts";
import type { Log } from "../../core/plugin.ts";

/** How often files are looked at. */
const LOOK_MS = 5000;

/** See the module. */
export class Revoked {
  readonly #fixed: readonly string[];
  readonly #files: readonly string[];
  readonly #log: Pick<Log, "info" | "warn">;
  readonly #ofFiles = new Map<string, readonly string[]>();
  readonly #watching: { close(): void } | undefined;
  #stamp = "";

  /** @throws {Error} A file cannot be read now: nobody would be refused that is in it. */
  constructor(
    { revoked, revokedFiles }: {
      readonly revoked: readonly string[];
      readonly revokedFiles: readonly string[];
    },
    { clock, log }: { readonly clock: Clock; readonly log: Pick<Log, "info" | "warn"> },
  ) {
    [this.#fixed, this.#files, this.#log] = [revoked, revokedFiles, log];
    this.#stamp = stampOf(...revokedFiles);
    for (const file of revokedFiles) this.#read(file);
    this.#watching = revokedFiles.length > 0 ? lookAgain(clock, LOOK_MS, () => this.#look()) : undefined;
  }

  /** Their fingerprints. */
  get fingerprints(): readonly string[] {
    return this.#ofFiles.size === 0 ? this.#fixed : [...this.#fixed, ...[...this.#ofFiles.values()].flat()];
  }

  close(): void {
    this.#watching?.close();
  }

  #look(): void {
    const stamp = stampOf(...this.#files);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    for (const file of this.#files) {
      try {
        this.#read(file);
        this.#log.info(
          `api: ${file} has been read again: ${this.#ofFiles.get(file)!.length} certificates count no more`,
        );
      } catch (error) {
        const what = error instanceof Error ? error.message : error;
        this.#log.warn(`api: Cannot use ${file}, what it said before goes on: ${what}`);
      }
    }
  }

  #read(file: string): void {
    this.#ofFiles.set(file, fingerprintsIn(Deno.readTextFileSync(file), file));
  }
}
