/**
 * What `tls` in the block says: files, read anew for each connection, so that a renewed certificate needs no reload.
 *
 * @module
 */

import { atMost, readRegularTextFile, reasonOf } from "../../core/files.ts";
import { type Arguments, CorefileError, type Token } from "../../core/plugin.ts";
import type { TlsMaterial } from "./sockets.ts";

/** The most octets that one may have. */
const FILE_OCTETS_MAX = 1 << 20;

/** Paths of PEM files. Plain data. */
export interface TlsFiles {
  readonly authority?: string;
  readonly certificate?: string;
  readonly key?: string;
}

/** Reads `tls`, `tls CA`, `tls CERT KEY` or `tls CERT KEY CA`. */
export function readTls(args: Arguments): readonly Token[] {
  const tokens = args.rest();
  const extra = tokens[3];
  if (extra) throw new CorefileError(extra, `tls: CERT, KEY and CA are all: got '${extra.text}' besides`);
  return tokens;
}

/** The same as paths. @throws {CorefileError} At a file that is not PEM or cannot be read. */
export function tlsFilesOf(tokens: readonly Token[], path: (token: Token) => string): TlsFiles {
  const [first, second, third] = tokens.map((token) => checked(token, path(token)));
  if (first === undefined) return {};
  if (second === undefined) return { authority: first };
  return { certificate: first, key: second, ...(third !== undefined && { authority: third }) };
}

/** What the files hold now. */
export async function readMaterial({ authority, certificate, key }: TlsFiles): Promise<TlsMaterial> {
  const read = (path: string | undefined) => path === undefined ? undefined : Deno.readTextFile(path);
  const [ca, cert, secret] = await Promise.all([read(authority), read(certificate), read(key)]);
  return {
    ...(ca !== undefined && { authority: ca }),
    ...(cert !== undefined && { certificate: cert }),
    ...(secret !== undefined && { key: secret }),
  };
}

function checked(token: Token, path: string): string {
  let text: string;
  try {
    text = readRegularTextFile(path, atMost(FILE_OCTETS_MAX));
  } catch (error) {
    throw new CorefileError(token, `tls: cannot read ${path}: ${reasonOf(error)}`);
  }
  if (/-----BEGIN [A-Z ]+-----/.test(text)) return path;
  throw new CorefileError(token, `tls: ${path} must be a file in PEM form: there is no -----BEGIN`);
}
