/**
 * Runs on an emulated arm64 what depends on the machine, on a machine of another kind:
 *
 *     deno task test:arm64 [FILE]...     the tests of sockets, memory and data workers, or those that are named; then a server
 *
 * First tests, then a whole server with data workers, which must say the same octets as one of this machine. docs/INSTALL.md
 * says what that shows and what it does not. Takes Linux 6.7 and Debian's packages; brings 64 MB of these and 40 of the
 * runtime the first time, into the cache folder. All traffic is in a network namespace of its own.
 *
 * @module
 */

import { bringMachine, enter, type Machine } from "./arm64/machine.ts";
import { compareServers } from "./arm64/same_answers.ts";
import { cacheFolder } from "./bench/cache_folder.ts";
import { linesOf } from "./bench/lines.ts";

/** What asks the kernel or the C library for something by number or layout, and what stands on that. */
const TESTS = [
  "tests/core/server/batch",
  "tests/core/server/data_plane",
  "tests/core/server/allocator_test.ts",
  "tests/core/server/control_socket_test.ts",
  "tests/core/server/hosts_test.ts",
  "tests/core/server/socket_options_test.ts",
  "tests/core/server/udp_test.ts",
];

/** What the emulator leaves out (its version 7.2), and the beginnings of the names of tests that want it: these may fail. */
const LEFT_OUT = {
  "SO_ATTACH_REUSEPORT_CBPF is refused": [
    "the kernel spreads datagrams among the sockets of",
    "a group that takes over from another one of",
    "steer() sends every connection",
  ],
  "of SO_MEMINFO there is the first number alone": ["droppedByKernel() counts", "takeDropped() says"],
};

const ROOT = new URL("../", import.meta.url).pathname;

/** Runs this program again in namespaces of its own. @returns Its exit code. */
async function runApart(machine: Machine, files: readonly string[]): Promise<number> {
  const { code } = await new Deno.Command("unshare", {
    args: [
      ...["--user", "--map-root-user", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"],
      ...[Deno.execPath(), "run", "-A", "--no-lock", "--cached-only", import.meta.filename!, ...files],
    ],
    env: { MERIDIAN_ARM64: JSON.stringify(machine) },
  }).spawn().status;
  return code;
}

/** @returns Whether all passed but what the emulator leaves out. */
async function runTests({ runtime, cache }: Machine, paths: readonly string[]): Promise<boolean> {
  const files = paths.flatMap(testsIn);
  const child = new Deno.Command(runtime, {
    args: ["test", "-A", "--no-check", "--cached-only", "--no-lock", "--reporter=tap", ...files],
    cwd: ROOT,
    env: { DENO_DIR: cache },
    stdout: "piped",
  }).spawn();
  let begun = 0, passed = 0, failed = 0;
  const notHere: string[] = [];
  for await (const line of linesOf(child.stdout)) {
    // Before those of a file stands its name; of one that cannot be loaded nothing does.
    if (line.startsWith("# ")) begun++;
    const [, isBad, name] = /^(not )?ok \d+ - (.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const why = isBad &&
      Object.entries(LEFT_OUT).find(([, names]) => names.some((one) => name.startsWith(one)));
    if (why) notHere.push(`${name}: ${why[0]}`);
    else if (isBad) failed++;
    else passed++;
    console.log(why ? `left out: ${name}` : line);
  }
  // It ends with 1 where any test failed, those that may included.
  const { code } = await child.status;
  console.log(`Of ${files.length} files ${begun} were run: ${passed} tests passed, ${failed} failed.
Not to be had in the emulator:`);
  for (const one of notHere) console.log(`    ${one}`);
  return begun === files.length && passed > 0 && failed === 0 && (code === 0 || notHere.length > 0);
}

/** The files with tests in a folder; of a file itself. */
function testsIn(path: string): string[] {
  if (path.endsWith(".ts")) return [path];
  return [...Deno.readDirSync(ROOT + path)].map(({ name }) => `${path}/${name}`)
    .filter((file) => file.endsWith("_test.ts"));
}

if (import.meta.main) {
  const told = Deno.env.get("MERIDIAN_ARM64");
  if (told === undefined) {
    const machine = await bringMachine(await cacheFolder("arm64"));
    Deno.exit(await runApart(machine, Deno.args));
  }
  const machine: Machine = JSON.parse(told);
  await enter(machine);
  const isWhole = await runTests(machine, Deno.args.length > 0 ? Deno.args : TESTS);
  const said = await compareServers(machine);
  console.log(said.text);
  Deno.exit(isWhole && said.isSame ? 0 : 1);
}
