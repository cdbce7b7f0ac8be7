/**
 * The answering half of every plugin, by name: what a worker loads of those that its configuration names.
 *
 * A plugin whose control half is heavy (packages, Node's modules, parsers of files) has its answering half in a file of its
 * own, so that workers do not carry the other one too.
 *
 * @module
 */

import type { AnsweringModules } from "../core/server/answering_modules.ts";

/** Each loaded when it is first wanted. */
export const answering: AnsweringModules = {
  acl: () => import("./acl/mod.ts"),
  any: () => import("./any/mod.ts"),
  anycast: () => import("./anycast/answering.ts"),
  auto: () => import("./auto/mod.ts"),
  bind: () => import("./bind/mod.ts"),
  bufsize: () => import("./bufsize/mod.ts"),
  cache: () => import("./cache/mod.ts"),
  cancel: () => import("./cancel/mod.ts"),
  chaos: () => import("./chaos/mod.ts"),
  cookie: () => import("./cookie/mod.ts"),
  debug: () => import("./debug/mod.ts"),
  dns64: () => import("./dns64/mod.ts"),
  dnstap: () => import("./dnstap/mod.ts"),
  erratic: () => import("./erratic/mod.ts"),
  errors: () => import("./errors/mod.ts"),
  file: () => import("./file/answering.ts"),
  forward: () => import("./forward/mod.ts"),
  geo: () => import("./geo/answering.ts"),
  header: () => import("./header/mod.ts"),
  health: () => import("./health/answering.ts"),
  hosts: () => import("./hosts/mod.ts"),
  loadbalance: () => import("./loadbalance/mod.ts"),
  local: () => import("./local/mod.ts"),
  log: () => import("./log/mod.ts"),
  loop: () => import("./loop/mod.ts"),
  metadata: () => import("./metadata/mod.ts"),
  minimal: () => import("./minimal/mod.ts"),
  nsid: () => import("./nsid/mod.ts"),
  prometheus: () => import("./prometheus/mod.ts"),
  ready: () => import("./ready/mod.ts"),
  reload: () => import("./reload/mod.ts"),
  rewrite: () => import("./rewrite/mod.ts"),
  root: () => import("./root/mod.ts"),
  rrl: () => import("./rrl/mod.ts"),
  template: () => import("./template/mod.ts"),
  timeouts: () => import("./timeouts/mod.ts"),
  trace: () => import("./trace/mod.ts"),
  ttl: () => import("./ttl/mod.ts"),
  view: () => import("./view/mod.ts"),
  whoami: () => import("./whoami/mod.ts"),
};
