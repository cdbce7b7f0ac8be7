/**
 * Probes real addresses in a network namespace of its own and prints what it measured, as one line of JSON:
 *
 *     unshare -rn deno run -A tests/soak/failover/run.ts detect FAILURES | quiet SECONDS
 *
 * A node is an address on the loopback device. It is killed by closing its listener, and silenced by taking the
 * address away: its packets then go to a bridge without ports, which drops them.
 *
 * @module
 */

import { targetEntries } from "../../../core/fleet/by_target.ts";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import type { PoolNodes } from "../../../core/fleet/hub.ts";
import { Publisher } from "../../../core/server/publisher.ts";
import { start } from "../../../plugins/health/mod.ts";
import { configOf, poolOf } from "../../plugins/health/support.ts";
import { controlScopeOf, factsOf } from "../../support/scopes.ts";

const PORT = 8443;
const POLICY = {
  name: "entry.example.org.",
  threshold: 0,
  select: {},
  answers: 2,
  strategy: "linear",
  bias: { region: 0, country: 0, maxKm: Infinity },
  maxDistanceKm: Infinity,
  unknown: { policy: "all" },
  allDown: { policy: "fail-open" },
} as const satisfies PoolNodes["policy"];

/** What became of the failures, or of the quiet. */
type Measured = Record<string, number | number[] | string[]>;

async function ip(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args }).output();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Answers HTTP on an address, without haste, so that some probe is always under way. */
function serve(address: string): Deno.HttpServer {
  return Deno.serve({ hostname: address, port: PORT, onListen() {} }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 200));
    return new Response("well");
  });
}

/** Starts health on `addresses` and waits until all are up. */
async function probeAll(text: string, addresses: readonly string[]) {
  const counters = new Map<string, number>();
  const changes: string[] = [];
  const owned: { close(): void | Promise<void> }[] = [];
  const say = (message: string) => void changes.push(message);
  const log = { debug() {}, info: say, warn: say, error: say };
  const hub = new Publisher({ clock: SYSTEM_CLOCK, log });
  const scope = controlScopeOf({
    clock: SYSTEM_CLOCK,
    random: Math.random,
    probing: true,
    facts: factsOf(),
    log,
    fleet: hub,
    snapshot: () => hub.snapshot,
    onSnapshot: (listener) => void hub.onSnapshot(listener),
    own: (resource) => (owned.push(resource), resource),
    count: (name, labels = {}) => {
      const key = [name, ...Object.values(labels)].join(" ");
      counters.set(key, (counters.get(key) ?? 0) + 1);
    },
  });
  await start(configOf(`health {\n${text}\n}`), scope);
  hub.setNodes(poolOf(addresses, { policy: POLICY }));
  await new Promise<void>((resolve) => {
    hub.onSnapshot(({ verdicts }) => {
      const states = targetEntries(verdicts);
      if (states.length > 0 && states.every(([, { state }]) => state === "up")) resolve();
    });
  });
  const close = async () => {
    for (const resource of owned) await resource.close();
    hub.close();
  };
  return { hub, counters, changes, close };
}

/** Half of the nodes are killed, half are silenced, one after the other; how long each took to be found down. */
async function detect(failures: number): Promise<Measured> {
  const addresses = Array.from({ length: 2 * failures }, (_, i) => `10.9.1.${i + 1}`);
  for (const address of addresses) await ip("address", "add", `${address}/32`, "dev", "lo");
  const servers = addresses.map(serve);
  const { hub, counters, close } = await probeAll(
    `check tcp ${PORT}\ninterval 2s\ntimeout 1s\nfall 3\nrise 2\nhold-down off\nramp off\nslow-flap off`,
    addresses,
  );
  const failedMs = new Map<string, number>();
  const found = new Map<string, number>();
  const done = new Promise<void>((resolve) => {
    hub.onSnapshot(({ verdicts }) => {
      for (const [key, { state }] of targetEntries(verdicts)) {
        const address = key.split(" ", 1)[0]!;
        if (state === "down" && !found.has(address)) {
          found.set(address, performance.now() - (failedMs.get(address) ?? Infinity));
        }
      }
      if (found.size === addresses.length) resolve();
    });
  });
  for (const [i, address] of addresses.entries()) {
    await new Promise((resolve) => setTimeout(resolve, 37 + Math.random() * 200));
    failedMs.set(address, performance.now());
    if (i < failures) await servers[i]!.shutdown();
    else await ip("address", "del", `${address}/32`, "dev", "lo");
  }
  await done;
  await close();
  const took = addresses.map((address) => Math.round(found.get(address)!));
  return {
    killedMs: took.slice(0, failures),
    silencedMs: took.slice(failures),
    discarded: total(counters, "meridian_health_probes_discarded_total"),
  };
}

/** Stops this whole process for three seconds, three times as long as a probe may take. */
async function freeze(): Promise<void> {
  const script = `kill -STOP ${Deno.pid}; sleep 3; kill -CONT ${Deno.pid}`;
  await new Deno.Command("sh", { args: ["-c", script] }).output();
}

/** Two hundred well targets while every core is busy, and the process now and then frozen; which of them changed. */
async function quiet(seconds: number): Promise<Measured> {
  const addresses = Array.from({ length: 100 }, (_, i) => `10.9.1.${i + 1}`);
  for (const address of addresses) await ip("address", "add", `${address}/32`, "dev", "lo");
  addresses.forEach(serve);
  // One failure that is believed makes a target down.
  const { counters, changes, close } = await probeAll(
    `check tcp ${PORT}\ncheck http ${PORT} /\ninterval 2s\ntimeout 1s\nfall 1\nrise 2\nhold-down off\nramp off`,
    addresses,
  );
  changes.length = 0;
  const burners = Array.from(
    { length: 2 * navigator.hardwareConcurrency },
    () => new Worker(new URL("./burn_worker.ts", import.meta.url), { type: "module" }),
  );
  for (let left = seconds; left > 0; left -= 15) {
    await new Promise((resolve) => setTimeout(resolve, Math.min(left, 12) * 1000));
    await freeze();
  }
  for (const burner of burners) burner.terminate();
  const changed = [...changes];
  await close();
  return {
    changed,
    targets: 2 * addresses.length,
    probes: total(counters, "meridian_health_probes_total"),
    failed: total(counters, "meridian_health_probes_total", "failed"),
    discarded: total(counters, "meridian_health_probes_discarded_total"),
    late: total(counters, "meridian_health_probes_late_total"),
  };
}

function total(counters: ReadonlyMap<string, number>, name: string, label = ""): number {
  const found = [...counters].filter(([key]) => key.startsWith(name) && key.endsWith(label));
  return found.reduce((sum, [, count]) => sum + count, 0);
}

await ip("link", "set", "lo", "up");
await ip("link", "add", "void", "type", "bridge");
await ip("address", "add", "10.9.0.1/16", "dev", "void");
await ip("link", "set", "void", "up", "arp", "off");
const [what, amount] = Deno.args;
console.log(JSON.stringify(what === "detect" ? await detect(Number(amount)) : await quiet(Number(amount))));
Deno.exit();
