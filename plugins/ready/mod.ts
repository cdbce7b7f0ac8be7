/**
 * ready: says over HTTP when every plugin has what it needs to answer. Syntax and examples: README.md.
 *
 * @module
 */

import { parseHostPort } from "../../core/net/host_port.ts";
import {
  Arguments,
  type ControlScope,
  CorefileError,
  type Directive,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  type ProcessScope,
  readOptions,
} from "../../core/plugin.ts";

/** One `ready`. Plain data. */
export interface ReadyConfig {
  readonly address: string;
  /** Whether plugins are asked again that were ready once. */
  readonly continuously: boolean;
}

const options = {
  monitor: {
    usage: "monitor until-ready|continuously",
    read: (args: Arguments) => args.oneOf("monitor", ["until-ready", "continuously"]),
  },
} satisfies Options;

export default {
  name: "ready",
  usage: "ready [ADDRESS]",
  options,
  parse,
  start,
} satisfies PluginModule<ReadyConfig>;

function parse(directives: readonly Directive[], { problems }: ParseScope): ReadyConfig {
  const directive = onlyOne(directives, problems);
  const args = new Arguments(directive);
  const address = args.more ? args.token("ADDRESS") : undefined;
  args.end();
  if (address && !parseHostPort(address.text)?.port) {
    throw new CorefileError(
      address,
      `ready: ADDRESS must be [HOST]:PORT such as :8181: got '${address.text}'`,
    );
  }
  const { monitor } = readOptions(directive, options, problems);
  return { address: address?.text ?? ":8181", continuously: monitor === "continuously" };
}

function start({ address, continuously }: ReadyConfig, scope: ControlScope): void {
  const readiness = new Readiness(() => scope.process.readiness(), continuously);
  // Load balancers go elsewhere while a lame duck still answers.
  scope.beforeStop(() => Promise.resolve(readiness.stop()));
  scope.serveHttp({ address, path: "/ready", handler: () => readiness.respond() });
}

/** Remembers who was ready once, where that is enough. */
export class Readiness {
  readonly #asked: ProcessScope["readiness"];
  readonly #continuously: boolean;
  readonly #wereReady = new WeakSet<object>();
  #stopping = false;

  constructor(asked: ProcessScope["readiness"], continuously: boolean) {
    this.#asked = asked;
    this.#continuously = continuously;
  }

  /** From now on nothing is ready. */
  stop(): void {
    this.#stopping = true;
  }

  /** 200 when all are ready, else 503 with the names of those that are not. */
  respond(): Response {
    if (this.#stopping) return new Response("stopping\n", { status: 503 });
    const waiting = this.#asked().filter((one) => !this.#isReady(one)).map(({ name }) => name);
    if (waiting.length === 0) return new Response("OK");
    return new Response([...new Set(waiting)].sort().join(","), { status: 503 });
  }

  #isReady(one: ReturnType<ProcessScope["readiness"]>[number]): boolean {
    if (!this.#continuously && this.#wereReady.has(one)) return true;
    if (!one.isReady()) return false;
    this.#wereReady.add(one);
    return true;
  }
}
