import assert from "node:assert/strict";
import { formatProblems } from "../../../../core/corefile/format.ts";
import { loadCorefile } from "../../../../core/command/load.ts";
import { plugins } from "../../../../plugins/mod.ts";
import { meridian, withFolder } from "../../../command/meridian.ts";

async function read(globals: string) {
  const text = `{\n    ${globals}\n}\n.:1053 {\n    whoami\n}\n`;
  const { configuration, problems } = await loadCorefile({ file: "Corefile", text }, plugins, 53);
  const { workers, spinMs } = configuration.globals;
  return { workers, spinMs, problems: formatProblems(problems, { source: () => text }) };
}

const READ: Readonly<Record<string, { workers: number | "auto"; spinMs: number }>> = {
  "state off": { workers: "auto", spinMs: 0 },
  "workers auto": { workers: "auto", spinMs: 0 },
  "workers 0": { workers: 0, spinMs: 0 },
  "workers 8\n    spin 50us": { workers: 8, spinMs: 0.05 },
};

for (const [globals, wanted] of Object.entries(READ)) {
  Deno.test(`${globals.replace(/\s+/g, " ")} is ${JSON.stringify(wanted)}`, async () => {
    assert.deepEqual(await read(globals), { ...wanted, problems: "no problems\n" });
  });
}

for (const globals of ["workers many", "workers -1", "workers 1000", "workers 1 2", "spin", "spin 1s"]) {
  Deno.test(`${globals} is told with its position`, async () => {
    assert.match((await read(globals)).problems, /^Corefile:2/);
  });
}

Deno.test("what is no number of workers is told what would be one", async () => {
  for (const text of ["many", "-1", "1.5", "257"]) {
    const { problems } = await read(`workers ${text}`);
    assert.ok(
      problems.startsWith(
        `Corefile:2:13: workers: NUMBER must be a whole number from 0 to 256, or auto: got '${text}'\n`,
      ),
      problems,
    );
  }
});

Deno.test("-workers takes a number or auto", () =>
  withFolder({ Corefile: ".:1053 {\n    whoami\n}\n" }, async (folder) => {
    const { code, stderr } = await meridian(folder, "serve", "-workers", "many");
    assert.equal(code, 2);
    assert.match(stderr, /-workers must be auto or a number from 0 to 256: got many/);
  }));
