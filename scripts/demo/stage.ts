/**
 * The ten nodes of the example as listeners on loopback, a server that probes them, and clients that ask it.
 *
 * @module
 */

import { decodeClientSubnet, findOption } from "../../core/dns/edns.ts";
import { OPTION } from "../../core/dns/types.ts";
import { metresBetween } from "../../core/fleet/distance.ts";
import type { Node } from "../../core/fleet/node.ts";
import { addressFromOctets, formatAddress } from "../../core/net/address.ts";
import { askServer, freePort } from "../../tests/support/server.ts";
import { linesOf } from "../bench/lines.ts";
import { copyExample, type Example, exampleNodes } from "../example.ts";
import { Listeners } from "../listeners.ts";
import { type Client, CLIENTS, networkEntries } from "./clients.ts";

/** What a client was told. */
export interface Told {
  readonly client: Client;
  /** Nearest first. */
  readonly nodes: readonly { readonly id: string; readonly km: number }[];
  /** Seconds. */
  readonly ttl: number;
  readonly scopePrefixLength: number;
}

/** The port that the example's health check looks at. */
const NODE_PORT = 8443;

/** Opened by {@linkcode Stage.open}; disposing of it ends all it started. */
export class Stage implements AsyncDisposable {
  /** Lines of the server's log. */
  readonly log: string[] = [];
  /** How many questions were asked. All of them were answered, or the show ended with an error. */
  asked = 0;
  readonly nodes: readonly Node[];
  readonly port: number;
  readonly #example: Example;
  readonly #listeners: Listeners;
  readonly #server: Deno.ChildProcess;
  readonly #logged: Promise<unknown>;
  #closing: Promise<void> | undefined;

  private constructor(nodes: readonly Node[], port: number, example: Example, listeners: Listeners) {
    this.nodes = nodes;
    this.port = port;
    this.#example = example;
    this.#listeners = listeners;
    const main = new URL("../../main.ts", import.meta.url).pathname;
    this.#server = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", main, "serve", "-quiet", "-conf", example.corefile],
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#logged = Promise.all([this.#keep(this.#server.stdout), this.#keep(this.#server.stderr)]);
  }

  /** Starts everything. */
  static async open(): Promise<Stage> {
    const nodes = await exampleNodes(), port = freePort();
    const listeners = Listeners.open(addressesOf(nodes), NODE_PORT);
    const example = await copyExample({
      "    log\n": "",
      ":1053": `:${port}`,
      "bind 127.0.0.1 ::1": "bind 127.0.0.1",
      "tcp 8443": `tcp ${listeners.port}`,
      "interval 10s": "interval 1s",
      "timeout 3s": "timeout 500ms",
      "fall 3 ": "fall 2 ",
      "rise 6": "rise 2",
      "hold-down 60s 30m": "hold-down off",
      "ramp 120s": "ramp off",
    });
    await Deno.writeTextFile(example.networksFile, networkEntries(), { append: true });
    return new Stage(nodes, port, example, listeners);
  }

  /** The port at which the nodes listen. */
  get nodePort(): number {
    return this.#listeners.port;
  }

  /** Asks as a resolver near the client would. @throws {Error} When no answer comes. */
  async ask(client: Client, timeoutMs = 3000): Promise<Told> {
    const reply = await askServer(this.port, "entry.anycast.example", "A", {
      subnet: client.network,
      timeoutMs,
    });
    this.asked++;
    const subnet = findOption(reply.edns?.options ?? [], OPTION.CLIENT_SUBNET);
    const nodes = reply.answer.map(({ rdata }) => {
      const node = this.#nodeAt(formatAddress(addressFromOctets(rdata)));
      return { id: node.id, km: Math.round(metresBetween(client, node.place) / 1000) };
    });
    return {
      client,
      nodes: nodes.sort((a, b) => a.km - b.km),
      ttl: reply.answer[0]?.ttl ?? 0,
      scopePrefixLength: subnet ? decodeClientSubnet(subnet.data)?.scopePrefixLength ?? 0 : 0,
    };
  }

  /** Asks for every client. */
  askForAll(): Promise<Told[]> {
    return Promise.all(CLIENTS.map((client) => this.ask(client)));
  }

  /** Nobody listens at a node's address any more; with no id, at none. */
  kill(id?: string): void {
    if (id === undefined) this.#listeners.close();
    else this.#listeners.close(this.nodes.find((node) => node.id === id)!.ipv4);
  }

  /** Every node listens again. */
  revive(): void {
    for (const address of addressesOf(this.nodes)) this.#listeners.open(address);
  }

  /** Writes the node list anew, with more lines for one node. The server looks at the file every two seconds. */
  async editNode(id: string, ...lines: string[]): Promise<void> {
    const original = await Deno.readTextFile(new URL("../../nodes.yaml", import.meta.url));
    const entry = `  - id: ${id}\n`;
    const more = lines.map((line) => `    ${line}\n`).join("");
    const beside = `${this.#example.nodesFile}.new`;
    await Deno.writeTextFile(beside, original.replace(entry, entry + more));
    await Deno.rename(beside, this.#example.nodesFile);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    try {
      this.#server.kill("SIGTERM");
    } catch { /* it has ended */ }
    await this.#server.status;
    await this.#logged;
    this.#listeners.close();
    await this.#example.remove();
  }

  #nodeAt(address: string): Node {
    const node = this.nodes.find(({ ipv4 }) => ipv4 === address);
    if (!node) throw new Error(`The answer has ${address}, which is no node's`);
    return node;
  }

  async #keep(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const line of linesOf(stream)) this.log.push(line);
  }
}

/** All of them have the same IPv6 address. */
function addressesOf(nodes: readonly Node[]): string[] {
  return [...new Set(nodes.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]))].filter((address) =>
    address !== undefined
  );
}
