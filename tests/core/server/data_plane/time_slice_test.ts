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
  readonly done: readonly unknown[];
  readonly threads: readonly [name: string, is: string][];
}

/** Runs calls of the module in a worker of a process, and looks at its threads (`unknown` where the kernel does not tell slices). */
async function threadsAfterwards(calls: readonly string[], ...before: readonly string[]): Promise<Said> {
  const inWorker = `import { giveWay, moveBehind, threadsBehind, waitedNs } from "${SCRIPT}";
const own = Deno.readLinkSync("/proc/thread-self").split("/").at(-1), folder = "/proc/self/task/";
const done = [${calls.join(", ")}];
const threads = [...Deno.readDirSync(folder)].flatMap(({ name }) => {
  const read = (file) => {
    try {
      return Deno.readTextFileSync(folder + name + "/" + file);
    } catch {
      return "";
    }
  };
  const nice = read("stat").split(") ").at(-1).split(" ")[16];
  const slice = /^se\\.slice *: *(\\d+)$/m.exec(read("sched"))?.[1];
  const is = nice + " " + (slice ? slice / 1e6 : "unknown");
  return nice === undefined ? [] : [[name === own ? "own" : read("comm").trim(), is]];
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

/** A way to start a process that may take no nice value below 20 - `limit`, unless it has it. */
const withLimit = (
  limit: number,
) => ["prlimit", `--nice=${limit}:${limit}`, "setpriv", "--bounding-set", "-sys_nice"];

/** Whether a program that is started so here may go behind, and come back to nice value 5. */
async function mayComeBack(...before: readonly string[]): Promise<boolean> {
  const [program, ...args] = [...before, "sh", "-c", "renice -n 19 -p $$ && renice -n 5 -p $$"];
  const output = await new Deno.Command(program!, { args, stdout: "null", stderr: "null" }).output()
    .catch(() => undefined);
  return output?.success ?? false;
}

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

/** Has this thread go as far behind as `behind` says, after it gave way. */
const moved = (behind: string) => `moveBehind([Number(own), ...threadsBehind()], "${behind}")`;

const placesOf = (said: Said) => {
  const { own, helpers } = sorted(said);
  return [own, ...helpers].map((is) => parseInt(is));
};

for (const [behind, nice] of [["some", 5], ["far", 19]] as const) {
  Deno.test({
    name:
      `who gives way, ${behind}, has long slices and nice value ${nice}, and so have the runtime's helpers, and nobody else`,
    ignore,
    async fn() {
      const said = await threadsAfterwards(["giveWay()", moved(behind)]),
        { own, helpers, others } = sorted(said);
      const wanted = new RegExp(`^${Math.max(nice, USUAL)} (100|unknown)$`);
      assert.match(own, wanted);
      assert.ok(helpers.size === 1 && others.size > 0, JSON.stringify(said));
      for (const is of helpers) assert.match(is, wanted);
      for (const is of others) assert.doesNotMatch(is, new RegExp(`^(?!${USUAL} )| 100$`));
    },
  });
}

Deno.test({
  name: "nobody who gives way comes before the nice value that the process was given",
  ignore,
  async fn() {
    const given = Math.min(19, 9 + USUAL), said = await threadsAfterwards(["giveWay()"], "nice", "-n", "9");
    assert.deepEqual(placesOf(said), [Math.max(5, given), Math.max(5, given)]);
  },
});

for (const [leave, before] of [["CAP_SYS_NICE", []], ["RLIMIT_NICE", withLimit(15)]] as const) {
  Deno.test({
    name:
      `who may take nice value 5 again, by ${leave}, is told so, goes far and comes back, and the helpers with it`,
    ignore: ignore || USUAL > 5 || !await mayComeBack(...before),
    async fn() {
      const calls = ["giveWay() === Number(own)", moved("far"), moved("some")];
      const said = await threadsAfterwards(calls, ...before);
      assert.equal(said.done[0], true);
      assert.deepEqual(placesOf(said), [5, 5]);
    },
  });
}

Deno.test({
  name: "who may not is told so before it goes far, and has come no further than one behind",
  ignore: ignore || Deno.uid() !== 0 || USUAL > 5,
  async fn() {
    const said = await threadsAfterwards(["giveWay() ?? null"], ...withLimit(0));
    assert.deepEqual(said.done, [null]);
    assert.deepEqual(placesOf(said), [6, 5]);
  },
});

Deno.test({
  name: "threads tell how long they waited for a processor, those that are not there tell nothing",
  ignore,
  async fn() {
    const calls = ["typeof waitedNs(Number(own))", "waitedNs(Number(own)) >= 0", "waitedNs(0) ?? null"];
    assert.deepEqual((await threadsAfterwards(calls)).done, ["number", true, null]);
  },
});
