import assert from "node:assert/strict";
import { Problems } from "../../../core/plugin.ts";
import debug, { telling } from "../../../plugins/debug/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

Deno.test("parse() takes no argument", () => {
  const problems = new Problems();
  debug.parse(directivesOf("debug on"), parseScopeOf({ problems }));
  assert.deepEqual(problems.errors.map(({ at }) => `${at.line}:${at.column}`), ["2:7"]);
});

Deno.test("telling() logs each decision, and tells whoever wanted them before", () => {
  const lines: string[] = [], before: string[] = [];
  const context = contextOf({ record: ({ what }) => void before.push(what) });
  telling(context, { debug: (line) => void lines.push(line) }).record!({ plugin: "geo", what: "found" });
  assert.deepEqual(lines, ["plugin/geo: www.example.org. A (29008): found"]);
  assert.deepEqual(before, ["found"]);
});

for (const workers of [0, 1]) {
  Deno.test(`a block with debug logs its decisions${workers ? ", out of a data worker too" : ""}`, async () => {
    let shown = 0;
    const showDebug = () => (shown++, () => void shown--);
    const block = (zone: string, more: string) =>
      `${zone}:1053 {\n bind 127.0.0.1\n geo\n ${more}\n whoami\n}\n`;
    const server = await startServer(block("example.org", "debug") + block("example.com", ""), {
      workers,
      showDebug,
    });
    await server.ask("example.com");
    await server.ask("www.example.org");
    const told = () => server.logged.filter((line) => line.startsWith("debug: plugin/"));
    await until("its decisions", () => told().some((line) => line.includes("www.example.org.")));
    const debugged = told();
    assert.match(
      debugged[0]!,
      /^debug: plugin\/geo: www\.example\.org\. A \(\d+\): 127\.0\.0\.1 \(the source\) is in /,
    );
    assert.ok(debugged.every((line) => line.includes("www.example.org.")));
    assert.equal(shown, 1);
    await server.close();
    assert.equal(shown, 0);
  });
}
