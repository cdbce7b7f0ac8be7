/**
 * Gives back what a start takes and serving does not: garbage of the control isolate, and pages of the program that were
 * mapped to read, check and compile. Pages that are wanted after all are mapped again, from memory, when they are touched.
 *
 * @module
 */

import inspector from "node:inspector";
import { libC } from "./socket_options.ts";

/** When a start is over: partitions of a city database are made meanwhile. */
const AFTER_MS = 5000;

/** Gives back once, later. @returns What calls that off. */
export function giveBackLater(): () => void {
  const timer = setTimeout(giveBack, AFTER_MS);
  Deno.unrefTimer(timer);
  return () => clearTimeout(timer);
}

function giveBack(): void {
  collectGarbage();
  unmapProgram();
}

/** Of this isolate: it leaves its young generation as large as the start has made it until it has long been idle. */
function collectGarbage(): void {
  try {
    const session = new inspector.Session();
    session.connect();
    session.post("HeapProfiler.collectGarbage", () => session.disconnect());
  } catch {
    // Without the permission, or an inspector, it comes by itself later.
  }
}

const MADV_DONTNEED = 4;

/**
 * Ends that pages of the program's file are mapped. They stay in the kernel's cache, for as long as it has no better use for
 * them. @returns How many octets were mapped.
 */
export function unmapProgram(): number {
  const libc = libC();
  const ranges = libc ? programRanges() : [];
  return ranges.filter(({ from, to }) => libc!.madvise(from, to - from, MADV_DONTNEED) === 0)
    .reduce((octets, { residentOctets }) => octets + residentOctets, 0);
}

/** Where part of a file lies in memory. */
export interface FileRange {
  readonly from: bigint;
  readonly to: bigint;
  readonly residentOctets: number;
}

/**
 * The ranges of a file in /proc/PID/smaps (proc_pid_smaps(5)) that cannot be written and were not, not even before they were
 * shut, as what the loader relocates was: all that is there is in the file too.
 */
export function untouchedRanges(smaps: string, path: string): FileRange[] {
  const ranges: FileRange[] = [];
  for (const [, from, to, rest] of smaps.matchAll(MAPPING)) {
    const octets = (name: string) =>
      1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(rest!)?.[1]);
    const [mapped] = rest!.split("\n", 1);
    // Without figures, NaN, it is none.
    if (!mapped!.endsWith(` ${path}`) || octets("Anonymous") !== 0 || octets("Private_Dirty") !== 0) continue;
    ranges.push({ from: BigInt(`0x${from}`), to: BigInt(`0x${to}`), residentOctets: octets("Rss") });
  }
  return ranges;
}

/** A mapping that can be read, and perhaps run, and no more: its head, and the figures until the next one's. */
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p (.*\n(?:[A-Z].*\n)*)/gm;

function programRanges(): FileRange[] {
  try {
    return untouchedRanges(Deno.readTextFileSync("/proc/self/smaps"), Deno.execPath());
  } catch {
    // Without the permission to read all files.
    return [];
  }
}
