import assert from "node:assert/strict";

const SCRIPT = new URL("../../../../core/server/data_plane/time_slice.ts", import.meta.url).href;

/** What a process says that takes short slices, and how the system has it then: priority, nice value, policy. */
async function afterwards(...permissions: string[]): Promise<string> {
  const code = `import { takeShortSlices } from "${SCRIPT}";
const isSeen = Deno.permissions.querySync({ name: "read" }).state === "granted";
const before = attributes(), done = takeShortSlices();
console.log(done, attributes() === before ? "as it was" : "changed");
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

const ignore = Deno.build.os !== "linux" || !["x86_64", "aarch64"].includes(Deno.build.arch);

Deno.test({
  name:
    "a thread takes short slices with its priority as it was; without leave to ask for that it goes on as it is",
  ignore,
  async fn() {
    assert.equal(await afterwards("-A"), "true as it was");
    assert.equal(await afterwards(), "false as it was");
  },
});
