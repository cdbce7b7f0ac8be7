/**
 * Looks at form-state's list of nodes, again and again, in whichever shape and at whichever path it has it.
 *
 * @module
 */

import type { Clock, Log, Prefix } from "../../core/plugin.ts";
import { decodeNodeList, type NodeList } from "./node_lists.ts";
import { FormationProblem } from "./json.ts";
import { parseJson } from "./decode.ts";

/** What it works with. */
export interface PollerOptions {
  /** Where form-state is: `http://localhost:3004`. With a path, that is the list; without, the known ones are tried. */
  readonly url: string;
  readonly everyMs: number;
  readonly overlay: readonly Prefix[];
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly log: Log;
  /** Takes a list; what it throws is told as a failure of this look. */
  take(list: NodeList): Promise<void>;
  /** The source can be read, or cannot. */
  setAway(isAway: boolean): void;
}

/** Where the list has been, the newest first. */
const PATHS = ["/v1/node/list", "/node/list", "/nodes"];

/** How long an answer may take, and how many octets it may have. */
const TIMEOUT_MS = 5000, OCTETS_MAX = 32 << 20;

/** See the module. */
export class Poller {
  readonly #options: PollerOptions;
  #path: string | undefined;
  #fault: string | undefined;
  readonly #told = new Set<string>();
  #cancel: () => void = () => {};
  #isClosed = false;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  start(): void {
    void this.look().finally(() => {
      if (!this.#isClosed) {
        this.#cancel = this.#options.clock.after(this.#options.everyMs, () => this.start());
      }
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  /** Looks once. Never rejects. */
  async look(): Promise<void> {
    const { setAway, log, url, take } = this.#options;
    try {
      const list = await this.#read();
      if (this.#isClosed) return;
      for (const problem of list.problems) this.#say(problem);
      setAway(false);
      await take(list);
      if (this.#fault !== undefined) log.info(`formation: ${url} can be read again`);
      this.#fault = undefined;
    } catch (error) {
      if (this.#isClosed) return;
      setAway(true);
      const fault = error instanceof Error ? error.message : String(error);
      if (this.#fault !== fault) {
        log.warn(`formation: ${url} cannot be read, its nodes stay as they are: ${fault}`);
      }
      this.#fault = fault;
    }
  }

  async #read(): Promise<NodeList> {
    const { url } = this.#options, { pathname } = new URL(url);
    if (pathname !== "/") return await this.#readAt(url);
    const tried: string[] = [];
    for (const path of this.#path === undefined ? PATHS : [this.#path]) {
      try {
        const list = await this.#readAt(new URL(path, url).href);
        this.#path = path;
        return list;
      } catch (error) {
        tried.push(`${path}: ${error instanceof Error ? error.message : error}`);
      }
    }
    // An upgrade may have moved it.
    this.#path = undefined;
    throw new FormationProblem(tried.join("; "));
  }

  async #readAt(url: string): Promise<NodeList> {
    const { fetch, overlay } = this.#options;
    const response = await fetch(url, {
      headers: { accept: "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await boundedText(response);
    if (!response.ok) throw new FormationProblem(`HTTP ${response.status}`);
    return decodeNodeList(parseJson(text, "a node list"), overlay);
  }

  /** Once. */
  #say(problem: string): void {
    if (this.#told.has(problem)) return;
    if (this.#told.size >= 1000) this.#told.clear();
    this.#told.add(problem);
    this.#options.log.warn(`formation: ${problem}`);
  }
}

async function boundedText({ body }: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "", octets = 0;
  for await (const chunk of body ?? []) {
    octets += chunk.length;
    if (octets > OCTETS_MAX) throw new FormationProblem(`the list has more than ${OCTETS_MAX} octets`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
