/**
 * Hashes of names as they lie in a packet, case aside, for tables that strangers fill: under a seed that nobody outside
 * knows.
 *
 * A name is hashed from its end, so that the hash of each name above it comes up on the way.
 *
 * @module
 */

/** What the hashes of this isolate begin with. Another isolate has another one. */
export const NAME_HASH_SEED: number = crypto.getRandomValues(new Int32Array(1))[0]!;

/** The hash of a name's octets from `start` to `end`, its last zero included; going on from `hash`, that of what stands behind it. */
export function hashName(octets: Uint8Array, start: number, end: number, hash = NAME_HASH_SEED): number {
  for (let at = end - 1; at >= start; at--) {
    const octet = octets[at]!;
    // Lengths are below 64, so that none looks like a letter.
    hash = Math.imul(hash ^ (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}

/** The same for a name held as a string; of its octets from `start` to `end` alone, under another seed, if so wished. */
export function hashNameText(name: string, hash = NAME_HASH_SEED, end = name.length, start = 0): number {
  for (let at = end - 1; at >= start; at--) {
    const octet = name.charCodeAt(at);
    hash = Math.imul(hash ^ (octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet), 0x01000193);
    hash ^= hash >>> 15;
  }
  return hash;
}

/** What was asked for last: whether a name is there, and whether a reply stands for it, are asked one after the other. */
const latest = { name: "", encloser: "", enclosersHash: NAME_HASH_SEED, hash: 0 };

/** The hash of the name that has one label more than `encloser`, at or above `name`, which lies below it. */
export function hashNextCloser(name: string, encloser: string): number {
  if (encloser !== latest.encloser) {
    latest.encloser = encloser;
    latest.enclosersHash = hashNameText(encloser);
  } else if (name === latest.name) return latest.hash;
  const end = name.length - encloser.length;
  let start = 0;
  for (let at = 0; at < end; at += 1 + name.charCodeAt(at)) start = at;
  latest.name = name;
  return latest.hash = hashNameText(name, latest.enclosersHash, end, start);
}
