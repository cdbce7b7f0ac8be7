import assert from "node:assert/strict";

const SCRIPT = new URL("../../../../core/server/data_plane/time_slice.ts", import.meta.url).href;

/**
 * What a process says that takes slices as `take` gives them, and how the system has it then: priority, nice value, policy, and
 * the slice in milliseconds, where the kernel tells.
 */
async function afterwards(take: string, ...permissions: string[]): Promise<string> {
  const code = `import { ${take} } from "${SCRIPT}";
const isSeen = Deno.permissions.querySync({ name: "read" }).state === "granted";
const before = attributes(), done = ${take}();
console.log(done, attributes() === before ? "as it was" : "changed", sliceMs());
function sliceMs() {
  if (!isSeen) return "unseen";
  try {
    return /^se\\.slice *: *(\\d+)$/m.exec(Deno.readTextFileSync("/proc/self/sched"))[1] / 1e6;
  } catch {
    return "unknown";
  }
}
function attributes() {
  if (!isSeen) return "";
  const fields = Deno.readTextFileSync("/proc/self/stat").split(") ")[1].split(" ");
  return [15, 16, 38].map((i) => fields[i]).join(" ");
}`;
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/main.ts`, code);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--quiet", "--no-prompt", ...permissions, `${folder}/main.ts`],
    }).output();
    return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * What a process says that gives way: whether it has, and by the names of its threads their nice values and slices, milliseconds
 * (proc_pid_sched; `unknown` where the kernel does not tell).
 */
async function threadsAfterwards(): Promise<{ done: boolean; threads: [name: string, is: string][] }> {
  const code = `import { giveWay } from "${SCRIPT}";
const done = giveWay(), folder = "/proc/self/task/";
const threads = [...Deno.readDirSync(folder)].map(({ name }) => {
  const read = (file) => Deno.readTextFileSync(folder + name + "/" + file);
  const nice = read("stat").split(") ")[1].split(" ")[16];
  const slice = /^se\\.slice *: *(\\d+)$/m.exec(read("sched"))?.[1];
  return [Number(name) === Deno.pid ? "own" : read("comm").trim(), nice + " " + (slice ? slice / 1e6 : "unknown")];
});
console.log(JSON.stringify({ done, threads }));`;
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-check", code] }).output();
  return JSON.parse(new TextDecoder().decode(stdout));
}

const ignore = Deno.build.os !== "linux" || !["x86_64", "aarch64"].includes(Deno.build.arch);

Deno.test({
  name:
    "a thread takes short or long slices with its priority as it was; without leave to ask for that it goes on as it is",
  ignore,
  async fn() {
    assert.match(await afterwards("takeShortSlices", "-A"), /^true as it was (0\.5|unknown)$/);
    assert.match(await afterwards("takeLongSlices", "-A"), /^true as it was (100|unknown)$/);
    assert.equal(await afterwards("takeShortSlices"), "false as it was unseen");
  },
});

Deno.test({
  name:
    "who gives way has long slices and a third of the weight, and so have the runtime's helpers, and nobody else",
  ignore,
  async fn() {
    const { done, threads } = await threadsAfterwards();
    assert.ok(done);
    const behind = threads.filter(([name]) => name === "own" || name === "V8 DefaultWorke");
    const others = threads.filter((thread) => !behind.includes(thread));
    assert.ok(behind.length > 1 && others.length > 0, JSON.stringify(threads));
    const usual = Number(others[0]![1].split(" ")[0]), nice = Math.max(5, usual);
    for (const [name, is] of behind) assert.match(is, new RegExp(`^${nice} (100|unknown)$`), name);
    for (const [name, is] of others) assert.doesNotMatch(is, new RegExp(`^(?!${usual} )| 100$`), name);
  },
});
