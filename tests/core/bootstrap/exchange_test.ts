import assert from "node:assert/strict";
import { within } from "../../../core/bootstrap/deadline.ts";
import { exchange, IGNORED_MAX } from "../../../core/bootstrap/exchange.ts";
import { SYSTEM_IO } from "../../../core/bootstrap/io.ts";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { encodeExtendedError } from "../../../core/dns/edns.ts";
import type { Message } from "../../../core/dns/message.ts";
import { fold, formatName, type Name, parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { type Behaviour, FakeUpstream, replyTo } from "../../plugins/forward/fake_upstream.ts";

const NAME = parseName("bootstrap.example.org");
const GOOD = ["@ 60 A 192.0.2.1"], BAD = ["@ 60 A 203.0.113.66"];

/** Asks a name server that behaves like this; the address that it gave, or what went wrong. */
async function asked(behaviour: Behaviour, { mixCase = true, timeoutMs = 60_000 } = {}): Promise<string> {
  await using upstream = new FakeUpstream(behaviour);
  const to = { address: "127.0.0.1", port: upstream.upstream.port };
  try {
    const { message, transport } = await within(
      SYSTEM_CLOCK,
      timeoutMs,
      new AbortController().signal,
      (signal) => exchange(to, { name: NAME, type: TYPE.A }, { io: SYSTEM_IO, signal, mixCase }),
    );
    return `${transport} ${message.rcode} ${message.answer.map(({ rdata }) => rdata.join(".")).join(" ")}`;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A forged reply, then the right one. */
const afterForged = (forge: (query: Message) => Uint8Array): Behaviour => async ({ query, send }) => {
  await send(forge(query));
  await send(replyTo(query, GOOD));
};

const upperCase = (name: Name) => name.toUpperCase() as Name;

Deno.test("exchange() takes the reply", async () => {
  assert.equal(await asked(({ query, send }) => send(replyTo(query, GOOD))), "UDP 0 192.0.2.1");
});

const forgeries: [what: string, forge: (query: Message) => Uint8Array][] = [
  ["another ID", (query) => replyTo(query, BAD, { id: query.id ^ 1 })],
  [
    "another name",
    (query) => replyTo(query, [], { questions: [{ ...query.questions[0]!, name: parseName("x.org") }] }),
  ],
  [
    "another type",
    (query) => replyTo(query, BAD, { questions: [{ ...query.questions[0]!, type: TYPE.AAAA }] }),
  ],
  ["another class", (query) => replyTo(query, BAD, { questions: [{ ...query.questions[0]!, class: 3 }] })],
  ["no question", (query) => replyTo(query, [], { questions: [] })],
  [
    "two questions",
    (query) => replyTo(query, BAD, { questions: [query.questions[0]!, query.questions[0]!] }),
  ],
  ["another opcode", (query) => replyTo(query, BAD, { opcode: 4 })],
  ["no response flag", (query) => replyTo(query, BAD, { isResponse: false })],
  ["less than a header", () => Uint8Array.of(1, 2, 3)],
];

for (const [what, forge] of forgeries) {
  Deno.test(`exchange() ignores a datagram with ${what}`, async () => {
    assert.equal(await asked(afterForged(forge)), "UDP 0 192.0.2.1");
  });
}

Deno.test("exchange() ignores what comes from another port", async () => {
  const behaviour: Behaviour = async ({ query, send, sendFromElsewhere }) => {
    await sendFromElsewhere(replyTo(query, BAD));
    await send(replyTo(query, GOOD));
  };
  assert.equal(await asked(behaviour), "UDP 0 192.0.2.1");
});

Deno.test("exchange() asks in random case, and over TCP where the reply has another", async () => {
  const names: string[] = [];
  const lowers: Behaviour = ({ query, send, transport }) => {
    const [question] = query.questions;
    names.push(formatName(question!.name));
    const forged = { questions: [{ ...question!, name: fold(question!.name) }] };
    return send(transport === "udp" ? replyTo(query, BAD, forged) : replyTo(query, GOOD, forged));
  };
  assert.equal(await asked(lowers), "TCP 0 192.0.2.1");
  assert.equal(names[0]!.toLowerCase(), "bootstrap.example.org.");
  assert.notEqual(names[0], "bootstrap.example.org.");
  assert.notEqual(names[0], "BOOTSTRAP.EXAMPLE.ORG.");
  const uppers: Behaviour = ({ query, send }) =>
    send(replyTo(query, GOOD, { questions: [{ ...query.questions[0]!, name: upperCase(NAME) }] }));
  assert.equal(await asked(uppers, { mixCase: false }), "UDP 0 192.0.2.1");
});

Deno.test("exchange() asks over TCP when the reply was cut short, and does not use what it had", async () => {
  const behaviour: Behaviour = ({ query, send, transport }) =>
    send(transport === "udp" ? replyTo(query, BAD, { truncated: true }) : replyTo(query, GOOD));
  assert.equal(await asked(behaviour), "TCP 0 192.0.2.1");
});

Deno.test("exchange() reads a reply that comes in pieces over TCP", async () => {
  const behaviour: Behaviour = async ({ query, send, transport }) => {
    if (transport === "udp") return send(replyTo(query, [], { truncated: true }));
    const many = Array.from({ length: 200 }, (_, i) => `@ 60 A 192.0.2.${i}`);
    return await send(replyTo(query, many));
  };
  assert.match(await asked(behaviour), /^TCP 0 192\.0\.2\.0 .* 192\.0\.2\.199$/);
});

Deno.test("exchange() asks over TCP after so many datagrams that somebody must be guessing", async () => {
  const behaviour: Behaviour = async ({ query, send, transport }) => {
    if (transport === "tcp") return await send(replyTo(query, GOOD));
    for (let i = 0; i < IGNORED_MAX; i++) await send(replyTo(query, BAD, { id: query.id ^ i + 1 }));
  };
  assert.equal(await asked(behaviour), "TCP 0 192.0.2.1");
});

Deno.test("exchange() asks without EDNS who does not know it", async () => {
  const behaviour: Behaviour = ({ query: { edns, ...query }, send }) =>
    send(edns ? replyWithoutEdns(query, { rcode: 1 }) : replyWithoutEdns(query, {}, GOOD));
  assert.equal(await asked(behaviour), "UDP 0 192.0.2.1");
});

const useless: [what: string, behaviour: Behaviour, says: RegExp][] = [
  ["SERVFAIL", ({ query, send }) => send(replyTo(query, [], { rcode: 2 })), /^said SERVFAIL$/],
  ["REFUSED", ({ query, send }) => send(replyTo(query, GOOD, { rcode: 5 })), /^said REFUSED$/],
  [
    "an extended error that would steer a terminal",
    ({ query, send }) =>
      send(replyTo(query, [], {
        rcode: 2,
        edns: { version: 0, payloadSize: 1232, dnssecOk: false, options: [error("\x1b[31mno\n")] },
      })),
    /^said SERVFAIL \(extended error 22 \?\[31mno\?\)$/,
  ],
  [
    "nothing, from one who neither resolves nor is the authority",
    ({ query, send }) => send(replyTo(query, [], { recursionAvailable: false })),
    /^neither resolves names nor has this one$/,
  ],
  [
    "a record that ends too early",
    ({ query, send }) => {
      const octets = replyTo(query, GOOD);
      octets[octets.length - 16]! += 9; // RDLENGTH, before the address and the OPT record
      return send(octets);
    },
    /^sent a malformed reply: /,
  ],
  [
    "half a reply over TCP",
    ({ query, send, transport }) =>
      transport === "udp" ? send(replyTo(query, [], { truncated: true })) : undefined,
    /^closed the connection before its reply was whole$/,
  ],
  [
    "a reply to something else over TCP",
    ({ query, send, transport }) =>
      send(replyTo(query, BAD, transport === "udp" ? { truncated: true } : { id: query.id ^ 1 })),
    /^sent over TCP what is no reply to the question$/,
  ],
  [
    "a reply that is cut short over TCP as well",
    ({ query, send }) => send(replyTo(query, [], { truncated: true })),
    /^cut its reply short over TCP as well$/,
  ],
];

for (const [what, behaviour, says] of useless) {
  Deno.test(`exchange() says why ${what} is of no use`, async () => {
    assert.match(await asked(behaviour), says);
  });
}

Deno.test("within() ends an exchange with somebody who is silent", async () => {
  assert.equal(await asked(() => {}, { timeoutMs: 50 }), "no answer within 50 ms");
});

function error(text: string) {
  return encodeExtendedError({ infoCode: 22, text });
}

function replyWithoutEdns(query: Message, more: Partial<Message>, lines: string[] = []): Uint8Array {
  // `edns` is the last of what a reply is made of: nothing may stand in its place.
  const octets = replyTo(query, lines, more);
  const withoutOpt = octets.slice(0, octets.length - 11);
  withoutOpt[11] = 0;
  return withoutOpt;
}
