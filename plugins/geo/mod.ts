/** geo: says where clients are. Syntax and examples: README.md. @module */

import {
  type Answer,
  Arguments,
  clientAddress,
  type Directive,
  formatAddress,
  formatPrefix,
  type Next,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  then,
  type Token,
} from "../../core/plugin.ts";
import { readRegularTextFile } from "../../core/files.ts";
import type { Geography, Location } from "../../core/fleet/place.ts";
import { readMetadataOf, reasonOf } from "./build.ts";
import { embeddedDatabase } from "./embedded.ts";
import { type GeographyFiles, keepGeography } from "./keep.ts";
import { describeLocation } from "./describe.ts";
import { locate } from "../../core/fleet/locate.ts";
import { labelsOf } from "./labels.ts";
import { readNetworks } from "./networks.ts";

/** One `geo` directive. */
export interface GeoConfig extends GeographyFiles {
  /** Whether ECS decides where a client is. */
  readonly ecs: boolean;
}

const options = {
  networks: { usage: "networks FILE", read: (args: Arguments) => args.token("FILE") },
  ecs: { usage: "ecs on|off", read: (args: Arguments) => args.onOff("ecs") },
  "edns-subnet": { usage: "edns-subnet", read: () => true },
} satisfies Options;

/** Reads `geo [DBFILE...] { ... }`, and looks into each file, so that `check` shows what is wrong with it. */
export function parse(directives: readonly Directive[], scope: ParseScope): GeoConfig {
  const { problems } = scope;
  const directive = onlyOne(directives, problems);
  const { networks, ecs, "edns-subnet": ednsSubnet } = readOptions(directive, options, problems);
  if (ednsSubnet && ecs === false) {
    problems.error(directive.name, `${directive.name.text}: edns-subnet contradicts ecs off`);
  }
  const databases = new Arguments(directive).rest();
  for (const token of databases) checkDatabase(token, directive, scope);
  if (networks) checkNetworks(networks, directive, scope);
  return {
    databases: databases.length > 0 ? databases.map((token) => scope.path(token)) : [embeddedDatabase()],
    ...networks && { networks: scope.path(networks) },
    ecs: ecs ?? true,
    inWorker: true,
  };
}

function checkDatabase(token: Token, { name }: Directive, scope: ParseScope): void {
  try {
    readMetadataOf(scope.path(token));
  } catch (error) {
    scope.problems.error(token, `${name.text}: cannot use '${token.text}': ${reasonOf(error)}`);
  }
}

function checkNetworks(token: Token, { name }: Directive, scope: ParseScope): void {
  const path = scope.path(token);
  try {
    readNetworks(readRegularTextFile(path), path, scope.problems);
  } catch (error) {
    scope.problems.error(token, `${name.text}: cannot read '${token.text}': ${reasonOf(error)}`);
  }
}

/** Passes on with where the client is, worked out when someone first asks. */
export function answerLocated(
  geography: Geography | undefined,
  ecs: boolean,
  context: QueryContext,
  next: Next,
): Answer | Promise<Answer> {
  const known: QueryContext = { ...context, ecs: context.ecs && ecs };
  if (!geography) return next(known);
  let location: Location | undefined;
  const locateClient = () => location ??= locate(geography, clientAddress(known).address);
  if (context.record) recordLocation(known, locateClient());
  return next({
    ...known,
    locate: locateClient,
    locateAddress: (address) => locate(geography, address),
  });
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
} satisfies PluginModule["metrics"];

export default {
  name: "geo",
  aliases: ["geoip"],
  usage: "geo [DBFILE...]",
  options,
  metrics,
  // Where a client is, not what is asked for, is all that it looks at.
  repeats: "absence",
  parse,
  start: keepGeography,
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
} satisfies PluginModule<GeoConfig>;
