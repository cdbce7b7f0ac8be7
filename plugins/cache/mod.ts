/**
 * cache: remembers what upstreams said, for as long as they said. Syntax and options: README.md.
 *
 * It does not wait: it is in every worker, and in each but the control isolate it keeps nothing, for there what `forward`
 * would be asked comes back deferred. So what is ours is answered by a worker, and what is remembered by the control
 * isolate, which says of a hit until when its reply may be repeated, TTLs counted down. What is asked for again it lends to
 * the workers until then.
 *
 * @module
 */

import type { PluginModule } from "../../core/plugin.ts";
import { Cache } from "./cache.ts";
import { type CacheConfig, options, parse } from "./config.ts";
import type { Loan } from "./loan.ts";
import { metrics } from "./metrics.ts";

/** Where the half that answers is found by the half that counts what it holds; only in the control isolate. */
const caches = new WeakMap<CacheConfig, Cache>();

const cache: PluginModule<CacheConfig> = {
  name: "cache",
  usage: "cache [TTL] [ZONES...]",
  options,
  metrics,
  // Not `absence`: a name may be in the cache that a zone below does not have any more.
  repeats: "question",
  parse,
  start(config, { onScrape, gauge }) {
    onScrape(() => {
      const sizes = caches.get(config)?.sizes();
      if (!sizes) return;
      gauge("coredns_cache_entries", sizes.success, { ...sizes.labels, type: "success" });
      gauge("coredns_cache_entries", sizes.denial, { ...sizes.labels, type: "denial" });
    });
  },
  answerer(config, scope) {
    const cache = new Cache(config, scope);
    caches.set(config, cache);
    return {
      name: "cache",
      answer: (context, next) => cache.answer(context, next),
      tallies: (context) => cache.tallies(context),
      untimed: true,
      borrow: (loan) => cache.borrow(loan as Loan),
    };
  },
};
export default cache;
