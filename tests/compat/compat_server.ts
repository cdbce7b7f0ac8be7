/**
 * A server from a Corefile in a file, with upstreams, everything on ports of its own.
 *
 * @module
 */

import { decodeMessage, encodeMessage, makeQuery, type Message } from "../../core/dns/message.ts";
import { parseName } from "../../core/dns/name.ts";
import { type Address, parseAddress } from "../../core/net/address.ts";
import { freePort, type StartOptions, startServer, type TestServer } from "../support/server.ts";

/** A question, and who asks it. */
export interface Asked {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly from: string;
  readonly dnssecOk: boolean;
}

/** A running server with its upstreams. */
export class CompatServer {
  readonly #test: TestServer;
  readonly #upstreams: readonly TestServer[];
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(
    test: TestServer,
    upstreams: readonly TestServer[],
    ports: ReadonlyMap<string, number>,
  ) {
    [this.#test, this.#upstreams, this.#ports] = [test, upstreams, ports];
  }

  /** Starts a Corefile. @throws When it has problems. */
  static async start(file: string, options: StartOptions = {}): Promise<CompatServer> {
    const upstreams: TestServer[] = [];
    try {
      for (const name of ["a", "b"]) {
        upstreams.push(await startServer(`.:1053 {\n    file tests/compat/upstreams/${name}.zone\n}`));
      }
      const ports = new Map([["5301", upstreams[0]!.port], ["5302", upstreams[1]!.port]]);
      const text = Deno.readTextFileSync(file).replace(/(?<=:)(\d{2,5})(?=\s|$)/gm, (port) => {
        if (port === "1053" || port === "53") return "1053";
        if (!ports.has(port)) ports.set(port, freePort());
        return String(ports.get(port));
      });
      return new CompatServer(await startServer(text, { file, ...options }), upstreams, ports);
    } catch (error) {
      for (const upstream of upstreams) await upstream.close();
      throw error;
    }
  }

  /** The server itself. */
  get test(): TestServer {
    return this.#test;
  }

  /** Lines of the query log and what was logged otherwise. */
  get lines(): readonly string[] {
    return [...this.#test.lines, ...this.#test.logged];
  }

  /** Asks as if from some address; undefined when nothing is said. */
  async ask({ name, type, class: dnsClass, from, dnssecOk }: Asked): Promise<Message | undefined> {
    const query = makeQuery(29008, parseName(name), type, { recursionDesired: true, edns: { dnssecOk } });
    const octets = encodeMessage({
      ...query,
      questions: query.questions.map((question) => ({ ...question, class: dnsClass })),
    });
    const source = addressOf(from);
    const server = addressOf(source.family === 4 ? "127.0.0.1" : "::1");
    const outcome = await this.#test.server.answering.examine(octets, {
      source: { address: source, port: 40212 },
      server: { address: server, port: this.#test.port },
      transport: "udp",
    });
    return outcome.octets ? decodeMessage(outcome.octets) : undefined;
  }

  /** Fetches from a port as the Corefile has it. */
  async get(port: string, path: string): Promise<{ status: number; body: string }> {
    const response = await fetch(`http://127.0.0.1:${this.#ports.get(port)}${path}`);
    return { status: response.status, body: await response.text() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#test.close();
    for (const upstream of this.#upstreams) await upstream.close();
  }
}

function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (!address) throw new Error(`not an address: ${text}`);
  return address;
}
