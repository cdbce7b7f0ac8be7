import assert from "node:assert/strict";
import { decodeMessage } from "../../../core/dns/message.ts";
import { askRaw } from "../../support/raw_udp.ts";
import { startServer } from "../../support/server.ts";

/** A query of no question, with an OPT that has a COOKIE option or none. */
function greeting(cookie: string): Uint8Array {
  const data = Uint8Array.fromHex(cookie);
  const option = cookie === "" ? [] : [0, 10, 0, data.length, ...data];
  const opt = [0, 0, 41, 4, 208, 0, 0, 0, 0, 0, option.length, ...option];
  return Uint8Array.of(0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, ...opt);
}

const CLIENT = "0102030405060708";

/** Sends a greeting, and tells the RCODE, how many questions came back, and the cookie. */
async function greet(port: number, cookie: string) {
  const { id, rcode, questions, answer, edns } = decodeMessage(await askRaw(port, greeting(cookie)));
  assert.deepEqual([id, answer.length], [0x1234, 0]);
  return {
    rcode,
    questions: questions.length,
    cookie: edns?.options.find(({ code }) => code === 10)?.data.toHex(),
  };
}

Deno.test("a query without a question learns a cookie, and whether it is still good (RFC 7873 section 5.4)", async () => {
  const server = await startServer(`plain.example:1053 {
    bind 127.0.0.1
    whoami
}
anycast.example:1053 {
    bind 127.0.0.1
    log
    cookie
    rrl
    file zones/anycast.example.zone
}`);
  try {
    const first = await greet(server.port, CLIENT);
    assert.deepEqual([first.rcode, first.questions, first.cookie?.length], [0, 0, 48]);
    assert.deepEqual(await greet(server.port, first.cookie!), first);
    const forged = await greet(server.port, `${CLIENT}010000005cf79f111f8130c3eee29480`);
    assert.deepEqual([forged.rcode, forged.cookie?.length], [23, 48]);
    assert.equal((await greet(server.port, "010203")).rcode, 1);
    assert.deepEqual(await greet(server.port, ""), { rcode: 1, questions: 0, cookie: undefined });
  } finally {
    await server.close();
  }
});

Deno.test("a query without a question gets FORMERR where no block has cookie", async () => {
  const server = await startServer(".:1053 {\n    bind 127.0.0.1\n    whoami\n}\n");
  try {
    assert.equal((await greet(server.port, CLIENT)).rcode, 1);
  } finally {
    await server.close();
  }
});
