/**
 * The process endpoint, as CoreDNS's: `/health` says OK for as long as the process lives; and the process asks itself, as
 * CoreDNS's does, so that a metric shows when it has become slow to answer.
 *
 * @module
 */

import type { HostPort } from "../../core/net/host_port.ts";
import type { Clock, ControlScope } from "../../core/plugin.ts";

/** Where it listens, and how long it outlives the order to stop. */
export interface Endpoint extends HostPort {
  readonly lameduckMs: number;
}

/** Where it listens, as text. No host is every address. */
export function endpointAddress({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What the endpoint needs of a control scope. */
export type EndpointScope = Pick<
  ControlScope,
  "beforeStop" | "clock" | "count" | "log" | "observe" | "own" | "process" | "serveHttp"
>;

/** The addresses of each server that asks itself already. */
const asking = new WeakMap<object, Set<string>>();

/** Answers at the endpoint, and asks it every second. */
export function openEndpoint(
  endpoint: Endpoint,
  scope: EndpointScope,
  ask: typeof fetch = fetch,
): void {
  const address = endpointAddress(endpoint);
  scope.serveHttp({ address, path: "/health", handler: () => new Response("OK") });
  // A load balancer that watches the endpoint goes elsewhere meanwhile, and is answered until it does.
  if (endpoint.lameduckMs > 0) {
    scope.beforeStop(() => new Promise((resolve) => void scope.clock.after(endpoint.lameduckMs, resolve)));
  }
  let addresses = asking.get(scope.process);
  if (!addresses) asking.set(scope.process, addresses = new Set());
  if (addresses.has(address)) return;
  addresses.add(address);
  scope.own(new SelfCheck(urlOf(endpoint), scope, ask));
}

/** "Every address" is asked at loopback. */
function urlOf({ host, port }: Endpoint): string {
  return `http://${endpointAddress({ host: host || "127.0.0.1", port })}/health`;
}

const ASK_EVERY_MS = 1000, PATIENCE_MS = 5000;

/** The names that CoreDNS has for it. */
const DURATION = "coredns_health_request_duration_seconds";
const FAILURES = "coredns_health_request_failures_total";

/** Asks the endpoint again and again, a second after the last reply. */
class SelfCheck {
  readonly #url: string;
  readonly #scope: EndpointScope;
  readonly #clock: Clock;
  readonly #ask: typeof fetch;
  readonly #abort = new AbortController();
  #cancel = () => {};

  constructor(url: string, scope: EndpointScope, ask: typeof fetch) {
    this.#url = url;
    this.#scope = scope;
    this.#clock = scope.clock;
    this.#ask = ask;
    this.#wait();
  }

  close(): void {
    this.#cancel();
    this.#abort.abort();
  }

  #wait(): void {
    if (this.#abort.signal.aborted) return;
    this.#cancel = this.#clock.after(ASK_EVERY_MS, () => void this.#askOnce().finally(() => this.#wait()));
  }

  async #askOnce(): Promise<void> {
    const startedMs = this.#clock.nowMs();
    const late = new AbortController();
    const cancel = this.#clock.after(PATIENCE_MS, () => late.abort(new Error("no reply within 5 s")));
    try {
      const signal = AbortSignal.any([late.signal, this.#abort.signal]);
      const response = await this.#ask(this.#url, { signal });
      await response.text();
      this.#scope.observe(DURATION, (this.#clock.nowMs() - startedMs) / 1000);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#scope.count(FAILURES);
      this.#scope.log.warn(`health: the process did not answer itself at ${this.#url}: ${reasonOf(error)}`);
    } finally {
      cancel();
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
