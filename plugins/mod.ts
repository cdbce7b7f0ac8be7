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
 * @module
 */

import type { PluginModule } from "../core/plugin.ts";
import acl from "./acl/mod.ts";
import any from "./any/mod.ts";
import anycast from "./anycast/mod.ts";
import auto from "./auto/mod.ts";
import bind from "./bind/mod.ts";
import bufsize from "./bufsize/mod.ts";
import cache from "./cache/mod.ts";
import cancel from "./cancel/mod.ts";
import chaos from "./chaos/mod.ts";
import cookie from "./cookie/mod.ts";
import debug from "./debug/mod.ts";
import dns64 from "./dns64/mod.ts";
import dnstap from "./dnstap/mod.ts";
import erratic from "./erratic/mod.ts";
import errors from "./errors/mod.ts";
import file from "./file/mod.ts";
import forward from "./forward/mod.ts";
import geo from "./geo/mod.ts";
import header from "./header/mod.ts";
import health from "./health/mod.ts";
import hosts from "./hosts/mod.ts";
import loadbalance from "./loadbalance/mod.ts";
import local from "./local/mod.ts";
import log from "./log/mod.ts";
import loop from "./loop/mod.ts";
import metadata from "./metadata/mod.ts";
import minimal from "./minimal/mod.ts";
import nsid from "./nsid/mod.ts";
import prometheus from "./prometheus/mod.ts";
import ready from "./ready/mod.ts";
import reload from "./reload/mod.ts";
import rewrite from "./rewrite/mod.ts";
import root from "./root/mod.ts";
import rrl from "./rrl/mod.ts";
import template from "./template/mod.ts";
import timeouts from "./timeouts/mod.ts";
import trace from "./trace/mod.ts";
import ttl from "./ttl/mod.ts";
import view from "./view/mod.ts";
import whoami from "./whoami/mod.ts";

/** First to last. */
export const plugins: readonly PluginModule[] = [
  root,
  metadata,
  cancel,
  timeouts,
  reload,
  view,
  debug,
  ready,
  log,
  dnstap,
  trace,
  errors,
  prometheus,
  geo,
  bind,
  bufsize,
  cookie,
  rrl,
  nsid,
  any,
  chaos,
  local,
  rewrite,
  acl,
  header,
  minimal,
  dns64,
  ttl,
  loadbalance,
  anycast,
  health,
  cache,
  erratic,
  template,
  hosts,
  file,
  auto,
  loop,
  forward,
  whoami,
];
