import assert from "node:assert/strict";
import { ConfigurationView } from "../../../core/membership/configuration_view.ts";
import { digestOf, type Json } from "../../../core/state/canonical.ts";
import { KEYS } from "../../../core/state/keys.ts";
import type { Entry } from "../../../core/state/store.ts";

/** A replica and the view of one server of it. */
function viewed(server: string) {
  const entries = new Map<string, Entry>();
  const view = new ConfigurationView(server, { get: (key) => entries.get(key) });
  const put = (key: string, value: Json | undefined) => {
    if (value === undefined) entries.delete(key);
    else entries.set(key, { key, value: JSON.stringify(value), revision: 1, version: 1 });
    view.take({ key });
  };
  const version = (number: number, corefile: string) => {
    put(KEYS.configurationVersion(number), { number, corefile, files: {} });
    return digestOf({ corefile, files: {} });
  };
  return { view, put, version };
}

const at = "2026-11-23T08:00:00.000Z";

Deno.test("a server is told what is current, or what it is to try, once", () => {
  const { view, put, version } = viewed("fra");
  assert.equal(view.change(), null);
  assert.equal(view.change(), undefined);
  const one = version(1, "# one"), two = version(2, "# two");
  assert.equal(view.change(), undefined);
  put(KEYS.configurationCurrent, { number: 1, digest: one, at });
  assert.deepEqual(view.change(), { number: 1, digest: one, at, corefile: "# one", files: {} });
  put(KEYS.configurationStage, { number: 2, digest: two, at, servers: ["waw"] });
  assert.equal(view.change(), undefined);
  put(KEYS.configurationStage, { number: 2, digest: two, at, servers: ["waw", "fra"] });
  assert.equal(view.change()?.corefile, "# two");
  put(KEYS.configurationSeen("fra"), { number: 2 });
  assert.equal(view.change(), undefined);
  put(KEYS.configurationStage, undefined);
  assert.equal(view.change()?.number, 1);
  put(KEYS.configurationCurrent, undefined);
  assert.equal(view.change(), null);
});

Deno.test("what is applied again is told again", () => {
  const { view, put, version } = viewed("fra");
  const digest = version(1, "# one");
  put(KEYS.configurationCurrent, { number: 1, digest, at });
  view.change();
  put(KEYS.configurationCurrent, { number: 1, digest, at: at.replace("08", "09") });
  assert.equal(view.change()?.number, 1);
});

Deno.test("a version that is not there, or not what was applied, is told with its fault", () => {
  const { view, put, version } = viewed("fra");
  put(KEYS.configurationCurrent, { number: 7, digest: "d", at });
  assert.match(view.change()!.fault!, /version 7 is not in the store/);
  version(7, "# another");
  assert.match(view.change()!.fault!, /its digest is another/);
});
