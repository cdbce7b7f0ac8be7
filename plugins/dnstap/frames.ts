/**
 * Frame Streams, in which dnstap is transported: frames of data, each behind its length, and control frames in between,
 * behind a length of 0. Numbers are 32 bits, the most significant octet first.
 *
 *     writer                       reader
 *     READY (content types) ----->
 *                           <----- ACCEPT (one of them)
 *     START (it)            ----->
 *     data …                ----->
 *     STOP                  ----->
 *                           <----- FINISH
 *
 * @module
 */

/** What kinds of control frames there are. */
export const CONTROL = Object.freeze({ ACCEPT: 1, START: 2, STOP: 3, READY: 4, FINISH: 5 });

/** What the frames hold. */
export const CONTENT_TYPE = "protobuf:dnstap.Dnstap";

/** Control frames are no longer. */
const CONTROL_OCTETS_MAX = 512;

/** The field of a control frame that names a content type. */
const FIELD_CONTENT_TYPE = 1;

/** A control frame as it was read. */
export interface ControlFrame {
  readonly type: number;
  readonly contentTypes: readonly string[];
}

/** A control frame, escape and length in front. */
export function encodeControl(type: number, contentType?: string): Uint8Array<ArrayBuffer> {
  const content = contentType === undefined ? undefined : new TextEncoder().encode(contentType);
  const length = 4 + (content ? 8 + content.length : 0);
  const octets = new Uint8Array(8 + length);
  const view = new DataView(octets.buffer);
  view.setUint32(4, length);
  view.setUint32(8, type);
  if (content) {
    view.setUint32(12, FIELD_CONTENT_TYPE);
    view.setUint32(16, content.length);
    octets.set(content, 20);
  }
  return octets;
}

/** Reads the inside of a control frame. @throws {Error} When it is malformed. */
export function decodeControl(octets: Uint8Array): ControlFrame {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  if (octets.length < 4) throw new Error("a control frame ended early");
  const contentTypes: string[] = [];
  for (let at = 4; at < octets.length;) {
    if (at + 8 > octets.length) throw new Error("a control frame ended early");
    const field = view.getUint32(at), length = view.getUint32(at + 4);
    at += 8;
    if (at + length > octets.length) throw new Error("a control frame ended early");
    if (field === FIELD_CONTENT_TYPE) {
      contentTypes.push(new TextDecoder().decode(octets.subarray(at, at + length)));
    }
    at += length;
  }
  return { type: view.getUint32(0), contentTypes };
}

/** What is read from. */
export interface Source {
  read(into: Uint8Array): Promise<number | null>;
}

/** Reads a control frame whole. @throws {Error} When anything else comes, or the end. */
export async function readControl(source: Source): Promise<ControlFrame> {
  const head = await readExactly(source, 8);
  const view = new DataView(head.buffer);
  if (view.getUint32(0) !== 0) throw new Error("data came where a control frame was wanted");
  const length = view.getUint32(4);
  if (length > CONTROL_OCTETS_MAX) throw new Error(`a control frame has ${length} octets`);
  return decodeControl(await readExactly(source, length));
}

async function readExactly(source: Source, count: number): Promise<Uint8Array> {
  const octets = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await source.read(octets.subarray(at));
    if (read === null) throw new Error("the reader has gone");
    at += read;
  }
  return octets;
}
