import assert from "node:assert/strict";
import { readDemand } from "../../core/command/demand.ts";
import { drainedText } from "../../core/command/override.ts";
import { movesAnything, previewText } from "../../core/command/preview_text.ts";
import type { PreviewJson } from "../../core/management/preview_schema.ts";

const NOTHING: PreviewJson = {
  ...{ at: "2026-12-01T00:00:00.000Z", changes: [], pools: [], emptied: [], moves: [] },
  ...{ weighedBy: { by: "addresses" }, approval: { isWanted: false, critical: [] } },
};

const PREVIEW: PreviewJson = {
  ...NOTHING,
  pools: [{ pool: "entry.example.", members: 3, before: 3, after: 1 }, {
    ...{ pool: "other.example.", members: 1, before: 1, after: 0 },
  }],
  emptied: ["other.example."],
  moves: [{
    ...{ pool: "entry.example.", types: ["A", "AAAA"], movedNetworks: 0.2315, movedDemand: 0.9999 },
    ...{ lostDemand: 0.00001, addedKmMean: 40, addedKmMovedMean: 412.4, addedKmMax: 3210.2, nodes: [] },
    overloads: [
      { node: "nyc", demand: 13, capacity: 10, isAlready: false },
      { node: "sin", demand: 12, capacity: 10, isAlready: true },
    ],
    ...{ counted: { networks: 0.85, demand: 0.9995 }, isSampled: true },
  }],
  weighedBy: { by: "demand", number: 3, source: "logs" },
  approval: { isWanted: true, critical: ["leaves 1 of 3 nodes of pool entry.example. in answers"] },
};

Deno.test("a preview is told as tables, with all that is to be known before it is done", () => {
  assert.equal(
    previewText(PREVIEW),
    `POOL            NODES  SERVE NOW  WOULD SERVE
entry.example.      3          3            1
other.example.      1          1    0, nobody

What would move, and how much farther it would be:
POOL            TYPE    NETWORKS  QUERIES  UNANSWERED  KM MEAN  KM MAX
entry.example.  A AAAA    23.2 %  >99.9 %  <0.1 %          412    3210
entry.example. nyc would be at 130.0 % of its capacity
entry.example. sin would be at 120.0 % of its capacity, as it is above it now
entry.example. only a part was counted, those first that ask for most: 85.0 % of networks, >99.9 % of what they ask for
entry.example. each network draws for itself, and some were asked: the share of networks is an estimate
Queries are those of version 3 of the map of demand.
other.example. would be left with nobody: it is refused, unless -acknowledge other.example. says that it is meant
It would wait for a second person: it leaves 1 of 3 nodes of pool entry.example. in answers.`,
  );
});

Deno.test("a preview of what moves nobody says so, and asks nobody; what is not known is told as such", () => {
  assert.equal(previewText(NOTHING), "no pool would lose or gain a node that serves");
  assert.equal(movesAnything(NOTHING), false);
  assert.equal(movesAnything(PREVIEW), true);
  assert.equal(movesAnything({ ...NOTHING, moves: PREVIEW.moves! }), true, "by a weight, say");
  const { moves: _, ...rest } = NOTHING;
  assert.match(
    previewText({ ...rest, movesUnknown: "too many at once" }),
    /\nWhat would move is not known: too many/,
  );
});

Deno.test("what would move by addresses says that nobody's load is known", () => {
  const text = previewText({ ...PREVIEW, weighedBy: { by: "addresses" } });
  assert.match(text, /NETWORKS {2}ADDRESSES/);
  assert.match(text, /no map of demand is there/);
});

Deno.test("how far a drain is, in short", () => {
  const nowMs = Date.UTC(2026, 11, 1), drainedAt = new Date(nowMs + 42_000).toISOString();
  assert.equal(drainedText(undefined, nowMs), "-");
  assert.equal(drainedText({ state: "spreading", waitingFor: ["fra", "waw"] }, nowMs), "waits for fra waw");
  assert.equal(drainedText({ state: "expiring", drainedAt }, nowMs), "in 42 s");
  assert.equal(drainedText({ state: "drained", drainedAt }, nowMs + 43_000), "at 2026-12-01T00:00:42Z");
});

Deno.test("demand is read line by line; what is wrong is told with its line", () => {
  const text = "# counted on Monday\n198.51.100.0/24 120.5\n2001:db8::/48,7 # a comma\n\n203.0.113.0/24\t0\n";
  assert.deepEqual(readDemand(text, "d"), {
    "198.51.100.0/24": 120.5,
    "2001:db8::/48": 7,
    "203.0.113.0/24": 0,
  });
  for (const wrong of ["192.0.2.0/24", "192.0.2.0/24 many", "192.0.2.0/24 1 2"]) {
    assert.throws(
      () => readDemand(`\n${wrong}\n`, "d"),
      /^UsageError: d:2: wanted NETWORK NUMBER|d:2: wanted/,
    );
  }
  assert.throws(() => readDemand("192.0.2.0/24 1\n192.0.2.0/24 2", "d"), /d:2: 192.0.2.0\/24 is there twice/);
});
