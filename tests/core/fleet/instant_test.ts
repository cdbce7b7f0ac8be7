import assert from "node:assert/strict";
import { parseInstantMs } from "../../../core/fleet/instant.ts";

Deno.test("parseInstantMs() reads ISO instants and YAML timestamps", () => {
  const two = Date.UTC(2026, 11, 1, 2);
  for (
    const text of [
      "2026-12-01T02:00:00Z",
      "2026-12-01t02:00Z",
      "2026-12-01 02:00:00",
      "2026-12-01T03:00:00+01:00",
      "2026-12-01 03:30:00 +1:30",
      "2026-11-30T21:00:00-0500",
    ]
  ) assert.equal(parseInstantMs(text), two, text);
  assert.equal(parseInstantMs("2026-12-01"), Date.UTC(2026, 11, 1));
  assert.equal(parseInstantMs("2026-12-01T02:00:00.25Z"), two + 250);
  assert.equal(parseInstantMs("2028-02-29"), Date.UTC(2028, 1, 29));
});

Deno.test("parseInstantMs() refuses what is no instant", () => {
  for (
    const text of [
      "2026-02-29",
      "2026-13-01",
      "2026-12-00",
      "2026-12-01T24:00:00Z",
      "2026-12-01T02:60:00Z",
      "2026-12-01T02",
      "2026-12-01T02:00:00+99:00",
      "tomorrow",
      "",
    ]
  ) assert.equal(parseInstantMs(text), undefined, text);
});
