/**
 * One `forward` directive at work: which upstream is asked, what if it fails, and when to stop.
 *
 * @module
 */

import { RCODE, rcodeToText } from "../../core/dns/types.ts";
import {
  type Answer,
  type Clock,
  emptyAnswer,
  type QueryContext,
  type Transport,
} from "../../core/plugin.ts";
import { formatUpstream, type ForwardRule, type Upstream } from "./config.ts";
import { exchange, type Question } from "./exchange.ts";
import { Health } from "./health.ts";
import { orderOf } from "./policy.ts";
import { answerFrom, failureAnswer } from "./reply.ts";
import { SingleFlight } from "./single_flight.ts";
import { ExchangeError, expiring, type Sockets } from "./transport.ts";

/** What a query may take in all: clients give up at about this age. */
const QUERY_TIMEOUT_MS = 5000;
const PROBE_TIMEOUT_MS = 1000;

/** What a forwarder works with. */
export interface ForwarderScope {
  readonly clock: Clock;
  readonly random: () => number;
  readonly sockets: Sockets;
  count(name: string, labels?: Readonly<Record<string, string>>): void;
}

/** What an exchange, or a row of them, came to. */
interface Outcome {
  readonly answer: Answer;
  /** Whose answer it is; undefined when nobody's. */
  readonly by?: string;
}

/** An upstream and what is known of it. */
interface Candidate {
  readonly upstream: Upstream;
  readonly label: string;
  readonly health: Health;
}

/** Forwards the queries of one rule. */
export class Forwarder {
  readonly #rule: ForwardRule;
  readonly #scope: ForwarderScope;
  readonly #candidates: readonly Candidate[];
  readonly #flight = new SingleFlight<Outcome>();
  #waiting = 0;
  #turn = 0;

  constructor(rule: ForwardRule, scope: ForwarderScope) {
    this.#rule = rule;
    this.#scope = scope;
    this.#candidates = rule.upstreams.map((upstream) => this.#candidate(upstream));
  }

  /** What the upstreams say; SERVFAIL when none says anything in time, REFUSED when too many queries wait already. */
  async answer(context: QueryContext): Promise<Answer> {
    if (this.#waiting >= this.#rule.concurrentMax) {
      this.#scope.count("coredns_forward_max_concurrent_rejects_total");
      return emptyAnswer(RCODE.REFUSED, { momentary: true });
    }
    this.#waiting++;
    try {
      const transport = this.#rule.transport === "client" ? context.transport : this.#rule.transport;
      const question = questionOf(context);
      const key =
        `${+question.dnssecOk}${+question.checkingDisabled}${+question.recursionDesired} ${transport} ` +
        `${question.type} ${context.name}`;
      const { answer, by } = await this.#flight.do(key, () => this.#ask(question, transport));
      const what = `${by ? `${by} answered` : "no upstream answered"}: ${rcodeToText(answer.rcode)}`;
      context.record?.({ plugin: "forward", what });
      return answer;
    } finally {
      this.#waiting--;
    }
  }

  /** Ends the probes. Queries under way still get their answers. */
  close(): void {
    for (const { health } of this.#candidates) health.close();
  }

  async #ask(question: Question, transport: Transport): Promise<Outcome> {
    using overall = expiring(this.#scope.clock, QUERY_TIMEOUT_MS);
    const failures: ExchangeError[] = [];
    let unwanted: Outcome | undefined;
    for (const { upstream, label, health } of this.#tries()) {
      if (overall.signal.aborted) break;
      using patience = expiring(this.#scope.clock, this.#rule.readTimeoutMs, overall.signal);
      try {
        const reply = await exchange(
          question,
          upstream,
          transport,
          this.#exchangeScope(label, patience.signal),
        );
        health.replied();
        const outcome = { answer: answerFrom(reply), by: label };
        if (!this.#rule.failover.includes(reply.rcode)) return outcome;
        unwanted = outcome;
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        health.failed();
        this.#scope.count("meridian_forward_failures_total", { to: label });
        failures.push(error);
      }
    }
    return unwanted ?? { answer: failureAnswer(failures) };
  }

  /** Whom to ask, one after the other: those that are up, in the policy's order, again and again up to the limit. */
  *#tries(): Generator<Candidate> {
    const { policy, attemptsMax, failFast } = this.#rule;
    const order = orderOf(policy, this.#candidates.length, this.#turn++, this.#scope.random)
      .map((i) => this.#candidates[i]!);
    for (let attempt = 0, next = 0; attempt < attemptsMax; attempt++) {
      const offset = order.findIndex((_, i) => !order[(next + i) % order.length]!.health.isDown);
      if (offset >= 0) {
        yield order[(next + offset) % order.length]!;
        next += offset + 1;
        continue;
      }
      this.#scope.count("coredns_forward_healthcheck_broken_total");
      if (failFast) return;
      yield order[Math.floor(this.#scope.random() * order.length)]!;
    }
  }

  #candidate(upstream: Upstream): Candidate {
    const label = formatUpstream(upstream);
    const { healthCheck: { name, recursionDesired, intervalMs }, maxFails, transport } = this.#rule;
    const question = { name, type: 2, recursionDesired, dnssecOk: false, checkingDisabled: false };
    const health = new Health({
      clock: this.#scope.clock,
      intervalMs,
      maxFails,
      probe: async () => {
        using patience = expiring(this.#scope.clock, PROBE_TIMEOUT_MS);
        const scope = this.#exchangeScope(label, patience.signal);
        await exchange(question, upstream, transport === "tcp" ? "tcp" : "udp", scope);
      },
      onProbeFailed: () =>
        this.#scope.count("coredns_proxy_healthcheck_failures_total", { proxy_name: "forward", to: label }),
    });
    return { upstream, label, health };
  }

  #exchangeScope(label: string, signal: AbortSignal) {
    const onIgnored = () => this.#scope.count("meridian_forward_ignored_total", { to: label });
    return { sockets: this.#scope.sockets, signal, onIgnored };
  }
}

function questionOf({ question, edns, checkingDisabled, recursionDesired }: QueryContext): Question {
  const { name, type } = question;
  return { name, type, recursionDesired, checkingDisabled, dnssecOk: edns?.dnssecOk ?? false };
}
