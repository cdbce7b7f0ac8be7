/**
 * Every plugin, in the order in which a query passes them.
 *
 * The law of the order: a plugin feels those below it and must not care who is above. So what observes stands above
 * what answers; policy stands before work; what changes a reply stands above what produces it; what depends on the client
 * stands above anything that remembers answers. The order in a Corefile does not matter.
 *
 * cookie tells rrl which clients are not forged, so it stands above it; nsid stands below both, so that a reply over the
 * limit is not made longer than its query by an identifier.
 *
 * They are named by address, for what a module names in `import()` is read along with it, wanted or not: a server reads those
 * that its Corefile names.
 *
 * @module
 */

import type { PluginModule } from "../core/plugin.ts";

/** A plugin that can be had. */
interface Shelved {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** The module whose default export it is. */
  readonly at: URL;
}

/** First to last. */
const SHELF: readonly Shelved[] = [
  { name: "root", at: new URL("./root/mod.ts", import.meta.url) },
  { name: "metadata", at: new URL("./metadata/mod.ts", import.meta.url) },
  { name: "cancel", at: new URL("./cancel/mod.ts", import.meta.url) },
  { name: "timeouts", at: new URL("./timeouts/mod.ts", import.meta.url) },
  { name: "reload", at: new URL("./reload/mod.ts", import.meta.url) },
  { name: "view", at: new URL("./view/mod.ts", import.meta.url) },
  { name: "debug", at: new URL("./debug/mod.ts", import.meta.url) },
  { name: "ready", at: new URL("./ready/mod.ts", import.meta.url) },
  { name: "log", at: new URL("./log/mod.ts", import.meta.url) },
  { name: "dnstap", at: new URL("./dnstap/mod.ts", import.meta.url) },
  { name: "trace", at: new URL("./trace/mod.ts", import.meta.url) },
  { name: "errors", at: new URL("./errors/mod.ts", import.meta.url) },
  { name: "prometheus", at: new URL("./prometheus/mod.ts", import.meta.url) },
  { name: "api", at: new URL("./api/mod.ts", import.meta.url) },
  { name: "geo", aliases: ["geoip"], at: new URL("./geo/mod.ts", import.meta.url) },
  { name: "bind", at: new URL("./bind/mod.ts", import.meta.url) },
  { name: "bufsize", at: new URL("./bufsize/mod.ts", import.meta.url) },
  { name: "cookie", at: new URL("./cookie/mod.ts", import.meta.url) },
  { name: "rrl", at: new URL("./rrl/mod.ts", import.meta.url) },
  { name: "nsid", at: new URL("./nsid/mod.ts", import.meta.url) },
  { name: "any", at: new URL("./any/mod.ts", import.meta.url) },
  { name: "chaos", at: new URL("./chaos/mod.ts", import.meta.url) },
  { name: "local", at: new URL("./local/mod.ts", import.meta.url) },
  { name: "rewrite", at: new URL("./rewrite/mod.ts", import.meta.url) },
  { name: "acl", at: new URL("./acl/mod.ts", import.meta.url) },
  { name: "header", at: new URL("./header/mod.ts", import.meta.url) },
  { name: "minimal", at: new URL("./minimal/mod.ts", import.meta.url) },
  { name: "dns64", at: new URL("./dns64/mod.ts", import.meta.url) },
  { name: "ttl", at: new URL("./ttl/mod.ts", import.meta.url) },
  { name: "formation", at: new URL("./formation/mod.ts", import.meta.url) },
  { name: "loadbalance", at: new URL("./loadbalance/mod.ts", import.meta.url) },
  { name: "anycast", at: new URL("./anycast/mod.ts", import.meta.url) },
  { name: "health", at: new URL("./health/mod.ts", import.meta.url) },
  { name: "cache", at: new URL("./cache/mod.ts", import.meta.url) },
  { name: "erratic", at: new URL("./erratic/mod.ts", import.meta.url) },
  { name: "template", at: new URL("./template/mod.ts", import.meta.url) },
  { name: "hosts", at: new URL("./hosts/mod.ts", import.meta.url) },
  { name: "file", at: new URL("./file/mod.ts", import.meta.url) },
  { name: "auto", at: new URL("./auto/mod.ts", import.meta.url) },
  { name: "managed", at: new URL("./managed/mod.ts", import.meta.url) },
  { name: "loop", at: new URL("./loop/mod.ts", import.meta.url) },
  { name: "forward", at: new URL("./forward/mod.ts", import.meta.url) },
  { name: "whoami", at: new URL("./whoami/mod.ts", import.meta.url) },
];

/**
 * The plugins that some directives are of, in order; all of them without `directives`, or where one of these is none of theirs:
 * whoever is to say what is wrong with it must know them.
 */
export async function shelvedPlugins(directives?: ReadonlySet<string>): Promise<readonly PluginModule[]> {
  const named = SHELF.filter(({ name, aliases = [] }) =>
    [name, ...aliases].some((word) => directives?.has(word))
  );
  const known = new Set(named.flatMap(({ name, aliases = [] }) => [name, ...aliases]));
  const wanted = directives?.isSubsetOf(known) ? named : SHELF;
  return await Promise.all(wanted.map(async ({ at }) => (await import(at.href)).default));
}
