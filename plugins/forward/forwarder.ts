/**
 * One `forward` directive at work: which upstream is asked, what if it fails, and when to stop.
 *
 * @module
 */

import { OPTION, RCODE, rcodeToText, TYPE } from "../../core/dns/types.ts";
import {
  type Answer,
  type Clock,
  emptyAnswer,
  formatAddress,
  type Labels,
  type QueryContext,
  type Transport,
} from "../../core/plugin.ts";
import { Channel } from "./channel.ts";
import type { ForwardRule } from "./config.ts";
import { ExchangeError } from "./failure.ts";
import { Health } from "./health.ts";
import { Patience } from "./patience.ts";
import { orderOf } from "./policy.ts";
import type { Question } from "./question.ts";
import { answerFrom, failureAnswer, isNodata } from "./reply.ts";
import { SingleFlight } from "./single_flight.ts";
import type { Sockets } from "./sockets.ts";
import { formatUpstream, type Upstream } from "./upstream.ts";

/** What a query may take in all: clients give up at about this age. */
const QUERY_TIMEOUT_MS = 5000;
const PROBE_TIMEOUT_MS = 1000;

/** What a forwarder works with. */
export interface ForwarderScope {
  readonly clock: Clock;
  readonly random: () => number;
  readonly sockets: Sockets;
  count(name: string, labels?: Labels): void;
  observe(name: string, value: number, labels?: Labels): void;
}

/** What an exchange, or a row of them, came to. */
interface Outcome {
  readonly answer: Answer;
  /** Whose answer it is; undefined when nobody's. */
  readonly by?: string;
}

/** An upstream and what is known of it. */
interface Candidate {
  readonly label: string;
  readonly channel: Channel;
  readonly health: Health;
}

/** The first answer that its rule does not hand on to the next; the last one's stands in any case. */
export async function forwardInTurn(
  forwarders: readonly Forwarder[],
  context: QueryContext,
): Promise<Answer> {
  const [first, ...others] = forwarders;
  const answer = await first!.answer(context);
  return others.length > 0 && first!.handsOn(answer, context.question.type)
    ? await forwardInTurn(others, context)
    : answer;
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
    const startedMs = performance.now();
    try {
      const transport = this.#rule.transport === "client" ? context.transport : this.#rule.transport;
      const question = questionOf(context, this.#rule);
      const { answer, by } = await this.#flight.do(
        keyOf(question, context, transport),
        () => this.#ask(question, transport),
      );
      const what = `${by ? `${by} answered` : "no upstream answered"}: ${rcodeToText(answer.rcode)}`;
      context.record?.({ plugin: "forward", what, durationMs: performance.now() - startedMs });
      return answer;
    } finally {
      this.#waiting--;
    }
  }

  /** Whether the rule wants the next one asked instead of giving this answer. */
  handsOn(answer: Answer, type: number): boolean {
    const { next, nextOnNodata } = this.#rule;
    return next.includes(answer.rcode) || (nextOnNodata && isNodata(answer, type));
  }

  /** Ends the probes and idle connections. Queries under way still get their answers. */
  close(): void {
    for (const { health, channel } of this.#candidates) {
      health.close();
      channel.close();
    }
  }

  async #ask(question: Question, transport: Transport): Promise<Outcome> {
    using overall = new Patience(this.#scope.clock, QUERY_TIMEOUT_MS);
    const failures: ExchangeError[] = [];
    let unwanted: Outcome | undefined;
    for (const { channel, label, health } of this.#tries()) {
      if (overall.isOver) break;
      using patience = new Patience(this.#scope.clock, this.#rule.readTimeoutMs, overall);
      try {
        const startedMs = performance.now();
        const reply = await channel.exchange(question, transport, patience);
        health.replied();
        this.#scope.observe(
          "coredns_proxy_request_duration_seconds",
          (performance.now() - startedMs) / 1000,
          { proxy_name: "forward", to: label, rcode: rcodeToText(reply.rcode) },
        );
        const answer = answerFrom(reply, {
          upstream: label,
          passesSubnet: this.#rule.passesSubnet,
          question,
        });
        if (!this.#rule.failover.includes(reply.rcode)) return { answer, by: label };
        unwanted = { answer, by: label };
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error;
        health.failed();
        this.#scope.count("meridian_forward_failures_total", { to: label });
        failures.push(new ExchangeError(error.kind, `${label} ${error.message}`));
      }
    }
    return unwanted ?? { answer: failureAnswer(failures, this.#rule.passesSubnet) };
  }

  /** Whom to ask, one after the other: those that are up, in the policy's order, again and again up to the limit. */
  *#tries(): Generator<Candidate> {
    const { policy, attemptsMax, failFast } = this.#rule;
    const order = orderOf(policy, this.#candidates.length, this.#turn++, this.#scope.random)
      .map((i) => this.#candidates[i]!);
    for (let attempt = 0, next = 0; attempt < attemptsMax && order.length > 0; attempt++) {
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
    const question = { name, type: TYPE.NS, recursionDesired, dnssecOk: false, checkingDisabled: false };
    const { clock, sockets, count } = this.#scope;
    const channel = new Channel(upstream, this.#rule, {
      clock,
      sockets,
      onIgnored: () => count("meridian_forward_ignored_total", { to: label }),
      onTaken: (how, proto) => {
        const name = how === "hit"
          ? "coredns_proxy_conn_cache_hits_total"
          : "coredns_proxy_conn_cache_misses_total";
        count(name, { proxy_name: "forward", to: label, proto });
      },
    });
    const health = new Health({
      clock,
      intervalMs,
      maxFails,
      probe: async () => {
        using patience = new Patience(clock, PROBE_TIMEOUT_MS);
        await channel.exchange(question, transport === "tcp" ? "tcp" : "udp", patience);
      },
      onProbeFailed: () =>
        count("coredns_proxy_healthcheck_failures_total", { proxy_name: "forward", to: label }),
    });
    return { label, channel, health };
  }
}

function questionOf(context: QueryContext, { passesSubnet }: ForwardRule): Question {
  const { question: { name, type }, edns, checkingDisabled, recursionDesired, passedOptions } = context;
  // One that a plugin above has set stands in the place of the client's own.
  const isSet = passedOptions?.some(({ code }) => code === OPTION.CLIENT_SUBNET) ?? false;
  const subnet = passesSubnet && context.ecs && !isSet ? edns?.clientSubnet : undefined;
  return {
    name,
    type,
    recursionDesired,
    checkingDisabled,
    dnssecOk: edns?.dnssecOk ?? false,
    ...(subnet && { subnet }),
    ...(passedOptions && { options: passedOptions }),
  };
}

/** What two queries have in common that share an exchange. */
function keyOf(
  { dnssecOk, checkingDisabled, recursionDesired, type, subnet, options = [] }: Question,
  { name }: QueryContext,
  transport: Transport,
): string {
  const network = subnet ? `${formatAddress(subnet.address)}/${subnet.sourcePrefixLength}` : "";
  const others = options.map(({ code, data }) => `${code}:${data.toHex()}`).join();
  return `${+dnssecOk}${+checkingDisabled}${+recursionDesired} ${transport} ${type} ${network} ${others} ${name}`;
}
