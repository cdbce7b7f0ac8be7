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

/** What a process said: what its calls came to, and by the names of its threads their nice values and slices, milliseconds. */
interface Said {
  readonly done: readonly boolean[];
  readonly threads: readonly [name: string, is: string][];
}

/** Runs calls of the module in a worker of a process, and looks at its threads (`unknown` where the kernel does not tell slices). */
async function threadsAfterwards(calls: readonly string[], ...before: readonly string[]): Promise<Said> {
  const inWorker = `import { giveWay, haveHelpersGiveWay, mayComeForward } from "${SCRIPT}";
const done = [${calls.join(", ")}], folder = "/proc/self/task/";
const own = Deno.readLinkSync("/proc/thread-self").split("/").at(-1);
const threads = [...Deno.readDirSync(folder)].map(({ name }) => {
  const read = (file) => Deno.readTextFileSync(folder + name + "/" + file);
  const nice = read("stat").split(") ")[1].split(" ")[16];
  const slice = /^se\\.slice *: *(\\d+)$/m.exec(read("sched"))?.[1];
  return [name === own ? "own" : read("comm").trim(), nice + " " + (slice ? slice / 1e6 : "unknown")];
});
postMessage({ done, threads });`;
  const code = `const module = "data:text/javascript," + encodeURIComponent(${JSON.stringify(inWorker)});
const worker = new Worker(module, { type: "module" });
worker.onmessage = ({ data }) => { console.log(JSON.stringify(data)); worker.terminate(); };`;
  const [command, ...args] = [...before, Deno.execPath(), "eval", "--no-check", code];
  const { stdout, stderr, success } = await new Deno.Command(command!, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** A way to start a process that may not take a lower nice value than it has. */
const WITHOUT_LEAVE = ["setpriv", "--bounding-set", "-sys_nice"];

const HELPERS = "V8 DefaultWorke";

/** Nice values and slices: of the thread that called, of the runtime's helpers, and of all others. */
function sorted({ threads }: Said): { own: string; helpers: Set<string>; others: Set<string> } {
  const of = (belongs: (name: string) => boolean) =>
    new Set(threads.filter(([name]) => belongs(name)).map(([, is]) => is));
  const [own] = of((name) => name === "own");
  return {
    ...{ own: own!, helpers: of((name) => name === HELPERS) },
    others: of((name) => name !== "own" && name !== HELPERS),
  };
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

/** The nice value that processes have here. */
const USUAL = ignore ? 0 : Number(Deno.readTextFileSync("/proc/self/stat").split(") ")[1]!.split(" ")[16]);

for (const [behind, nice] of [["some", 5], ["far", 19]] as const) {
  Deno.test({
    name:
      `who gives way, ${behind}, has long slices and nice value ${nice}, and so have the runtime's helpers, and nobody else`,
    ignore,
    async fn() {
      const said = await threadsAfterwards([`giveWay("${behind}")`]), { own, helpers, others } = sorted(said);
      assert.deepEqual(said.done, [true]);
      const wanted = new RegExp(`^${Math.max(nice, USUAL)} (100|unknown)$`);
      assert.match(own, wanted);
      assert.ok(helpers.size === 1 && others.size > 0, JSON.stringify(said));
      for (const is of helpers) assert.match(is, wanted);
      for (const is of others) assert.doesNotMatch(is, new RegExp(`^(?!${USUAL} )| 100$`));
    },
  });
}

Deno.test({
  name:
    "who may comes forward again, and has the helpers do so, and nobody comes before the process's own value",
  ignore: ignore || Deno.uid() !== 0,
  async fn() {
    const some = Math.max(5, USUAL);
    const calls = [`giveWay("far")`, `giveWay("some")`, "mayComeForward()", `haveHelpersGiveWay("far")`];
    const said = await threadsAfterwards(calls.slice(0, 3)), { own, helpers } = sorted(said);
    assert.deepEqual(said.done, [true, true, true]);
    assert.deepEqual([parseInt(own), ...[...helpers].map((is) => parseInt(is))], [some, some]);
    const apart = sorted(await threadsAfterwards(calls));
    assert.deepEqual([parseInt(apart.own), ...[...apart.helpers].map((is) => parseInt(is))], [some, 19]);
    const polite = sorted(await threadsAfterwards([`giveWay("far")`, `giveWay("some")`], "nice", "-n", "9"));
    assert.equal(parseInt(polite.own), Math.min(19, 9 + USUAL));
  },
});

Deno.test({
  name: "who may not come forward is told so before it goes far",
  ignore: ignore || Deno.uid() !== 0,
  async fn() {
    const calls = [`giveWay("some")`, "mayComeForward()", `giveWay("some")`];
    const said = await threadsAfterwards(calls, ...WITHOUT_LEAVE);
    assert.deepEqual(said.done, [true, false, false]);
    assert.equal(parseInt(sorted(said).own), Math.max(5, USUAL) + 1);
  },
});
