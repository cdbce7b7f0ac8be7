/**
 * What Linux knows of a process: processor time, memory, children. And where it may run.
 *
 * @module
 */

/** Ticks a second in /proc (USER_HZ), on every machine that Deno runs on. */
const TICKS_PER_SECOND = 100;

/** A line of /proc/PID/stat, as far as it matters here. */
export interface ProcessStat {
  readonly parent: number;
  /** User and system time of all its threads, those that have ended included. */
  readonly cpuSeconds: number;
}

/** Reads /proc/PID/stat (proc_pid_stat(5)). The command's name stands in parentheses and may hold any of them. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return {
    parent: Number(fields[1]),
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
  };
}

/** Processor time of a process and all its descendants, seconds. */
export function cpuSecondsOf(pid: number): number {
  return descend(pid).reduce((sum, one) => sum + (statOf(one)?.cpuSeconds ?? 0), 0);
}

/**
 * Processor time of every thread of a process and its descendants, nanoseconds, as the scheduler has it
 * (/proc/PID/task/TID/schedstat). Threads that have ended are not in it.
 */
export function cpuNsOf(pid: number): number {
  let sum = 0;
  for (const one of descend(pid)) {
    for (const thread of threadIds(one)) {
      sum += Number(read(`/proc/${one}/task/${thread}/schedstat`).split(" ")[0]);
    }
  }
  return sum;
}

/** A thread as the scheduler has it: what it is called, and its processor time, nanoseconds. */
export interface Thread {
  readonly name: string;
  readonly cpuNs: number;
}

/** The threads of a process, by their ids. */
export function threadsOf(pid: number): Map<number, Thread> {
  return new Map(
    threadIds(pid).map((id) => {
      const name = read(`/proc/${pid}/task/${id}/comm`).trim();
      return [Number(id), { name, cpuNs: Number(read(`/proc/${pid}/task/${id}/schedstat`).split(" ")[0]) }];
    }),
  );
}

function threadIds(pid: number): string[] {
  try {
    return [...Deno.readDirSync(`/proc/${pid}/task`)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** What all processors of the machine have worked since it started, seconds; reads a `cpu` line of /proc/stat (proc_stat(5)). */
export function parseBusySeconds(line: string): number {
  const [user, nice, system, , , interrupts, soft, stolen] = line.split(/\s+/).slice(1).map(Number);
  return (user! + nice! + system! + interrupts! + soft! + stolen!) / TICKS_PER_SECOND;
}

/** The same of this machine, now. */
export function busySeconds(): number {
  return parseBusySeconds(read("/proc/stat").split("\n", 1)[0]!);
}

/** Resident memory of a process and all its descendants, MiB. What they share counts once for each. */
export function residentMiBOf(pid: number): number {
  return descend(pid).reduce((sum, one) => sum + residentKiB(one), 0) / 1024;
}

function residentKiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
}

/** A process and its descendants. */
function descend(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
    if (stat) parents.set(Number(name), stat.parent);
  }
  const family = [pid];
  for (const one of family) family.push(...parents.keys().filter((child) => parents.get(child) === one));
  return family;
}

function statOf(pid: number): ProcessStat | undefined {
  const line = read(`/proc/${pid}/stat`);
  return line === "" ? undefined : parseStat(line);
}

/** Nothing, when the process has gone meanwhile. */
function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** A command line that runs on one processor alone; as it was, where that cannot be had. */
export type Pin = (processors: number | string, command: readonly string[]) => string[];

/** Finds out whether `taskset` can pin to processors 0 and 1. */
export async function findPin(): Promise<Pin | undefined> {
  const taskset = new Deno.Command("taskset", { args: ["-c", "0,1", "true"], stderr: "null" });
  const pins = navigator.hardwareConcurrency > 1 &&
    await taskset.output().then(({ success }) => success, () => false);
  return pins ? (processors, command) => ["taskset", "-c", String(processors), ...command] : undefined;
}

/**
 * Has a thread run on one processor alone from now on, or with `--all-tasks` all threads of a process.
 *
 * @throws {Error} When it cannot be moved. One that has ended need not be.
 */
export async function moveThread(id: number, processor: string, ...options: string[]): Promise<void> {
  const args = [...options, "-p", "-c", processor, `${id}`];
  const { success } = await new Deno.Command("taskset", { args, stdout: "null" }).output();
  if (success || !await Deno.stat(`/proc/${id}`).catch(() => undefined)) return;
  throw new Error(`thread ${id} cannot be moved to processor ${processor}`);
}
