/** geo: says where clients are. Syntax and examples: README.md. @module */

import {
  Arguments,
  type Directive,
  onlyOne,
  type Options,
  type ParseScope,
  type PluginModule,
  readOptions,
  type Token,
} from "../../core/plugin.ts";
import { readRegularTextFile } from "../../core/files.ts";
import answering from "./answering.ts";
import { readMetadataOf, reasonOf } from "./build.ts";
import { embeddedDatabase } from "./embedded.ts";
import { type GeographyFiles, keepGeography } from "./keep.ts";
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

export default {
  ...answering,
  aliases: ["geoip"],
  usage: "geo [DBFILE...]",
  options,
  parse,
  start: keepGeography,
} satisfies PluginModule<GeoConfig>;
