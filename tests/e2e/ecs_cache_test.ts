/**
 * A resolver that caches by client network (RFC 7871) stands in front of the server, and hands nobody an answer that is
 * another's, or one that is out of date for longer than its TTL allowed.
 *
 * The resolver is Unbound, the nodes are listeners on loopback that real probes find broken and repaired. Each query
 * has an ECS of a random client in one of some 340 networks, neighbours that are due different answers, or may be. It is
 * put to Unbound and, at the same time, to the server directly. What a client is _due_ is what the server answers it
 * directly: as told on the wire then, and for any other instant as the server's chains tell again from the snapshot that
 * stood at that instant. Of what they tell for the time of the direct reply, the wire's must be one.
 *
 * An answer of Unbound of which r seconds of TTL are left was fetched at most MAX − r + 1 seconds before (1, because Unbound
 * counts whole seconds), and was made at most one round trip earlier still. The comparison _counts_ when the client
 * was due the same answer ever since: no verdict that matters to this client flipped within the TTL. Then both must have
 * told the same set of addresses. Otherwise Unbound must have told one of those that the client was due in that time.
 * So no answer is right by being wrong for everybody, and none for longer than the TTL it was given with.
 *
 * A query is a cache hit unless Unbound asked the server for it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { havePackages } from "../../scripts/packages.ts";
import { runEcsCache, type RunOutcome } from "./ecs_cache/run.ts";
import { shortenScope } from "./ecs_cache/tap.ts";

const QUERIES = 20_000;
const FLIPS = 20;

Deno.test("an ECS-caching Unbound gives each client what the server would, through verdicts that flip", async () => {
  if (!await havePackages(["unbound"])) return;
  const outcome = await runEcsCache({
    seed: 1,
    countries: 80,
    queries: QUERIES,
    perSecond: 350,
    flips: FLIPS,
    // At a slower pace more is fetched anew: then it takes more queries.
    hits: QUERIES / 2,
    flipEveryMs: 1900,
  });
  const { asked, counted, flips, fetches, errors, wrong, directWrong } = outcome;
  console.log(describe(outcome));
  assert.deepEqual(wrong.slice(0, 8), [], `${wrong.length} answers of Unbound are wrong`);
  assert.deepEqual(directWrong.slice(0, 8), [], `${directWrong.length} direct answers are not what was due`);
  assert.equal(errors, 0, "replies to Unbound that were errors");
  assert.ok(asked.length >= QUERIES);
  assert.ok(flips.filter(({ isDown }) => isDown).length >= FLIPS / 3, "too few nodes went down");
  assert.ok(flips.filter(({ isDown }) => !isDown).length >= FLIPS / 3, "too few nodes came up");
  assert.ok(countriesOf(outcome).size >= 60, "clients are in too few countries");
  assert.ok(counted >= 0.8 * asked.length, `only ${counted} comparisons count`);
  assert.ok(
    asked.length - fetches >= QUERIES / 2,
    `${fetches} of ${asked.length} queries were no cache hits`,
  );
});

Deno.test("the comparison with Unbound notices scopes that are one bit too short", async () => {
  if (!await havePackages(["unbound"])) return;
  const outcome = await runEcsCache({ ...SMALL, flips: 0, fault: shortenScope });
  console.log(describe(outcome));
  assert.deepEqual(outcome.directWrong, []);
  assert.equal(outcome.counted, outcome.asked.length);
  assert.ok(outcome.wrong.length >= 20, `only ${outcome.wrong.length} wrong answers were noticed`);
});

Deno.test("the comparison with Unbound notices answers that are kept for too long", async () => {
  if (!await havePackages(["unbound"])) return;
  const outcome = await runEcsCache({ ...SMALL, flips: 3, cacheMinTtl: 10 });
  console.log(describe(outcome));
  assert.deepEqual(outcome.directWrong, []);
  assert.ok(outcome.wrong.length >= 20, `only ${outcome.wrong.length} wrong answers were noticed`);
});

const SMALL = { seed: 2, countries: 40, queries: 1500, perSecond: 400, flipEveryMs: 1500 };

function describe({ asked, flips, counted, fetches, wrong, outdatedMs }: RunOutcome): string {
  const share = (count: number) => `${(100 * count / asked.length).toFixed(1)} %`;
  const downs = flips.filter(({ isDown }) => isDown).length;
  return [
    `${asked.length} queries with ${new Set(asked.map(({ client }) => client)).size} different ECS`,
    `${countriesOf({ asked }).size} countries`,
    `${flips.length} flips, ${downs} down`,
    `${share(counted)} counted`,
    `${share(asked.length - fetches)} cache hits`,
    `${wrong.length} wrong`,
    `outdated for ${Math.max(0, Math.round(outdatedMs))} ms at the most`,
  ].join(", ");
}

function countriesOf({ asked }: Pick<RunOutcome, "asked">): Set<string> {
  return new Set(asked.flatMap(({ country }) => country || []));
}
