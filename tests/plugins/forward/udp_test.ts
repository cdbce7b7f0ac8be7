import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { parseAddress } from "../../../core/plugin.ts";
import { Patience } from "../../../plugins/forward/patience.ts";
import { randomId } from "../../../plugins/forward/question.ts";
import type { Sockets } from "../../../plugins/forward/sockets.ts";
import {
  IGNORED_MAX,
  PORT_MS_MAX,
  PORTS,
  QUESTIONS_MAX,
  UdpPorts,
  type UdpQuery,
} from "../../../plugins/forward/udp.ts";

const UPSTREAM = { protocol: "dns", address: parseAddress("192.0.2.1")!, port: 53 } as const;
const FROM = { transport: "udp", hostname: "192.0.2.1", port: 53 } as const;

/** A socket that hears what a test has it hear. */
class FakeSocket {
  readonly sent: Uint8Array[] = [];
  isClosed = false;
  #pending:
    | { room: Uint8Array; resolve(got: [Uint8Array, Deno.NetAddr]): void; reject(e: Error): void }
    | undefined;
  refusal: Error | undefined;

  send(octets: Uint8Array): Promise<number> {
    this.sent.push(octets);
    return this.refusal ? Promise.reject(this.refusal) : Promise.resolve(octets.length);
  }

  receive(room: Uint8Array): Promise<[Uint8Array, Deno.NetAddr]> {
    return new Promise((resolve, reject) => this.#pending = { room, resolve, reject });
  }

  async hears(octets: Uint8Array, from: Deno.NetAddr = FROM): Promise<void> {
    const { room, resolve } = this.#pending!, length = Math.min(room.length, octets.length);
    room.set(octets.subarray(0, length));
    resolve([room.subarray(0, length), from]);
    await turn();
  }

  close(): void {
    this.isClosed = true;
    this.#pending?.reject(new Deno.errors.BadResource("closed"));
  }
}

const turn = () => new Promise<void>((resolve) => setTimeout(resolve, 0));

function portsTo(clock = new ManualClock()) {
  const opened: FakeSocket[] = [], counts = { ignored: 0 };
  const sockets = {
    listenDatagram: () => {
      const socket = new FakeSocket();
      opened.push(socket);
      return socket as unknown as Deno.DatagramConn;
    },
  } as unknown as Sockets;
  const ports = new UdpPorts(UPSTREAM, { clock, sockets, onIgnored: () => counts.ignored++ });
  return { ports, clock, opened, counts };
}

type Made = ReturnType<typeof portsTo>;

/** Octets 0 and 1 an ID, octet 12 which question it is; the reply is the same octets. */
function question(number: number): UdpQuery<string> {
  return {
    encode: (id) => messageOf(id, number),
    accept: (octets, id) => {
      if (octets[2]! & 0x02) return "cut";
      return (octets[0]! << 8 | octets[1]!) === id && octets[12] === number ? `answer ${number}` : undefined;
    },
  };
}

function messageOf(id: number, number: number): Uint8Array {
  const octets = new Uint8Array(13);
  octets.set([id >> 8, id & 255]);
  octets[12] = number;
  return octets;
}

/** Asks, and says what came of it. */
function ask({ ports, clock }: Made, number = 0, patience = new Patience(clock, 1e6)): Promise<unknown> {
  return ports.exchange(question(number), patience).catch((error) => error.message);
}

/** Asks so often that two questions share a socket; returns it with what becomes of all. */
async function crowd(made: Made, count = PORTS + 1) {
  const answers = Array.from({ length: count }, (_, i) => ask(made, i));
  await turn();
  const shared = made.opened.find(({ sent }) => sent.length > 1)!;
  return { answers, shared };
}

/** Has every other question answered. */
async function settle({ opened, ports }: Made): Promise<void> {
  for (const socket of opened) {
    for (const octets of socket.sent) if (!socket.isClosed) await socket.hears(octets);
  }
  ports.close();
}

Deno.test("questions that share a socket have IDs of their own, and each gets its own reply", async () => {
  const made = portsTo(), { answers, shared } = await crowd(made);
  const [first, second] = shared.sent;
  assert.notEqual(first![0]! << 8 | first![1]!, second![0]! << 8 | second![1]!);
  await shared.hears(second!);
  assert.equal(await answers[second![12]!], `answer ${second![12]}`);
  await shared.hears(first!);
  assert.equal(await answers[first![12]!], `answer ${first![12]}`);
  assert.equal(made.counts.ignored, 0);
  await settle(made);
});

Deno.test("a reply under the ID of another question at the same socket is ignored", async () => {
  const made = portsTo(), { answers, shared } = await crowd(made);
  const [first, second] = shared.sent;
  await shared.hears(messageOf(first![0]! << 8 | first![1]!, second![12]!));
  assert.equal(made.counts.ignored, 1);
  await shared.hears(first!);
  assert.equal(await answers[first![12]!], `answer ${first![12]}`);
  await settle(made);
});

Deno.test("an ID that is under way at a socket is drawn again", async () => {
  const made = portsTo(), drawn = [5, 7, 5, 7, 7, 8], { getRandomValues } = crypto;
  let isDrawn = false;
  crypto.getRandomValues = ((into: Uint16Array) => {
    isDrawn = true;
    into.fill(1);
    into.set(drawn, 1);
    return into;
  }) as typeof getRandomValues;
  try {
    while (!isDrawn) randomId();
  } finally {
    crypto.getRandomValues = getRandomValues;
  }
  const answers = [ask(made, 1), ask(made, 2)];
  await turn();
  assert.equal(made.opened.length, 1);
  assert.deepEqual(made.opened[0]!.sent.map((octets) => octets[1]), [7, 8]);
  await settle(made);
  assert.deepEqual(await Promise.all(answers), ["answer 1", "answer 2"]);
});

Deno.test("a socket takes no more than so many questions", async () => {
  const made = portsTo(), patience = new Patience(made.clock, 1000), asked = 2 * PORTS * QUESTIONS_MAX;
  for (let i = 0; i < asked; i++) void ask(made, i & 255, patience);
  await turn();
  const counts = made.opened.map(({ sent }) => sent.length);
  assert.equal(counts.reduce((sum, count) => sum + count), asked);
  assert.equal(Math.max(...counts), QUESTIONS_MAX);
});

Deno.test("a socket is given up when its time is over, and one that waits then after its reply", async () => {
  const made = portsTo(), answer = ask(made, 1);
  await turn();
  made.clock.advance(PORT_MS_MAX);
  assert.equal(made.opened[0]!.isClosed, false);
  for (let i = 0; i < 4 * PORTS; i++) void ask(made, 2);
  await turn();
  assert.equal(made.opened[0]!.sent.length, 1);
  await made.opened[0]!.hears(made.opened[0]!.sent[0]!);
  assert.equal(await answer, "answer 1");
  assert.equal(made.opened[0]!.isClosed, true);
  await settle(made);
});

for (
  const [what, octets, from] of [
    ["an ID that nobody waits for", undefined, FROM],
    ["another address", undefined, { ...FROM, hostname: "192.0.2.2" }],
    ["another port", undefined, { ...FROM, port: 54 }],
    ["too few octets", new Uint8Array(11), FROM],
  ] as const
) {
  Deno.test(`a socket that heard a datagram with ${what} takes no more questions`, async () => {
    const made = portsTo(), answer = ask(made, 1);
    await turn();
    const [socket] = made.opened, right = socket!.sent[0]!;
    const other = from === FROM ? messageOf((right[0]! << 8 | right[1]!) ^ 1, 1) : right;
    await socket!.hears(octets ?? other, from);
    assert.equal(made.counts.ignored, 1);
    for (let i = 0; i < 4 * PORTS; i++) void ask(made, 2);
    await turn();
    assert.equal(socket!.sent.length, 1);
    await socket!.hears(right);
    assert.equal(await answer, "answer 1");
    assert.equal(socket!.isClosed, true);
    await settle(made);
  });
}

Deno.test("who waited while so many were ignored is told so, whoever asked later is not", async () => {
  const made = portsTo(), { answers, shared } = await crowd(made);
  for (let i = 1; i <= IGNORED_MAX; i++) {
    assert.equal(shared.isClosed, false);
    await shared.hears(new Uint8Array(2));
  }
  assert.equal(shared.isClosed, true);
  for (const octets of shared.sent) assert.equal(await answers[octets[12]!], undefined);
  await settle(made);
});

Deno.test("when patience is over the question fails, and its socket takes no other", async () => {
  const made = portsTo(), answer = ask(made, 1, new Patience(made.clock, 1000));
  await turn();
  made.clock.advance(1000);
  assert.equal(await answer, "timed out");
  assert.equal(made.opened[0]!.isClosed, true);
  const over = new Patience(made.clock, 0);
  made.clock.advance(0);
  assert.equal(await ask(made, 1, over), "timed out");
  assert.equal(made.opened.length, 1);
});

Deno.test("a reply that fills the room is taken for one that was cut", async () => {
  const made = portsTo(), answer = ask(made, 1);
  await turn();
  const long = new Uint8Array(5000);
  long.set(made.opened[0]!.sent[0]!);
  await made.opened[0]!.hears(long);
  assert.equal(await answer, "cut");
  made.ports.close();
});

Deno.test("what the system refuses fails the question", async () => {
  const made = portsTo(), waiting = ask(made, 1);
  await turn();
  made.opened[0]!.close();
  assert.match(String(await waiting), /closed/);
  const failing = new UdpPorts(UPSTREAM, {
    clock: made.clock,
    sockets: {
      listenDatagram() {
        const socket = new FakeSocket();
        socket.refusal = new Error("network unreachable");
        made.opened.push(socket);
        return socket as unknown as Deno.DatagramConn;
      },
    } as unknown as Sockets,
    onIgnored() {},
  });
  assert.equal(await ask({ ...made, ports: failing }), "network unreachable");
  failing.close();
  made.ports.close();
  assert.ok(made.opened.every(({ isClosed }) => isClosed));
});

Deno.test("Patience ends what is within it, and not what was", () => {
  const clock = new ManualClock(), told: string[] = [];
  const overall = new Patience(clock, 5000);
  const first = new Patience(clock, 2000, overall);
  first.onOver = () => told.push("first");
  first[Symbol.dispose]();
  const second = new Patience(clock, 9000, overall), { signal } = second;
  second.onOver = () => told.push("second");
  clock.advance(4999);
  assert.deepEqual([told, signal.aborted], [[], false]);
  clock.advance(1);
  assert.deepEqual([told, signal.aborted, second.isOver], [["second"], true, true]);
  assert.equal(new Patience(clock, 1, overall).signal.aborted, true);
});
