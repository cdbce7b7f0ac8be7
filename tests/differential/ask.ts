/**
 * Asks many questions over UDP, some at a time.
 *
 * @module
 */

import { decodeMessage, encodeMessage, makeQuery, type Message } from "../../core/dns/message.ts";
import { parseName } from "../../core/dns/name.ts";
import { typeFromText } from "../../core/dns/types.ts";
import type { Asked } from "./make_zone_file.ts";

/** Questions under way at one time: fewer than a socket's buffer holds. */
const WINDOW = 32;

const PATIENCE_MS = 2000;

/** The reply to each question, in order. @throws When one is not answered in twenty tries. */
export async function askAll(port: number, questions: readonly Asked[]): Promise<Message[]> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const replies: Message[] = [];
  const waiting = new Map<number, () => void>();
  const reading = (async () => {
    for await (const [octets] of socket) {
      const reply = decodeMessage(octets);
      const done = waiting.get(reply.id);
      if (!done || !reply.isResponse) continue;
      replies[reply.id] = reply;
      done();
    }
  })();
  const askOne = async (id: number) => {
    for (let tries = 0; tries < 20 && !replies[id]; tries++) {
      const answered = new Promise<void>((resolve) => waiting.set(id, resolve));
      await socket.send(encodeQuestion(id, questions[id]!), {
        transport: "udp",
        hostname: "127.0.0.1",
        port,
      });
      let timer: ReturnType<typeof setTimeout> | undefined;
      await Promise.race([answered, new Promise((resolve) => timer = setTimeout(resolve, PATIENCE_MS))]);
      clearTimeout(timer);
      waiting.delete(id);
    }
    if (!replies[id]) throw new Error(`no reply to ${questions[id]!.name} ${questions[id]!.type}`);
  };
  let next = 0;
  const ask = async () => {
    while (next < questions.length) await askOne(next++);
  };
  try {
    await Promise.race([reading, Promise.all(Array.from({ length: WINDOW }, ask))]);
  } finally {
    socket.close();
    await reading;
  }
  return replies;
}

/** One question as octets, with EDNS at 1232 octets where it says so. */
export function encodeQuestion(id: number, { name, type, edns }: Asked): Uint8Array {
  const query = makeQuery(id, parseName(name), typeFromText(type)!, edns ? { edns: {} } : {});
  return encodeMessage(query);
}
