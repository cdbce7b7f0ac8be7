/**
 * UDP in batches: Linux on x86-64 and arm64, by leave to call the C library.
 *
 *     if (selfTest() !== undefined) …                       what is missing, in words: use the runtime's sockets instead
 *     const [socket] = openBatchSockets({ address, port }, 1)      in any isolate; its number is good in every one
 *     new PacketLoop({ sockets: [socket], inPlace, … }).step()              in a worker, again and again
 *     sendTo(socket, reply, arrival.source, arrival.server)              in any isolate, for a reply that had to wait
 *     closeSocket(socket)                                                          who opened it, when no loop has it
 *
 * @module
 */

export {
  type BatchSocket,
  type BatchSocketOptions,
  closeSocket,
  describeSocket,
  droppedByKernel,
  openBatchSocket,
  openBatchSockets,
  sendTo,
} from "./batch_socket.ts";
export { BATCH_MAX, type PacketCounts, PacketLoop, type PacketLoopOptions } from "./packet_loop.ts";
export { selfTest } from "./self_test.ts";
