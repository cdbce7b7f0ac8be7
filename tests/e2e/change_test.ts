/** The server is changed under load: by reloads, and by processes that take over. The whole is in tests/soak. */

import assert from "node:assert/strict";
import { type ChangePlan, changeUnderLoad } from "../support/change/driver.ts";

const workers = Deno.env.get("MERIDIAN_WORKERS") ?? "0";

const CASES: Record<string, Pick<ChangePlan, "reloads" | "replaces">> = {
  "reloads lose no query and mix no answers": { reloads: 6, replaces: 0 },
  "processes that take over lose no query and mix no answers": { reloads: 1, replaces: 2 },
};

for (const [name, what] of Object.entries(CASES)) {
  Deno.test(name, async () => {
    const flags = ["-workers", workers];
    const report = await changeUnderLoad({ ...what, rate: 2000, pauseMs: 200, flags });
    const { lost, wrong, mixed, samples, answered, output, versions } = report;
    const said = `${samples.join("\n")}\n${output}`;
    assert.deepEqual({ lost, wrong, mixed }, { lost: 0, wrong: 0, mixed: [] }, said);
    assert.equal(Object.keys(versions).length, 1 + what.reloads + what.replaces, said);
    assert.ok(answered > 500, `only ${answered} answers`);
  });
}
