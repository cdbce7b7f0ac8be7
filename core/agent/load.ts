/**
 * How busy this machine is: from /proc where there is one and it may be read, else from what the runtime tells.
 *
 * @module
 */

import type { Load } from "../registry/protocol.ts";

/** Where load is read from. Each tells undefined for what it does not know. */
export interface LoadSource {
  /** Processors' time since the machine was started, in any unit: what was busy, and all. */
  cpu(): { readonly busy: number; readonly total: number } | undefined;
  /** The share of memory in use. */
  memory(): number | undefined;
  /** Octets received and sent since the machine was started, on all interfaces but loopback. */
  octets(): number | undefined;
  /** Established TCP connections. */
  connections(): number | undefined;
}

/** Reads /proc. @param read The text of a file; undefined when it cannot be read. */
export function procSource(read: (path: string) => string | undefined): LoadSource {
  const from = <T>(path: string, parse: (text: string) => T | undefined) => () => {
    const text = read(path);
    return text === undefined ? undefined : parse(text);
  };
  return {
    cpu: from("/proc/stat", parseStat),
    memory: from("/proc/meminfo", parseMeminfo),
    octets: from("/proc/net/dev", parseNetDev),
    connections: from("/proc/net/snmp", parseSnmp),
  };
}

/** What the first source knows of each, else the second. */
export function either(first: LoadSource, second: LoadSource): LoadSource {
  return {
    cpu: () => first.cpu() ?? second.cpu(),
    memory: () => first.memory() ?? second.memory(),
    octets: () => first.octets() ?? second.octets(),
    connections: () => first.connections() ?? second.connections(),
  };
}

/** Samples load: what counts up is measured between one sample and the next. */
export class LoadMeter {
  readonly #source: LoadSource;
  readonly #nowMs: () => number;
  #last: { readonly atMs: number; readonly cpu?: { busy: number; total: number }; readonly octets?: number };

  /** @param nowMs A clock that only goes forward. */
  constructor(source: LoadSource, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
    this.#last = this.#read();
  }

  /** The load since the last sample; 0 for what is not known. */
  sample(): Load {
    const before = this.#last, now = this.#last = this.#read();
    const total = (now.cpu?.total ?? 0) - (before.cpu?.total ?? 0);
    const busy = (now.cpu?.busy ?? 0) - (before.cpu?.busy ?? 0);
    const seconds = (now.atMs - before.atMs) / 1000;
    // Interfaces that go take their counters with them.
    const octets = Math.max(0, (now.octets ?? 0) - (before.octets ?? 0));
    return {
      cpu: total > 0 ? Math.min(1, Math.max(0, busy / total)) : 0,
      memory: this.#source.memory() ?? 0,
      network: seconds > 0 ? Math.round(octets / seconds) : 0,
      connections: this.#source.connections() ?? 0,
    };
  }

  #read() {
    const cpu = this.#source.cpu(), octets = this.#source.octets();
    return { atMs: this.#nowMs(), ...cpu && { cpu }, ...octets !== undefined && { octets } };
  }
}

/** The first line of /proc/stat: user nice system idle iowait irq softirq steal (guest time is in user). proc_stat(5). */
export function parseStat(text: string): { busy: number; total: number } | undefined {
  const [, line] = /^cpu\s+([\d ]+)$/m.exec(text) ?? [];
  const [user = 0, nice = 0, system = 0, idle, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    line?.trim().split(/ +/).map(Number) ?? [];
  if (idle === undefined) return undefined;
  const busy = user + nice + system + irq + softirq + steal;
  return { busy, total: busy + idle + iowait };
}

/** What is not available of what there is: caches can be had back. proc_meminfo(5). */
export function parseMeminfo(text: string): number | undefined {
  const kilobytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? NaN);
  const total = kilobytes("MemTotal"), available = kilobytes("MemAvailable");
  return total > 0 && available >= 0 ? Math.min(1, Math.max(0, 1 - available / total)) : undefined;
}

/** Octets received and sent by all interfaces but loopback: the first and the ninth number of a line. proc_pid_net(5). */
export function parseNetDev(text: string): number | undefined {
  let octets: number | undefined;
  for (const [, name, numbers] of text.matchAll(/^\s*([^\s:]+):\s*([\d ]+)$/gm)) {
    const columns = numbers!.trim().split(/ +/).map(Number);
    octets ??= 0;
    if (name !== "lo") octets += (columns[0] ?? 0) + (columns[8] ?? 0);
  }
  return octets;
}

/** `CurrEstab` of TCP, which counts both families (RFC 4022, tcpCurrEstab). */
export function parseSnmp(text: string): number | undefined {
  const [names, values] = [...text.matchAll(/^Tcp: (.*)$/gm)].map(([, line]) => line!.trim().split(/ +/));
  const at = names?.indexOf("CurrEstab") ?? -1;
  return at < 0 || values?.[at] === undefined ? undefined : Number(values[at]);
}
