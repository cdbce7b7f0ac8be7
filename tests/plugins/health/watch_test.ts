import assert from "node:assert/strict";
import { type Answer, emptyAnswer, type Name, parseAddress, parseName } from "../../../core/plugin.ts";
import { start } from "../../../plugins/health/mod.ts";
import { configOf, FleetScope, ToldProber } from "./support.ts";

/** A block that watches www.example.org, which has the A records that `zone` lists. */
async function run() {
  const scope = new FleetScope();
  const prober = new ToldProber();
  const zone = { addresses: ["192.0.2.1", "192.0.2.2"], hidden: [] as string[], questions: 0 };
  scope.answers = (name: Name, type: number) => {
    zone.questions++;
    const shown = zone.addresses.filter((address) => !zone.hidden.includes(address));
    const rdata = type === 1 ? shown.map((address) => parseAddress(address)!.octets) : [];
    return emptyAnswer(0, { answer: rdata.length > 0 ? [{ name, type, ttl: 60, rdata }] : [] });
  };
  const config = configOf(
    "health {\ncheck tcp 80\nwatch www.example.org\nhold-down off\nramp off\nslow-flap off\n}",
  );
  await start(config, scope, prober.make);
  return { scope, prober, zone };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 0));
const addressesIn = (value: unknown) => Object.keys((value as { addresses: object }).addresses);

Deno.test("watch probes the addresses of its names and publishes their targets", async () => {
  const { scope, prober } = await run();
  assert.deepEqual(scope.published.map(addressesIn), [["192.0.2.1", "192.0.2.2"]]);
  scope.clock.advance(10_000);
  assert.deepEqual(prober.jobs.map(({ address }) => address).sort(), ["192.0.2.1", "192.0.2.2"]);
  await scope.close();
});

Deno.test("watch asks again after a change of the snapshot, and every six intervals", async () => {
  const { scope, zone } = await run();
  zone.addresses = ["192.0.2.1", "192.0.2.3"];
  scope.publish("a change of something else");
  scope.clock.advance(1000);
  await settle();
  assert.deepEqual(addressesIn(scope.published.at(-1)), ["192.0.2.1", "192.0.2.3"]);
  await settleAll(scope);
  const { questions } = zone;
  scope.setDeadlines({});
  zone.addresses = ["192.0.2.4"];
  scope.clock.advance(50_000);
  assert.equal(zone.questions, questions);
  scope.clock.advance(10_000);
  await settle();
  assert.deepEqual(addressesIn(scope.published.at(-1)), ["192.0.2.4"]);
  await scope.close();
});

Deno.test("watch keeps an address that health itself left out of the answer", async () => {
  const { scope, prober, zone } = await run();
  for (let i = 0; i < 200; i++) {
    scope.clock.advance(100);
    prober.end(({ address }) => ({ ok: address === "192.0.2.1", reason: "connection refused" }));
  }
  assert.deepEqual(Object.values(scope.states()), ["unknown", "down"]);
  zone.hidden = ["192.0.2.2"];
  await settleAll(scope);
  assert.deepEqual(scope.published.map(addressesIn), [["192.0.2.1", "192.0.2.2"]]);
  for (let i = 0; i < 700; i++) {
    scope.clock.advance(100);
    prober.end(() => ({}));
  }
  assert.deepEqual(Object.values(scope.states()), ["up", "up"]);
  await settleAll(scope);
  assert.deepEqual(addressesIn(scope.published.at(-1)), ["192.0.2.1"]);
  await scope.close();
});

Deno.test("watch keeps what it knows when the chain breaks", async () => {
  const { scope } = await run();
  scope.answers = () => {
    throw new Error("file: zone is broken");
  };
  scope.publish("a change of something else");
  await settleAll(scope);
  assert.equal(scope.published.filter((value) => typeof value === "object").length, 1);
  assert.ok(
    scope.said.includes("error health: cannot find the addresses of www.example.org.: file: zone is broken"),
  );
  await scope.close();
});

Deno.test("watch asks no more after it was closed", async () => {
  const { scope, zone } = await run();
  await scope.close();
  const { questions } = zone;
  scope.publish("a change of something else");
  await settleAll(scope);
  assert.equal(zone.questions, questions);
});

Deno.test("what watch learns after it was closed it keeps to itself", async () => {
  const { scope, zone } = await run();
  zone.addresses = ["192.0.2.3"];
  scope.publish("a change of something else");
  scope.clock.advance(1000);
  await scope.close();
  await settle();
  assert.equal(scope.published.filter((value) => typeof value === "object").length, 1);
});

Deno.test("a watch that is closed while it first asks listens to no snapshot", async () => {
  const scope = new FleetScope();
  const answers = Promise.withResolvers<Answer>();
  scope.ask = () => answers.promise;
  let listeners = 0;
  scope.onSnapshot = () => void listeners++;
  const starting = start(
    configOf("health {\ncheck tcp 80\nwatch www.example.org\n}"),
    scope,
    new ToldProber().make,
  );
  await scope.close();
  answers.resolve(emptyAnswer(0));
  await starting;
  assert.deepEqual([listeners, scope.clock.nextMs], [0, Infinity]);
});

/** Lets pending questions be asked and answered. */
async function settleAll(scope: FleetScope): Promise<void> {
  for (let i = 0; i < 4; i++) {
    scope.clock.advance(1000);
    await settle();
  }
}

Deno.test("names are asked for folded", async () => {
  const scope = new FleetScope();
  const asked: Name[] = [];
  scope.answers = (name) => (asked.push(name), emptyAnswer(0));
  await start(configOf("health {\ncheck tcp 80\nwatch WWW.example.org\n}"), scope, new ToldProber().make);
  assert.deepEqual([...new Set(asked)], [parseName("www.example.org")]);
  await scope.close();
});
