/**
 * The key that a node is known by: made at its first start, in a file that nobody else may read.
 *
 * @module
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { publicText } from "../registry/keys.ts";

/** A node's key. */
export interface NodeKey {
  /** The public half: 32 octets, base64. */
  readonly publicKey: string;
  /** Ed25519, base64. */
  sign(text: Uint8Array): string;
}

/** A key from its private half. */
export function nodeKey(key: KeyObject): NodeKey {
  return {
    publicKey: publicText(createPublicKey(key)),
    sign: (text) => sign(null, text, key).toString("base64"),
  };
}

/**
 * The key in a file (PKCS #8, PEM), which is made when it is not there.
 *
 * @throws {Error} That says what is wrong: others may read it, or it is no Ed25519 key.
 */
export async function openKeyFile(file: string): Promise<NodeKey> {
  const text = await readPrivate(file) ?? await makeKey(file);
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(text);
  } catch {
    // What it is instead is nobody's business.
  }
  if (key?.asymmetricKeyType !== "ed25519") {
    throw new Error(`Cannot use ${file}: it must hold an Ed25519 private key (PKCS #8, PEM)`);
  }
  return nodeKey(key);
}

async function readPrivate(file: string): Promise<string | undefined> {
  try {
    const { mode } = await Deno.stat(file);
    if (mode !== null && (mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8);
      throw new Error(`Cannot use ${file}: others may read it (mode ${found}); wanted: chmod 600 ${file}`);
    }
    return await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function makeKey(file: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const text = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  // A node whose power fails while the key is written shall not be left with half of one.
  const whole = `${file}.new`;
  await Deno.writeTextFile(whole, text, { mode: 0o600 });
  await Deno.chmod(whole, 0o600);
  await Deno.rename(whole, file);
  return text;
}
