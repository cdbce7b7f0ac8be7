import assert from "node:assert/strict";
import { approval } from "../../core/command/approval.ts";
import { formatTable } from "../../core/command/table.ts";
import { visible, visibleJson, visibleLine } from "../../core/command/visible.ts";
import type { BuiltIn } from "../../core/command/load.ts";
import { serveControl } from "../../core/server/control_socket.ts";

const HIDES = "\x1b[1A\x1b[2Kpool.read\x9b8m\u202e";

Deno.test("visible() leaves nothing that a terminal obeys, and text of several lines as it is", () => {
  assert.equal(visible("a\tb\r\nc\n"), "a\tb\r\nc\n");
  assert.equal(visible("kept\rhidden"), "kept\\x0dhidden");
  assert.equal(visible(HIDES), "\\x1b[1A\\x1b[2Kpool.read\\x9b8m\\u202e");
  assert.equal(visible("\u2028\u2066Zürich 東京 🙂"), "\\u2028\\u2066Zürich 東京 🙂");
});

Deno.test("visibleLine() stays within its line", () => {
  assert.equal(visibleLine("kernel\nwhich     nothing"), "kernel\\x0awhich     nothing");
});

Deno.test("visibleJson() is JSON of the same value", () => {
  const text = visibleJson({ [HIDES]: [HIDES, "東京\u007f"] });
  assert.deepEqual(JSON.parse(text), { [HIDES]: [HIDES, "東京\u007f"] });
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
});

Deno.test("formatTable() gives each row one line, whoever wrote what is in it", () => {
  const table = formatTable(["ID", "REASON"], [["o1", `kernel\no2  all is well${HIDES}`], ["o3", "disk"]]);
  assert.equal(table.split("\n").length, 3);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(table, /[\x1b\x9b\u202e]/);
});

Deno.test("who is asked to approve sees what the server says, and nothing that the asker made look like it", async () => {
  const folder = await Deno.makeTempDir(), path = `${folder}/control.sock`;
  const asked = {
    ...{ id: "a1", digest: "d", state: "pending" },
    request: {
      ...{ id: "a1", requestedBy: "token:eve/x", requestedMs: 0, expiresMs: 1e15, actions: [], people: [] },
      reason: `a new name${HIDES}\nwhat      PATCH /v1/pools/a.example.\nwhich     is nothing`,
      change: { operation: "pool.delete", input: { method: "DELETE", path: "/v1/pools/a.example." } },
      critical: [{ kind: "pool-deleted", what: "takes pool a.example. away" }],
    },
  };
  const door = await serveControl(path, {
    api: () => ({
      status: 200,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(asked),
    }),
  }, { timeoutMs: 5000, lineOctetsMax: 1 << 20 });
  const lines: string[] = [], log = console.log;
  console.log = (text: string) => void lines.push(...text.split("\n"));
  try {
    await approval.run({ words: ["show", "a1"], values: { control: path } }, {} as BuiltIn, {} as never);
  } finally {
    console.log = log;
    await door.close();
    await Deno.remove(folder, { recursive: true });
  }
  assert.deepEqual(
    lines.filter((line) => /^(what|which) /.test(line)),
    ["what      DELETE /v1/pools/a.example.", "which     takes pool a.example. away"],
  );
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(lines.join("\n"), /[\x1b\x9b\u202e]/);
});
