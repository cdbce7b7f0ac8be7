/**
 * gdnsd's service types as checks of `health`.
 *
 * @module
 */

import { idOf, quoted } from "./emit.ts";
import type { Findings } from "./imported.ts";
import { at, numberOf, type Vscf, wordOf, wordsOf } from "./vscf.ts";

/** gdnsd's own defaults, where a service type says nothing. */
const DEFAULTS = { interval: 10, up_thresh: 20, ok_thresh: 10, down_thresh: 10 };

/** The most that `fall`, `rise` and their like may be here. */
const COUNT_MAX = 100;

/** The lines of a `health` directive for these service types; none when none of them probes anything. */
export function healthLines(names: readonly string[], types: Vscf | undefined, findings: Findings): string[] {
  if (names.every((name) => name === "up")) return [];
  const lines = names.map((name) => checkLine(name, at(types, name), findings));
  const probing = names.flatMap((name) => at(types, name) ?? []);
  return ["health {", ...[...lines, ...timing(probing, findings)].map((line) => `    ${line}`), "}"];
}

/** What a service type is called as a check. */
export function checkName(serviceType: string): string {
  return idOf(serviceType);
}

function checkLine(name: string, type: Vscf | undefined, findings: Findings): string {
  const check = `check ${checkName(name)}`;
  const always = `${check} exec /bin/true`;
  if (!type) return name === "down" ? `${check} exec /bin/false` : always;
  const port = numberOf(at(type, "port"));
  switch (wordOf(at(type, "plugin"))) {
    case "tcp_connect":
      return `${check} tcp ${port ?? 80}`;
    case "http_status": {
      const codes = wordsOf(at(type, "ok_codes"));
      const host = wordOf(at(type, "vhost"));
      return [
        `${check} http ${port ?? 80} ${quoted(wordOf(at(type, "url_path")) ?? "/")}`,
        ...host ? [`host ${host}`] : [],
        `status ${codes.length > 0 ? codes.join(",") : "200"}`,
      ].join(" ");
    }
    case "extmon": {
      const command = wordsOf(at(type, "cmd")).map((word) =>
        quoted(word.replaceAll("%%ITEM%%", "{address}"))
      );
      return `${check} exec ${command.join(" ")}`;
    }
    case "static":
      return wordOf(at(type, "state"))?.toUpperCase() === "DOWN" ? `${check} exec /bin/false` : always;
    case "null":
      return `${check} exec /bin/false`;
    default:
      findings.leftOut(
        type.at,
        `service type ${name}`,
        `nothing here checks as ${
          wordOf(at(type, "plugin"))
        } does: it counts as up; a check by exec can stand in`,
      );
      return always;
  }
}

/** One pace for all checks of a block: the fastest of them. */
function timing(types: readonly Vscf[], findings: Findings): string[] {
  if (types.length === 0) return [];
  const read = (type: Vscf, key: keyof typeof DEFAULTS) => numberOf(at(type, key)) ?? DEFAULTS[key];
  const paces = types.map((type) => {
    const interval = read(type, "interval");
    const counts = (["down_thresh", "up_thresh", "ok_thresh"] as const).map((key) =>
      Math.min(read(type, key), COUNT_MAX)
    );
    return { type, interval, timeout: numberOf(at(type, "timeout")) ?? interval / 2, counts };
  });
  const fastest = paces.reduce((a, b) => b.interval < a.interval ? b : a);
  const { interval, timeout, counts } = fastest;
  for (const pace of paces) {
    const same = pace.interval === interval && pace.timeout === timeout &&
      pace.counts.join() === counts.join();
    if (!same) {
      const why = `the checks of a block have one pace: interval ${interval}s, timeout ${timeout}s, ${
        counts.join("/")
      }`;
      findings.differs(pace.type.at, "interval, timeout and thresholds of a service type", why);
    }
  }
  const [down, up, ok] = counts as [number, number, number];
  return [
    `interval ${interval}s`,
    `timeout ${timeout < interval ? timeout : interval / 2}s`,
    `fall ${down}`,
    `rise ${up}`,
    `slow-flap ${down} ok ${ok}`,
    "confirm off",
    "hold-down off",
    "ramp off",
  ];
}
