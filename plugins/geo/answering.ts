/** The answering half of geo: all that a worker has of it. @module */

import { locate } from "../../core/fleet/locate.ts";
import type { Geography, Location } from "../../core/fleet/place.ts";
import {
  type Answer,
  type AnsweringModule,
  clientAddress,
  formatAddress,
  formatPrefix,
  type Next,
  type QueryContext,
  then,
} from "../../core/plugin.ts";
import { describeLocation } from "./describe.ts";
import { labelsOf } from "./labels.ts";
import type { GeoConfig } from "./mod.ts";

/** Passes on with where the client is, worked out when someone first asks. */
export function answerLocated(
  geography: Geography | undefined,
  ecs: boolean,
  context: QueryContext,
  next: Next,
): Answer | Promise<Answer> {
  if (!geography) return next(ecs ? context : { ...context, ecs });
  let location: Location | undefined;
  const located: QueryContext = {
    ...context,
    ecs: context.ecs && ecs,
    locate: () => location ??= locate(geography, clientAddress(located).address),
    locateAddress: (address) => locate(geography, address),
  };
  if (context.record) recordLocation(located, located.locate!());
  return next(located);
}

function recordLocation(context: QueryContext, location: Location): void {
  const { address, bySubnet } = clientAddress(context);
  const client = `${formatAddress(address)} (${bySubnet ? "by client subnet" : "the source"})`;
  const { place, precision, source, special, network } = location;
  context.record?.({
    plugin: "geo",
    what: `${client} is in ${describeLocation(location)}`,
    facts: {
      address: formatAddress(address),
      bySubnet,
      network: formatPrefix(network),
      ...place && { place, precision },
      source,
      special,
    },
  });
}

const metrics = {
  meridian_geo_reloads_total: {
    kind: "counter",
    help: "Changed files of geo data, taken or refused.",
    labels: ["outcome"],
  },
} satisfies AnsweringModule["metrics"];

export default {
  name: "geo",
  metrics,
  repeats: "absence",
  answerer: ({ ecs }, scope) => ({
    name: "geo",
    labels: labelsOf((context) => {
      const geography = scope.geography(context.snapshot);
      return geography && locate(geography, clientAddress({ ...context, ecs: context.ecs && ecs }).address);
    }),
    answer(context, next) {
      const answer = answerLocated(scope.geography(context.snapshot), ecs, context, next);
      return ecs ? answer : then(answer, (answer) => ({ ...answer, ecs: false }));
    },
  }),
} satisfies AnsweringModule<GeoConfig>;
