/**
 * A hundred reloads and twenty processes that take over, under 20 000 queries a second: none lost, none wrong. It takes a few
 * minutes and two cores to itself; RATE, RELOADS and REPLACES in the environment make it smaller, WORKERS=2 leaves out how it is
 * without data workers.
 */

import assert from "node:assert/strict";
import { changeUnderLoad } from "../support/change/driver.ts";

const number = (name: string, byDefault: number) => Number(Deno.env.get(name) ?? byDefault);

for (const workers of (Deno.env.get("WORKERS") ?? "0 2").split(" ")) {
  const flags = ["-workers", workers];
  Deno.test(`reloads and replaces under load, ${flags.join(" ")}`, async () => {
    const rate = number("RATE", 20_000), reloads = number("RELOADS", 100), replaces = number("REPLACES", 20);
    const report = await changeUnderLoad({ rate, reloads, replaces, pauseMs: 300, flags });
    const { lost, wrong, mixed, samples, answered, byTcp, sent, seconds, output, versions } = report;
    console.log(
      `${reloads} reloads, ${replaces} replaces in ${Math.round(seconds)} s: ${sent} queries, ` +
        `${Math.round(sent / seconds)} a second of ${rate} tried, ${byTcp} by TCP; ${answered} answers, ` +
        `${lost} lost, ${wrong} wrong, ${mixed.length} versions mixed`,
    );
    const said = `${samples.join("\n")}\n${output}`;
    assert.deepEqual({ lost, wrong, mixed }, { lost: 0, wrong: 0, mixed: [] }, said);
    assert.equal(Object.keys(versions).length, 1 + reloads + replaces, said);
  });
}
