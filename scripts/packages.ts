/**
 * Debian packages that integration tests run against: other people's servers, as the measure of ours.
 *
 * @module
 */

/** A daemon that a package would start by itself is told not to: tests start their own, and stop it. */
const POLICY = "/usr/sbin/policy-rc.d";

/** What a package brings, where the command is not called as the package is. */
const COMMANDS: Readonly<Record<string, string>> = {
  "bind9": "named",
  "bind9-dnsutils": "dig",
  "bind9-utils": "named-checkzone",
  "etcd-server": "etcd",
  "fstrm-bin": "fstrm_capture",
  "glpk-utils": "glpsol",
  "iproute2": "ip",
  "knot": "knotd",
  "knot-dnsutils": "kdig",
  "ldnsutils": "drill",
  "pdns-server": "pdns_server",
  "prometheus": "promtool",
  "util-linux": "unshare",
  "systemd": "systemd-analyze",
};

/** One installation at a time in this process: dpkg holds a lock. */
let installing: Promise<void> = Promise.resolve();

/**
 * Installs those of the Debian packages `names` whose command is missing.
 *
 * @throws {Error} When one cannot be installed. See {@linkcode havePackages} for tests that may run without it.
 */
export function ensurePackages(names: string[]): Promise<void> {
  installing = installing.catch(() => {}).then(() => install(names));
  return installing;
}

/**
 * Installs `names`; false where that is impossible on this machine, so that a test can leave itself out. In CI
 * (the environment variable `CI` is set) nothing is left out.
 *
 * @throws {Error} In CI, when a package cannot be installed.
 */
export async function havePackages(names: string[]): Promise<boolean> {
  try {
    await ensurePackages(names);
    return true;
  } catch (error) {
    if (Deno.env.get("CI")) throw error;
    console.warn(`left out: ${(error as Error).message}`);
    return false;
  }
}

/** Whether `command` is found on the PATH, or where Debian keeps its daemons. */
export async function commandExists(command: string): Promise<boolean> {
  return await commandPath(command) !== undefined;
}

/** The full path of `command`; daemons live in `/usr/sbin`, which a user's PATH may lack. */
export async function commandPath(command: string): Promise<string | undefined> {
  const folders = new Set([
    ...(Deno.env.get("PATH") ?? "").split(":"),
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
  ]);
  for (const folder of folders) {
    const found = await Deno.stat(`${folder}/${command}`).catch(() => undefined);
    if (found?.isFile) return `${folder}/${command}`;
  }
  return undefined;
}

async function install(names: string[]): Promise<void> {
  const missing: string[] = [];
  for (const name of names) if (!await commandExists(COMMANDS[name] ?? name)) missing.push(name);
  if (missing.length === 0) return;
  await keepDaemonsDown();
  await apt(["update", "-qq"], missing);
  await apt(["install", "-y", "-qq", "--no-install-recommends", ...missing], missing);
}

async function keepDaemonsDown(): Promise<void> {
  const present = await Deno.stat(POLICY).catch(() => undefined);
  if (present) return;
  await Deno.writeTextFile(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 }).catch(() => {
    throw new Error(`Cannot write ${POLICY}: installing packages needs root`);
  });
}

async function apt(args: string[], wanted: readonly string[]): Promise<void> {
  const command = new Deno.Command("apt-get", {
    // Others may be installing at the same moment: wait for dpkg's lock instead of failing.
    args: ["-o", "DPkg::Lock::Timeout=300", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdout: "null",
    stderr: "piped",
  });
  const failed = (why: string) => new Error(`Cannot install ${wanted.join(", ")}: ${why}`);
  const result = await command.output().catch((cause: Error) => {
    throw failed(cause.message);
  });
  if (!result.success) {
    throw failed(`apt-get ${args[0]}: ${new TextDecoder().decode(result.stderr).trim().slice(-500)}`);
  }
}
