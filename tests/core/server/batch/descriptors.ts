/** Says how many descriptors two sockets and loops over them have opened, in a process in which nobody else opens any. */

import { PacketLoop } from "../../../../core/server/batch/mod.ts";
import { noting, openEcho } from "./echo.ts";

function openDescriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

// What the runtime opens for the first of something is no loop's.
openEcho("127.0.0.1")[Symbol.dispose]();
const before = openDescriptors();
using one = openEcho("127.0.0.1");
using other = openEcho("127.0.0.1");
const both = new PacketLoop({ sockets: [one.socket, other.socket], inPlace: noting([]), nowMs: () => 0 });
for (const loop of [one.loop, both]) {
  loop.doze(1);
  loop.step();
  loop.stepAtOnce();
}
console.log(openDescriptors() - before);
