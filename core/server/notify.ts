/**
 * Tells the service manager how the process is doing, sd_notify(3): one datagram to the Unix socket that it named.
 *
 * @module
 */

import { libC } from "./socket_options.ts";

const AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000, CLOCK_MONOTONIC = 1;

/** Tells the service manager, where there is one and it can be reached; otherwise nobody waits for it. */
export function notify(state: Readonly<Record<string, string | number>>): boolean {
  const path = Deno.permissions.querySync({ name: "env", variable: "NOTIFY_SOCKET" }).state === "granted"
    ? Deno.env.get("NOTIFY_SOCKET")
    : undefined;
  const libc = path ? libC() : undefined;
  if (!path || !libc) return false;
  const text = Object.entries(state).map(([name, value]) => `${name}=${value}\n`).join("");
  const octets = new TextEncoder().encode(text);
  const address = unixAddress(path);
  const fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const sent = libc.sendto(fd, octets, BigInt(octets.length), 0, address, address.length);
  libc.close(fd);
  return Number(sent) === octets.length;
}

/** That a reload begins, and when: a manager that asked for one waits for the READY=1 that follows. */
export function notifyReloading(): boolean {
  const now = new BigInt64Array(2);
  if (libC()?.clock_gettime(CLOCK_MONOTONIC, now) !== 0) return false;
  return notify({ RELOADING: 1, MONOTONIC_USEC: `${now[0]! * 1_000_000n + now[1]! / 1000n}` });
}

/** sockaddr_un; `@name` is an address that no file stands for. */
function unixAddress(path: string): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(path.startsWith("@") ? `\0${path.slice(1)}` : path);
  const address = new Uint8Array(2 + name.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  return address;
}
