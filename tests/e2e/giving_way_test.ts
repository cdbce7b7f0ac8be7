/** A server that has a fleet: what can wait goes far behind what answers, for as long as there is a fleet. */

import assert from "node:assert/strict";
import { ROOT, withFolder } from "../command/meridian.ts";
import { freePort } from "../support/server.ts";
import { until } from "../support/until.ts";

const HELPERS = "V8 DefaultWorke";

const ignore = !await mayComeBack();

/** Whether processes here may take a lower nice value again, which is what going far takes. */
async function mayComeBack(): Promise<boolean> {
  const args = ["-c", "test $(nice) = 0 && renice -n 19 -p $$ && renice -n 5 -p $$"];
  const done = await new Deno.Command("sh", { args, stdout: "null", stderr: "null" }).output()
    .catch(() => undefined);
  if (!done?.success) console.warn("left out: processes here may not take a lower nice value again");
  return done?.success ?? false;
}

/** The nice values of a process's threads, by their names; those that end meanwhile are left out. */
function niceValues(pid: number): Map<string, Set<number>> {
  const values = new Map<string, Set<number>>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    try {
      const stat = Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`);
      const [start, end] = [stat.indexOf("("), stat.lastIndexOf(")")], thread = stat.slice(start + 1, end);
      const of = values.get(thread) ?? new Set();
      values.set(thread, of.add(Number(stat.slice(end + 2).split(" ")[16])));
    } catch {
      // It has ended.
    }
  }
  return values;
}

const corefile = (port: number, globals: string) =>
  `{
    control off
    workers 1
    ${globals}
}
example.org:${port} {
    bind 127.0.0.1
    whoami
}
`;

Deno.test({
  name:
    "with a fleet the runtime's helpers and one isolate go far behind, without one they come forward again",
  ignore,
  fn: () =>
    withFolder({}, async (folder) => {
      const path = `${folder}/Corefile`, port = freePort();
      await Deno.writeTextFile(path, corefile(port, `state sqlite ${folder}/fleet.db\n    server a`));
      const args = ["run", "-A", "--no-check", `${ROOT}main.ts`, "serve", "-quiet", "-conf", path];
      const server = new Deno.Command(Deno.execPath(), { args, stdout: "null", stderr: "null" }).spawn();
      try {
        const helpers = (nice: number) =>
          until(`helpers have nice value ${nice}`, () => {
            const values = niceValues(server.pid);
            return [...values.get(HELPERS) ?? []].join() === `${nice}` && values;
          });
        const values = await helpers(19);
        const isolates = [...values].filter(([name]) => name.startsWith("worker-"));
        assert.equal(isolates.filter(([, nice]) => nice.has(19)).length, 1);
        assert.ok(isolates.some(([, nice]) => nice.has(0)), JSON.stringify(isolates.map(([name]) => name)));
        await Deno.writeTextFile(path, corefile(port, ""));
        server.kill("SIGHUP");
        await helpers(5);
      } finally {
        server.kill();
        await server.status;
      }
    }),
});
