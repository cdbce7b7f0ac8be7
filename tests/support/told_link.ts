/** What a server hears of its fleet, without a fleet. @module */

import { SYSTEM_CLOCK } from "../../core/clock.ts";
import { AgreeingHub } from "../../core/membership/agreeing_hub.ts";
import { FleetKnowledge } from "../../core/membership/knowledge.ts";
import type { FleetLink } from "../../core/membership/link.ts";
import type { Besides, News } from "../../core/membership/protocol.ts";

/** A fleet of one server, which hears what it is told. */
export interface ToldLink extends FleetLink {
  tell(news: Omit<News, "revision">): void;
  /** What it told last of its Corefile. */
  readonly besides: Besides | undefined;
}

/** A link to a fleet of which that is known. */
export function toldLink(news: Omit<News, "revision">): ToldLink {
  const agreement = { mode: "quorum", vantages: 1, freshMs: 15_000, holdMs: 300_000 } as const;
  const hubs = new Set<AgreeingHub>(), knowledge = new FleetKnowledge();
  knowledge.take({ revision: 1, ...news });
  const link = {
    besides: undefined as Besides | undefined,
    join(hub: ConstructorParameters<typeof AgreeingHub>[0]["hub"]) {
      const joined = new AgreeingHub({
        ...{ hub, server: "fra", region: "eu", agreement, clock: SYSTEM_CLOCK },
        report() {},
        tellBesides: (besides) => void (link.besides = besides),
      });
      joined.take(knowledge.all());
      hubs.add(joined);
      return joined;
    },
    leave(hub: AgreeingHub) {
      hubs.delete(hub);
      hub.close();
    },
    tellDigest() {},
    show: () => () => {},
    tell(news: Omit<News, "revision">) {
      const told = { revision: 2, ...structuredClone(news) };
      knowledge.take(told);
      for (const hub of hubs) hub.take(told);
    },
    status: { server: "fra", store: "memory", revision: 1, servers: {} },
  };
  return link as unknown as ToldLink;
}
