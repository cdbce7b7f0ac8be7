/**
 * Where the secret comes from: the Corefile, a file that servers share, or chance, kept for the next start.
 *
 * @module
 */

import { atMost, lookAgain, readRegularTextFile, reasonOf, stampOf } from "../../core/files.ts";
import type { ControlScope, Log } from "../../core/plugin.ts";

/** Octets of a secret, and the most secrets that are tried on one cookie. */
const SECRET_OCTETS = 16, SECRETS_MAX = 4;

/** How often a file of secrets is looked at. */
const LOOK_MS = 5000;

const FILE_OCTETS_MAX = 65_536;

/** A secret of 32 hexadecimal digits; undefined when it is something else. */
export function readSecret(text: string): Uint8Array | undefined {
  return /^[0-9a-fA-F]{32}$/.test(text) ? Uint8Array.fromHex(text) : undefined;
}

/**
 * The secrets in a file: one a line, the first in use, `#` begins a comment.
 *
 * @throws {Error} Saying which line is wrong; of what a line holds it says nothing, lest a secret end up in a log.
 */
export function readSecretsFile(path: string): readonly Uint8Array[] {
  const secrets: Uint8Array[] = [];
  for (const [i, line] of readRegularTextFile(path, atMost(FILE_OCTETS_MAX)).split("\n").entries()) {
    const text = line.replace(/#.*/, "").trim();
    if (text === "") continue;
    const secret = readSecret(text);
    if (!secret) throw new Error(`line ${i + 1}: wanted a secret of 32 hexadecimal digits`);
    secrets.push(secret);
  }
  if (secrets.length === 0 || secrets.length > SECRETS_MAX) {
    throw new Error(`it has ${secrets.length} secrets: wanted 1 to ${SECRETS_MAX}`);
  }
  return secrets;
}

/** Publishes the secrets of a file, and again when it has changed; one that cannot be used leaves those before it. */
export function watchSecrets(path: string, scope: ControlScope): void {
  let stamp = stampOf(path);
  scope.publish(readSecretsFile(path));
  const look = () => {
    const current = stampOf(path);
    if (current === stamp) return;
    stamp = current;
    try {
      scope.publish(readSecretsFile(path));
      scope.log.info(`cookie: the secrets in ${path} have changed, and are in use`);
    } catch (error) {
      scope.log.error(
        `cookie: the secrets in ${path} cannot be used, the former stay in use: ${reasonOf(error)}`,
      );
    }
  };
  scope.own(lookAgain(scope.clock, LOOK_MS, look));
}

/** The secret of this process, where nothing keeps one longer. */
let ofProcess: Uint8Array | undefined;

/**
 * A secret by chance: the one kept in the state directory, or a new one that is then kept there. Blocks and reloads of
 * one process share it in any case.
 */
export function ownSecret({ stateDirectory, probing, log }: ControlScope): Uint8Array {
  // Whoever only explains must leave no trace.
  const path = stateDirectory && probing ? `${stateDirectory}/cookie_secret` : undefined;
  const kept = path && readKept(path, log);
  if (kept) return kept;
  ofProcess ??= crypto.getRandomValues(new Uint8Array(SECRET_OCTETS));
  if (path) keep(path, ofProcess, log);
  return ofProcess;
}

function readKept(path: string, log: Log): Uint8Array | undefined {
  try {
    return readSecretsFile(path)[0];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      log.warn(`cookie: cannot use ${path}, making a new secret: ${reasonOf(error)}`);
    }
    return undefined;
  }
}

function keep(path: string, secret: Uint8Array, log: Log): void {
  try {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(`${path}.new`, `${secret.toHex()}\n`, { mode: 0o600 });
    Deno.renameSync(`${path}.new`, path);
  } catch (error) {
    log.warn(`cookie: cannot keep ${path}, clients will have to learn a new cookie: ${reasonOf(error)}`);
  }
}
