/** A datagram whose source port is forged, which takes a raw socket: Linux, root. @module */

import { LOOPBACK } from "./sockets.ts";

const AF_INET = 2;
const SOCK_RAW = 3;
const IPPROTO_UDP = 17;

/** Sends `payload` from 127.0.0.1 port 0 to a port of 127.0.0.1. */
export function sendFromPortZero(payload: Uint8Array, port: number): void {
  using libc = dlopenLibc();
  const socket = libc.symbols.socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  if (socket < 0) throw new Error("Cannot open a raw socket");
  const datagram = udpDatagram(0, port, payload);
  // struct sockaddr_in: the family in host order, the port (unused here), the address.
  const to = new Uint8Array(16);
  to[0] = AF_INET;
  to.set(LOOPBACK.octets, 4);
  const sent = libc.symbols.sendto(socket, datagram, BigInt(datagram.length), 0, to, to.length);
  libc.symbols.close(socket);
  if (Number(sent) !== datagram.length) throw new Error("Cannot send through the raw socket");
}

function dlopenLibc() {
  const libc = Deno.dlopen("libc.so.6", {
    socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
    sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  return { symbols: libc.symbols, [Symbol.dispose]: () => libc.close() };
}

/** RFC 768; a checksum of 0 says that there is none. */
function udpDatagram(from: number, to: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(8 + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint16(0, from);
  view.setUint16(2, to);
  view.setUint16(4, octets.length);
  octets.set(payload, 8);
  return octets;
}
