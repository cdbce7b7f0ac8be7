/**
 * The answering half of every plugin, by name: what a worker loads of those that its configuration names.
 *
 * A plugin whose control half is heavy (packages, Node's modules, parsers of files) has its answering half in a file of its
 * own, so that workers do not carry the other one too.
 *
 * @module
 */

import type { AnsweringModules } from "../core/server/answering_modules.ts";

/** Each is loaded when it is wanted. */
export const answering: AnsweringModules = {
  acl: new URL("./acl/mod.ts", import.meta.url),
  any: new URL("./any/mod.ts", import.meta.url),
  anycast: new URL("./anycast/answering.ts", import.meta.url),
  api: new URL("./api/answering.ts", import.meta.url),
  auto: new URL("./auto/mod.ts", import.meta.url),
  bind: new URL("./bind/mod.ts", import.meta.url),
  bufsize: new URL("./bufsize/mod.ts", import.meta.url),
  cache: new URL("./cache/mod.ts", import.meta.url),
  cancel: new URL("./cancel/mod.ts", import.meta.url),
  chaos: new URL("./chaos/mod.ts", import.meta.url),
  cookie: new URL("./cookie/mod.ts", import.meta.url),
  debug: new URL("./debug/mod.ts", import.meta.url),
  dns64: new URL("./dns64/mod.ts", import.meta.url),
  dnstap: new URL("./dnstap/mod.ts", import.meta.url),
  erratic: new URL("./erratic/mod.ts", import.meta.url),
  errors: new URL("./errors/mod.ts", import.meta.url),
  file: new URL("./file/answering.ts", import.meta.url),
  formation: new URL("./formation/answering.ts", import.meta.url),
  forward: new URL("./forward/mod.ts", import.meta.url),
  geo: new URL("./geo/answering.ts", import.meta.url),
  header: new URL("./header/mod.ts", import.meta.url),
  health: new URL("./health/answering.ts", import.meta.url),
  hosts: new URL("./hosts/mod.ts", import.meta.url),
  loadbalance: new URL("./loadbalance/mod.ts", import.meta.url),
  local: new URL("./local/mod.ts", import.meta.url),
  log: new URL("./log/mod.ts", import.meta.url),
  loop: new URL("./loop/mod.ts", import.meta.url),
  managed: new URL("./managed/answering.ts", import.meta.url),
  metadata: new URL("./metadata/mod.ts", import.meta.url),
  minimal: new URL("./minimal/mod.ts", import.meta.url),
  nsid: new URL("./nsid/mod.ts", import.meta.url),
  prometheus: new URL("./prometheus/answering.ts", import.meta.url),
  ready: new URL("./ready/mod.ts", import.meta.url),
  reload: new URL("./reload/mod.ts", import.meta.url),
  rewrite: new URL("./rewrite/mod.ts", import.meta.url),
  root: new URL("./root/mod.ts", import.meta.url),
  rrl: new URL("./rrl/mod.ts", import.meta.url),
  template: new URL("./template/mod.ts", import.meta.url),
  timeouts: new URL("./timeouts/mod.ts", import.meta.url),
  trace: new URL("./trace/mod.ts", import.meta.url),
  ttl: new URL("./ttl/mod.ts", import.meta.url),
  view: new URL("./view/mod.ts", import.meta.url),
  whoami: new URL("./whoami/mod.ts", import.meta.url),
};
