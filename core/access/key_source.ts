/**
 * Where the keys for secrets come from: a file, an environment variable, or a credential that systemd hands over.
 *
 * @module
 */

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import { SecretError, type SecretKey, secretKey } from "./secrets.ts";

/** Where keys are. Plain data. */
export type KeySource =
  | { readonly from: "file"; readonly path: string }
  | { readonly from: "environment"; readonly variable: string }
  /** A file in `$CREDENTIALS_DIRECTORY`, as systemd's `LoadCredential=` and `LoadCredentialEncrypted=` make. */
  | { readonly from: "credential"; readonly name: string };

/** What of the machine it takes. */
export interface KeySourceScope {
  readonly environment: (variable: string) => string | undefined;
  /** Of this process; undefined where there are none. */
  readonly userId?: number;
}

/** This process's own; whose it is where it may know that. */
export function thisMachine(): KeySourceScope {
  const mayKnow = Deno.permissions.querySync({ name: "sys", kind: "uid" }).state === "granted";
  const userId = mayKnow ? Deno.uid() : null;
  return { environment: (variable) => Deno.env.get(variable), ...userId !== null && { userId } };
}

/** The most keys, and the longest text with them. */
const KEYS_MAX = 16, OCTETS_MAX = 65_536;

/**
 * Reads keys, the newest first: one a line, 32 octets as base64 or hexadecimal; blank lines and what follows `#` do not
 * count. `openssl rand -base64 32` makes one.
 *
 * @throws {SecretError} When there is none, one is wrong (told by its line, never by its text), or others can read them.
 */
export function readSecretKeys(source: KeySource, scope: KeySourceScope): readonly SecretKey[] {
  const { text, where } = textFrom(source, scope);
  const keys = text.split("\n").flatMap((line, i) =>
    keyIn(line.replace(/#.*/, "").trim(), `${where}:${i + 1}`)
  );
  if (keys.length === 0) throw new SecretError(`Cannot find a key in ${where}`);
  if (keys.length > KEYS_MAX) {
    throw new SecretError(`Cannot use ${keys.length} keys of ${where}: at most ${KEYS_MAX}`);
  }
  const twice = keys.findIndex(({ id }, i) => keys.findIndex((other) => other.id === id) < i);
  if (twice >= 0) throw new SecretError(`Cannot use the keys of ${where}: key ${twice + 1} is there twice`);
  return keys;
}

function textFrom(source: KeySource, scope: KeySourceScope): { text: string; where: string } {
  if (source.from === "file") return { text: readPrivateFile(source.path, scope.userId), where: source.path };
  if (source.from === "environment") {
    const text = scope.environment(source.variable), where = `$${source.variable}`;
    if (text === undefined) throw new SecretError(`Cannot find a key in ${where}: it is not set`);
    return { text, where };
  }
  const folder = scope.environment("CREDENTIALS_DIRECTORY");
  if (folder === undefined) {
    throw new SecretError(
      `Cannot find credential ${source.name}: $CREDENTIALS_DIRECTORY is not set, systemd has handed over none`,
    );
  }
  if (!/^[\w.-]+$/.test(source.name) || /^\.+$/.test(source.name)) {
    throw new SecretError(`Cannot use ${JSON.stringify(source.name)} as the name of a credential`);
  }
  // Its mode is systemd's business: the folder is the service's alone, and the file's group bits may be an ACL's.
  const where = `${folder}/${source.name}`;
  return { text: readFile(where, () => {}), where };
}

/** A file that nobody else can read or write: neither group nor others, and nobody's but this user's or root's. */
function readPrivateFile(path: string, userId: number | undefined): string {
  return readFile(path, ({ mode, uid }) => {
    const others = (mode & 0o777).toString(8).padStart(3, "0");
    if (mode & 0o077) {
      throw new SecretError(
        `Cannot use the keys of ${path}: others can get at it (mode ${others}); chmod 600 it`,
      );
    }
    if (userId !== undefined && uid !== userId && uid !== 0) {
      throw new SecretError(`Cannot use the keys of ${path}: it belongs to user ${uid}`);
    }
  });
}

/** The question is put to what was opened: the name may be another file's by then. */
function readFile(path: string, check: (stat: { mode: number; uid: number }) => void): string {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new SecretError(`Cannot read the keys of ${path}: ${(error as Error).message}`);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new SecretError(`Cannot read the keys of ${path}: it is no regular file`);
    if (stat.size > OCTETS_MAX) throw new SecretError(`Cannot read the keys of ${path}: it is too long`);
    check(stat);
    return readFileSync(file, "utf8");
  } finally {
    closeSync(file);
  }
}

function keyIn(text: string, where: string): SecretKey[] {
  if (text === "") return [];
  try {
    return [secretKey(/^[0-9a-f]{64}$/i.test(text) ? Uint8Array.fromHex(text) : Uint8Array.fromBase64(text))];
  } catch (error) {
    const why = error instanceof SecretError ? error.message : "it is neither base64 nor hexadecimal";
    throw new SecretError(`Cannot use the key at ${where}: ${why}`);
  }
}
