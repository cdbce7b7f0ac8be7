/**
 * Random schedules of faults on a fleet of real servers, each of which ends with a node that is killed; then nodes whose agents
 * fall silent. Prints what it measured as one line of JSON, and each schedule as it goes. Run within namespaces of its own:
 *
 *     run.ts SCHEDULES SEED
 *
 * @module
 */

import { LabFleet, type LabNode, type LabServer } from "../../support/lab/fleet.ts";
import type { Cut } from "../../support/lab/network.ts";
import { disagreements } from "../../support/lab/watcher.ts";
import { Chance } from "../../support/random_world.ts";

const [schedules, firstSeed] = Deno.args.map(Number) as [number, number];

/** How many faults a schedule has, and how long there is between two at most. */
const FAULTS = 7, BETWEEN_MS = 3000;

/** How often the agents of all nodes fall silent, and within which time. */
const SILENCES = 2, SILENCES_MS = 5000;

await using fleet = await LabFleet.start(6);
const { watcher, nodes, servers, stores } = fleet, beganMs = Date.now();
const storeAddresses = stores.map(({ machine }) => machine.address);

const CUTS: readonly (Cut | "unplugged")[] = [
  ...["in", "out", "both"].map((way) => ({ way }) as Cut),
  ...["in", "out", "both"].map((way) => ({ way, peers: storeAddresses }) as Cut),
  "unplugged",
];

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Faults one after the other: at most one server and one member of etcd are amiss at once. */
class Schedule {
  readonly #chance: Chance;
  readonly told: string[] = [];
  #amiss: LabServer | undefined;
  #isFrozen = false;
  #killed: typeof stores[number] | undefined;

  constructor(seed: number) {
    this.#chance = new Chance(seed);
  }

  async run(): Promise<void> {
    for (let i = 0; i < FAULTS; i++) {
      await this.#fault();
      await pause(300 + this.#chance.unit() * (BETWEEN_MS - 300));
    }
  }

  /** Everything is as it should be: from now on only that has to come about. */
  async end(): Promise<void> {
    this.#killed?.start();
    if (this.#isFrozen) this.#amiss!.signal("SIGCONT");
    for (const node of nodes) node.accept();
    if (this.#amiss) await fleet.heal(this.#amiss);
    await fleet.say(nodes);
    await fleet.agree();
  }

  async #fault(): Promise<void> {
    const what = this.#chance.unit();
    if (what < 0.3) return await (this.#amiss ? this.#mend() : this.#cut());
    if (what < 0.4 && !this.#amiss) return this.#freeze();
    if (what < 0.55) return await this.#store();
    const node = this.#one(nodes), refuses = this.#chance.unit() < 0.6;
    this.told.push(`${node.id} ${refuses ? "refuses" : "accepts"}`);
    if (refuses) node.refuse();
    else node.accept();
  }

  async #cut(): Promise<void> {
    const server = this.#amiss = this.#one(servers), cut = this.#one(CUTS);
    const how = cut === "unplugged" ? cut : `${cut.way}${cut.peers ? " of the store" : ""}`;
    this.told.push(`${server.id} cut off (${how})`);
    await fleet.cut(server, cut);
  }

  #freeze(): void {
    const server = this.#amiss = this.#one(servers);
    this.told.push(`${server.id} frozen`);
    watcher.sees(server.id, false);
    server.signal("SIGSTOP");
    this.#isFrozen = true;
  }

  async #mend(): Promise<void> {
    const server = this.#amiss!;
    this.told.push(`${server.id} mended`);
    if (this.#isFrozen) server.signal("SIGCONT");
    this.#isFrozen = false;
    this.#amiss = undefined;
    await fleet.heal(server);
  }

  async #store(): Promise<void> {
    if (this.#killed) {
      this.told.push(`${this.#killed.machine.name} back`);
      this.#killed.start();
      this.#killed = undefined;
    } else {
      this.#killed = this.#one(stores);
      this.told.push(`${this.#killed.machine.name} killed`);
      await this.#killed.kill();
    }
  }

  #one<T>(of: readonly T[]): T {
    return of[Math.floor(this.#chance.unit() * of.length)]!;
  }
}

/** How long after an instant each server's answers were without a node. */
function changedMs(node: LabNode, fromMs: number, sinceMs: number): number[] {
  return servers.map(({ id }) =>
    watcher.firstMs(id, sinceMs, ({ answer }) => !answer.split(" ").includes(node.address))! - fromMs
  );
}

/** One node is killed: until each server's answers were without it, and from the first of them until digests were equal. */
async function kill(node: LabNode): Promise<{ changedMs: number[]; equalMs: number }> {
  const killedMs = Date.now();
  node.refuse();
  await fleet.say(nodes.filter((one) => one !== node));
  await fleet.agree();
  // What one may still come to know by itself changes nothing any more.
  await pause(2000);
  const changed = changedMs(node, killedMs, killedMs);
  const lastMs = watcher.turns.findLast(({ said }) => said)!.atMs;
  return { changedMs: changed, equalMs: lastMs - killedMs - Math.min(...changed) };
}

/** Agents fall silent, a heartbeat before that being the last: until each server's answers were without the node. */
async function fallSilent(chance: Chance): Promise<number[]> {
  const fell = nodes.slice(1).map(async (node) => {
    await pause(chance.unit() * SILENCES_MS);
    await node.fallSilent();
    return { node, beatMs: node.beatMs };
  });
  const silent = await Promise.all(fell);
  const sinceMs = Date.now();
  await fleet.say(nodes.slice(0, 1));
  const after = silent.flatMap(({ node, beatMs }) => changedMs(node, beatMs, sinceMs));
  for (const { node } of silent) node.speak();
  await fleet.say(nodes);
  return after;
}

const measured = {
  killedMs: [] as number[],
  equalMs: [] as number[],
  healedMs: [] as number[],
  silentMs: [] as number[],
};
for (let seed = firstSeed; seed < firstSeed + schedules; seed++) {
  const schedule = new Schedule(seed);
  await schedule.run();
  const endedMs = Date.now();
  await schedule.end();
  measured.healedMs.push(Date.now() - endedMs);
  // No pulse is missing any more, and nobody is held for gone.
  await pause(6000);
  await fleet.agree();
  const { changedMs, equalMs } = await kill(nodes[seed % nodes.length]!);
  measured.killedMs.push(...changedMs);
  measured.equalMs.push(equalMs);
  nodes[seed % nodes.length]!.accept();
  await fleet.say(nodes);
  console.error(
    `${seed}: ${schedule.told.join(", ")}; killed ${changedMs.join(", ")} ms; equal after ${equalMs} ms`,
  );
}
const chance = new Chance(firstSeed);
for (let i = 0; i < SILENCES; i++) measured.silentMs.push(...await fallSilent(chance));
const empty = watcher.turns.filter(({ atMs, said }) => atMs >= beganMs && said?.answer === "").length;
const disagreed = disagreements(watcher.turns, beganMs, Date.now()).map(({ ms }) => ms);
console.log(JSON.stringify({ ...measured, empty, disagreedMs: disagreed.slice(0, 20) }));
