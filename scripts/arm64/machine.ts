/**
 * An arm64 to run on where there is none: Debian's emulator of single programs, the C library of that machine, and a runtime
 * built for it. All of it is unpacked into a folder; nothing is installed.
 *
 * @module
 */

/** Debian's packages: the emulator itself runs on this machine. */
const PACKAGES = ["qemu-user-static", "libc6-arm64-cross", "libgcc-s1-arm64-cross"];

/** What was brought. */
export interface Machine {
  /** The emulator. */
  readonly emulator: string;
  /** A folder in which the emulated program finds its C library, before it looks at the real one. */
  readonly root: string;
  /** Deno for arm64: this one's version, or the nearest release of the same minor version that is to be had. */
  readonly runtime: string;
  /** That one's cache folder: two versions of it in one folder would throw away each other's. Packages are those of this one. */
  readonly cache: string;
}

/** Brings what is not there yet. @throws {Error} With what apt-get, dpkg or the registry's client said. */
export async function bringMachine(folder: string): Promise<Machine> {
  const root = `${folder}/root`;
  await Deno.mkdir(root, { recursive: true });
  if (!await exists(`${root}/lib`)) await bringLibraries(folder, root);
  const emulator = `${folder}/unpacked/usr/bin/qemu-aarch64-static`, runtime = await bringRuntime();
  const cache = `${folder}/cache`;
  await Deno.mkdir(cache, { recursive: true });
  // It stands in .../npm/HOST/@deno/linux-arm64-glibc/VERSION.
  const packages = runtime.slice(0, runtime.indexOf("/npm/") + "/npm".length);
  if (!await exists(`${cache}/npm`)) await Deno.symlink(packages, `${cache}/npm`);
  return { emulator, root, runtime, cache };
}

async function bringLibraries(folder: string, root: string): Promise<void> {
  const packages = `${folder}/packages`, unpacked = `${folder}/unpacked`;
  await Deno.mkdir(packages, { recursive: true });
  await run("apt-get", ["download", "-qq", ...PACKAGES], packages);
  for await (const { name } of Deno.readDir(packages)) {
    await run("dpkg", ["-x", `${packages}/${name}`, unpacked]);
  }
  // Debian keeps them where a compiler looks; a program, and a permission, name them where an arm64 has them.
  const libraries = `${root}/lib.new`;
  await Deno.mkdir(libraries);
  await run("cp", ["-a", `${unpacked}/usr/aarch64-linux-gnu/lib/.`, libraries]);
  await Deno.symlink(".", `${libraries}/aarch64-linux-gnu`);
  await Deno.rename(libraries, `${root}/lib`);
}

/** Importing anything of a package has the whole of it fetched. */
async function bringRuntime(): Promise<string> {
  const [major, minor] = Deno.version.deno.split(".");
  const name = `npm:@deno/linux-arm64-glibc@~${major}.${minor}.0`;
  await import(`${name}/package.json`, { with: { type: "json" } });
  const path = new URL(import.meta.resolve(`${name}/deno`)).pathname;
  await Deno.chmod(path, 0o755);
  return path;
}

/**
 * Has the kernel run programs of arm64 by the emulator, in this namespace and those below it: so that a program that
 * starts others, as tests and servers do, need know nothing of it. Takes a user namespace of one's own (Linux 6.7).
 */
export async function enter({ emulator, root }: Machine): Promise<void> {
  const folder = "/proc/sys/fs/binfmt_misc";
  await run("mount", ["-t", "binfmt_misc", "none", folder]);
  // The first octets of an ELF file of 64 bits for machine 183, a program or a library, whatever system it says it is for.
  const magic = String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`;
  const mask = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;
  await Deno.writeTextFile(`${folder}/register`, `:arm64:M::${magic}:${mask}:${emulator}:FPC`);
  await run("ip", ["link", "set", "lo", "up"]);
  Deno.env.set("QEMU_LD_PREFIX", root);
}

async function run(command: string, args: readonly string[], cwd?: string): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args: [...args],
    ...cwd !== undefined && { cwd },
  }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${text.decode(stderr)}${text.decode(stdout)}`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
