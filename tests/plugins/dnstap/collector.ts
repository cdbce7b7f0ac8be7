/**
 * A collector of dnstap messages, and a reader of what it took, both written from the formats' descriptions.
 *
 * @module
 */

import { CONTENT_TYPE, CONTROL, encodeControl, readControl } from "../../../plugins/dnstap/frames.ts";

/** Fields of a protobuf message by number: numbers, or octets where a field has a length. */
export type Fields = Map<number, number | Uint8Array>;

/** Reads a protobuf message. @throws {Error} When it is malformed. */
export function decodeFields(octets: Uint8Array): Fields {
  const fields: Fields = new Map();
  let at = 0;
  const varint = () => {
    let value = 0, scale = 1;
    for (;;) {
      const octet = octets[at++];
      if (octet === undefined) throw new Error("a number ended early");
      value += (octet & 0x7f) * scale;
      if (octet < 0x80) return value;
      scale *= 0x80;
    }
  };
  while (at < octets.length) {
    const key = varint(), field = Math.floor(key / 8), kind = key % 8;
    if (fields.has(field)) throw new Error(`field ${field} is there twice`);
    if (kind === 0) fields.set(field, varint());
    else if (kind === 5) {
      fields.set(field, new DataView(octets.buffer, octets.byteOffset + at, 4).getUint32(0, true));
      at += 4;
    } else if (kind === 2) {
      const length = varint();
      if (at + length > octets.length) throw new Error(`field ${field} ended early`);
      fields.set(field, octets.subarray(at, at + length));
      at += length;
    } else throw new Error(`field ${field} is of wire type ${kind}`);
  }
  return fields;
}

/** The frames of data in a row of frames, control frames left out. */
export function dataFrames(octets: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  for (let at = 0; at < octets.length;) {
    const length = view.getUint32(at);
    at += 4;
    if (length === 0) at += 4 + view.getUint32(at);
    else {
      frames.push(octets.subarray(at, at + length));
      at += length;
    }
  }
  return frames;
}

/** What a collector does with a connection. */
export interface CollectorOptions {
  /** Resolves when it may read what comes after START. */
  readonly gate?: Promise<void>;
  /** Ends the connection when this many frames have come. */
  readonly hangUpAfter?: number;
}

/** A collector on a Unix socket. */
export class Collector {
  readonly frames: Uint8Array[] = [];
  /** Control frames in turn. */
  readonly controls: number[] = [];
  readonly #listener: Deno.UnixListener;
  readonly #connections = new Set<Deno.Conn>();
  #serving: Promise<void>[] = [];

  constructor(path: string, options: CollectorOptions = {}) {
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#serving.push(this.#accept(options));
  }

  async close(): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await Promise.allSettled(this.#serving);
  }

  async #accept(options: CollectorOptions): Promise<void> {
    for (;;) {
      let connection: Deno.Conn;
      try {
        connection = await this.#listener.accept();
      } catch {
        return;
      }
      this.#connections.add(connection);
      this.#serving.push(
        this.#serve(connection, options).catch(() => {}).finally(() => this.#end(connection)),
      );
    }
  }

  #end(connection: Deno.Conn): void {
    if (this.#connections.delete(connection)) connection.close();
  }

  async #serve(connection: Deno.Conn, { gate, hangUpAfter = Infinity }: CollectorOptions): Promise<void> {
    this.controls.push((await readControl(connection)).type);
    await connection.write(encodeControl(CONTROL.ACCEPT, CONTENT_TYPE));
    this.controls.push((await readControl(connection)).type);
    await gate;
    let taken = 0;
    for (;;) {
      const head = await readExactly(connection, 4);
      const length = new DataView(head.buffer).getUint32(0);
      if (length > 0) {
        this.frames.push(await readExactly(connection, length));
        if (++taken >= hangUpAfter) return;
        continue;
      }
      const rest = await readExactly(
        connection,
        new DataView((await readExactly(connection, 4)).buffer).getUint32(0),
      );
      this.controls.push(new DataView(rest.buffer).getUint32(0));
      await connection.write(encodeControl(CONTROL.FINISH));
      return;
    }
  }
}

async function readExactly(connection: Deno.Conn, count: number): Promise<Uint8Array> {
  const octets = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await connection.read(octets.subarray(at));
    if (read === null) throw new Error("the sender has gone");
    at += read;
  }
  return octets;
}
