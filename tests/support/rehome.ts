/**
 * Puts a program that `deno compile` embedded onto an older runtime, where the runtime of this release cannot be had.
 *
 * For tests alone. What is embedded, in what order the command line is read, what the compiler left out: all that shows. How
 * the program behaves on the runtime of its own release does not.
 *
 *     compiled by this release          an older runtime
 *     ELF │ note "SUI": MAGIC meta rest   ELF │ its own program │ trailer
 *                            └──────── meta, mended, and rest ──────┘
 *
 * @module
 */

/** Reads the compiled `program`, the `runtime`, and writes the two as one. @throws {Error} When either is not what it must be. */
export function rehome(program: string, runtime: string, output: string): void {
  const payload = mended(payloadOf(Deno.readFileSync(program)));
  const elf = Deno.readFileSync(runtime);
  const trailer = elf.slice(elf.length - TRAILER_OCTETS);
  const view = new DataView(trailer.buffer);
  if (view.getUint32(0, true) !== TRAILER_MAGIC) {
    throw new Error(`${runtime} is no runtime with a program at its end`);
  }
  const without = elf.subarray(0, elf.length - Number(view.getBigUint64(8, true)));
  view.setBigUint64(8, BigInt(payload.length + TRAILER_OCTETS), true);
  using file = Deno.openSync(output, { write: true, create: true, truncate: true, mode: 0o755 });
  for (const part of [without, payload, trailer]) {
    for (let at = 0; at < part.length;) at += file.writeSync(part.subarray(at));
  }
}

/** At the end of an older runtime: this, a hash, and how many octets of program stand before its end. */
const TRAILER_MAGIC = 0x501e;
const TRAILER_OCTETS = 16;

const PROGRAM_HEADER_NOTE = 4;

/** The description of the note named SUI in an ELF of 64 bits: where the compiler keeps what it embeds. */
function payloadOf(elf: Uint8Array): Uint8Array {
  const view = new DataView(elf.buffer, elf.byteOffset, elf.byteLength);
  const headersAt = Number(view.getBigUint64(32, true));
  const [headerOctets, headerCount] = [view.getUint16(54, true), view.getUint16(56, true)];
  for (let i = 0; i < headerCount; i++) {
    const header = headersAt + i * headerOctets;
    if (view.getUint32(header, true) !== PROGRAM_HEADER_NOTE) continue;
    const start = Number(view.getBigUint64(header + 8, true));
    const note = findNote(elf, view, start, start + Number(view.getBigUint64(header + 32, true)));
    // The name of the section goes before it: its length, and eight octets.
    if (note) return note.subarray(10);
  }
  throw new Error("The program has no note of the compiler's");
}

function findNote(elf: Uint8Array, view: DataView, from: number, end: number): Uint8Array | undefined {
  const padded = (octets: number) => (octets + 3) & ~3;
  for (let at = from; at + 12 <= end;) {
    const [nameOctets, octets] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
    const data = at + 12 + padded(nameOctets);
    if (String.fromCharCode(...elf.subarray(at + 12, at + 15)) === "SUI") {
      return elf.slice(data, data + octets);
    }
    at = data + padded(octets);
  }
  return undefined;
}

/** With a field that the older runtime wants and this release no longer writes. */
function mended(payload: Uint8Array): Uint8Array {
  const octetsOf = (view: Uint8Array) => new DataView(view.buffer, view.byteOffset);
  const length = Number(octetsOf(payload).getBigUint64(8, true));
  const metadata = JSON.parse(new TextDecoder().decode(payload.subarray(16, 16 + length)));
  metadata.unstable_config = { bare_node_builtins: false, ...metadata.unstable_config };
  const json = new TextEncoder().encode(JSON.stringify(metadata));
  const whole = new Uint8Array(16 + json.length + payload.length - 16 - length);
  whole.set(payload.subarray(0, 8));
  octetsOf(whole).setBigUint64(8, BigInt(json.length), true);
  whole.set(json, 16);
  whole.set(payload.subarray(16 + length), 16 + json.length);
  return whole;
}
