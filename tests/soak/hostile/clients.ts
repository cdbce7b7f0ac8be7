/**
 * Clients that would have the server spend what it has, and the ways in which connections are used, well and badly.
 *
 * @module
 */

/** What clients saw so far. */
export interface Tally {
  asked: number;
  answered: number;
  connections: number;
}

/** One way to use a connection. */
export type Use = (connection: Deno.TcpConn) => Promise<void>;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const octet = () => Math.floor(Math.random() * 256);

/** One of several, by chance. */
export const pick = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;

/** Behind its length, as over TCP. */
export const framed = (message: Uint8Array): Uint8Array =>
  Uint8Array.from([message.length >> 8, message.length & 255, ...message]);

/** A message with octets changed, cut, added. */
export function mangled(octets: Uint8Array): Uint8Array {
  for (let i = 0; i < 1 + octet() % 4; i++) octets[octet() % octets.length] = octet();
  const cut = octets.slice(0, pick([octets.length, octets.length, octet() % octets.length]));
  return Math.random() < 0.2 ? Uint8Array.from([...cut, ...Array.from({ length: octet() }, octet)]) : cut;
}

/** Asks a server on a port of 127.0.0.1 until it is told to stop. */
export class Clients {
  readonly tally: Tally = { asked: 0, answered: 0, connections: 0 };
  readonly #port: number;
  readonly #query: () => Uint8Array;
  #stopped = false;

  /** `query` makes a sound one. */
  constructor(port: number, query: () => Uint8Array) {
    [this.#port, this.#query] = [port, query];
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Sends over UDP from an address of its own, and reads what comes. */
  async datagrams(address: string, make: () => Uint8Array, everyMs: number, burst: number): Promise<void> {
    const { tally } = this, to = { transport: "udp", hostname: "127.0.0.1", port: this.#port } as const;
    while (!this.#stopped) {
      const socket = Deno.listenDatagram({ transport: "udp", hostname: address, port: 0 });
      const reading = (async () => {
        for await (const _ of socket) tally.answered++;
      })().catch(() => {});
      for (let i = 0; i < 200 && !this.#stopped; i++) {
        for (let b = 0; b < burst; b++) {
          tally.asked++;
          await socket.send(make(), to).catch(() => {});
        }
        await pause(everyMs);
      }
      socket.close();
      await reading;
    }
  }

  /** A connection, used in some way, over and over. */
  async connections(use: Use, everyMs: number): Promise<void> {
    while (!this.#stopped) {
      let connection: Deno.TcpConn | undefined;
      try {
        connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
        this.tally.connections++;
        await use(connection);
      } catch {
        // The server ended it: that is its right.
      }
      try {
        connection?.close();
      } catch { /* closed already */ }
      await pause(everyMs);
    }
  }

  /** Asks, reads, asks again. */
  readonly polite: Use = async (connection) => {
    const buffer = new Uint8Array(65_537);
    for (let i = 0; i < 20; i++) {
      this.tally.asked++;
      await connection.write(framed(this.#query()));
      if (await connection.read(buffer) !== null) this.tally.answered++;
    }
  };

  /** Asks much at once and reads nothing. */
  readonly greedy: Use = async (connection) => {
    for (let i = 0; i < 200; i++) {
      this.tally.asked++;
      await connection.write(framed(this.#query()));
    }
    await pause(3000);
  };

  /** Sends an octet now and then. */
  readonly dripping: Use = async (connection) => {
    for (const one of framed(this.#query())) {
      await connection.write(Uint8Array.of(one));
      await pause(700);
    }
  };

  /** Sends what is no DNS. */
  readonly noise: Use = async (connection) => {
    await connection.write(Uint8Array.from({ length: 2000 }, octet));
    await pause(500);
  };

  /** Says that a long message follows, and goes. */
  readonly broken: Use = async (connection) => {
    await connection.write(Uint8Array.of(0xff, 0xff, 1, 2, 3));
  };
}
