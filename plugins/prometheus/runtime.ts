/** What the process takes of the machine, and how late its timers come. @module */

import process from "node:process";
import { getHeapSpaceStatistics, getHeapStatistics } from "node:v8";
import type { Clock, ControlScope } from "../../core/plugin.ts";
import type { Gauge } from "./fleet.ts";

/** Sets the process's gauges. What the machine does not tell is left out. */
export function showProcess(gauge: Gauge): void {
  const { user, system } = process.cpuUsage();
  gauge("process_cpu_seconds_total", (user + system) / 1e6);
  const { resident, virtual } = memory();
  gauge("process_resident_memory_bytes", resident);
  if (virtual !== undefined) gauge("process_virtual_memory_bytes", virtual);
  gauge("process_start_time_seconds", performance.timeOrigin / 1000);
  attempt(() => gauge("process_open_fds", [...Deno.readDirSync("/proc/self/fd")].length));
  attempt(() => {
    const [, most] = /^Max open files +(\d+)/m.exec(Deno.readTextFileSync("/proc/self/limits")) ?? [];
    if (most !== undefined) gauge("process_max_fds", Number(most));
  });
}

/** Sets the gauges of the heap. */
export function showHeap(gauge: Gauge): void {
  const { used_heap_size, total_heap_size, heap_size_limit, external_memory } = getHeapStatistics();
  const kinds = {
    used: used_heap_size,
    total: total_heap_size,
    limit: heap_size_limit,
    external: external_memory,
  };
  for (const [kind, bytes] of Object.entries(kinds)) gauge("meridian_heap_bytes", bytes, { kind });
  for (const { space_name: space, space_used_size } of getHeapSpaceStatistics()) {
    gauge("meridian_heap_space_bytes", space_used_size, { space });
  }
}

function memory(): { resident: number; virtual?: number } {
  const { rss } = Deno.memoryUsage();
  let virtual: number | undefined;
  attempt(() => {
    const [, bytes] = /^VmSize:\s+(\d+) kB/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
    if (bytes !== undefined) virtual = Number(bytes) * 1024;
  });
  return { resident: rss, ...virtual !== undefined && { virtual } };
}

function attempt(act: () => void): void {
  try {
    act();
  } catch { /* not on this machine, or not allowed to look */ }
}

/** How often that is looked at: on the half second. */
const LOOK_EVERY_MS = 500;

/** Watches how late timers come: whatever keeps the isolate busy keeps probes and probers' verdicts waiting too. */
export function watchLag(clock: Clock, observe: ControlScope["observe"]): { close(): void } {
  let cancel = () => {};
  const wait = () => {
    // After the nearest, not the last: a timer that went off a little early is not set for the same instant again.
    const nowMs = clock.nowMs(), dueMs = (Math.round(nowMs / LOOK_EVERY_MS) + 1) * LOOK_EVERY_MS;
    cancel = clock.after(dueMs - nowMs, () => {
      observe("meridian_event_loop_lag_seconds", Math.max(0, clock.nowMs() - dueMs) / 1000);
      wait();
    });
  };
  wait();
  return { close: () => cancel() };
}
