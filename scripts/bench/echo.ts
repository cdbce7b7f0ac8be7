/**
 * Sends every datagram back with the QR flag set: what can be measured of a server that has nothing to do.
 *
 *     deno run -A scripts/bench/echo.ts PORT
 *
 * @module
 */

import { Batch, boundSocket } from "./libc.ts";

const QR = 0x80;

/** Echoes on a port of 127.0.0.1, and never returns. */
function echo(port: number): never {
  const socket = boundSocket(port), batch = new Batch(32, 1500);
  for (;;) {
    batch.setLength(1500);
    batch.setNamed(true);
    const count = batch.receive(socket, true);
    for (let i = 0; i < count; i++) {
      batch.octets[batch.slot(i) + 2]! |= QR;
      batch.setLengthOf(i, batch.lengthOf(i));
    }
    batch.send(socket, count);
  }
}

if (import.meta.main) echo(Number(Deno.args[0]));
