/**
 * The fleet isolate: a worker in which a server is a member of its fleet, so that neither probes nor answers feel what the
 * store and whoever asks the API cost.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../clock.ts";
import type { Log } from "../plugin.ts";
import { openEtcdStore } from "../state/etcd_store.ts";
import type { Keeper, Kept } from "../state/replica.ts";
import { openSqliteStore } from "../state/sqlite_store.ts";
import { type Store, StoreRefusedError } from "../state/store.ts";
import { readState, StateFile } from "../server/state_file.ts";
import { Member, readKey } from "./member.ts";
import type { EtcdChoice, FromFleet, MembershipConfiguration, ToFleet } from "./protocol.ts";

/** A worker's own global scope, as far as it is used here. */
interface WorkerSelf {
  postMessage(message: FromFleet): void;
  onmessage: ((event: MessageEvent<ToFleet>) => void) | null;
  close(): void;
}

/** Where the copy of the store is kept, within the state directory. */
const KEPT_NAME = "fleet.json";

/** Serves the control isolate for as long as the worker lives. */
export function runFleetIsolate(self: WorkerSelf): void {
  let starting: Promise<Member | undefined> | undefined;
  const withMember = (run: (member: Member) => void) =>
    void starting?.then((member) => member && run(member));
  self.onmessage = ({ data }) => {
    if (data.kind === "start") starting = start(data.configuration, self);
    else if (data.kind === "reports") withMember((member) => member.report(data.reports));
    else if (data.kind === "digest") withMember((member) => member.tellDigest(data.digest));
    else void stop(starting, self);
  };
}

async function start(configuration: MembershipConfiguration, self: WorkerSelf): Promise<Member | undefined> {
  const log = logTo(self);
  let member: Member | undefined;
  try {
    member = new Member({
      ...{ configuration, clock: SYSTEM_CLOCK, random: Math.random, log },
      store: await openStore(configuration),
      key: await readKey(configuration.stateDirectory),
      ...configuration.stateDirectory && { keeper: keeperIn(configuration.stateDirectory, log) },
      tell: (news) => self.postMessage({ kind: "news", news }),
    });
    await member.start();
    return member;
  } catch (error) {
    const reason = error instanceof StoreRefusedError ? error.message : String(error);
    self.postMessage({ kind: "refused", reason });
    await member?.close().catch(() => {});
    return undefined;
  }
}

async function stop(starting: Promise<Member | undefined> | undefined, self: WorkerSelf): Promise<void> {
  try {
    await (await starting)?.close();
  } finally {
    self.postMessage({ kind: "closed" });
    self.close();
  }
}

/** @throws {Error} That says which file cannot be read or is no store. */
async function openStore({ store }: MembershipConfiguration): Promise<Store> {
  if (store.kind === "sqlite") return openSqliteStore(store.file, SYSTEM_CLOCK);
  return openEtcdStore(await etcdOptions(store));
}

async function etcdOptions(
  { urls, user, passwordFile, caFile, certificateFile, keyFile }: EtcdChoice,
): Promise<Parameters<typeof openEtcdStore>[0]> {
  const read = (path: string | undefined) => path === undefined ? undefined : Deno.readTextFile(path);
  const [password, ca, certificate, key] = await Promise.all(
    [passwordFile, caFile, certificateFile, keyFile].map(read),
  );
  return {
    urls,
    ...user !== undefined && { user, password: (password ?? "").trimEnd() },
    ...ca !== undefined && { ca },
    ...certificate !== undefined && key !== undefined && { certificate, key },
  } as Parameters<typeof openEtcdStore>[0];
}

function keeperIn(directory: string, log: Log): Keeper {
  const file = new StateFile(directory, KEPT_NAME, log);
  return {
    read: () => readState(directory, KEPT_NAME, isKept, log),
    keep: (kept) => file.keep(kept),
  };
}

function isKept(value: unknown): value is Kept {
  const { confirmedMs, revision, entries } = value as Partial<Kept> ?? {};
  return typeof confirmedMs === "number" && typeof revision === "number" && Array.isArray(entries);
}

function logTo(self: WorkerSelf): Log {
  const tell = (level: "debug" | "info" | "warn" | "error") => (message: string) =>
    self.postMessage({ kind: "log", level, message });
  return { debug: tell("debug"), info: tell("info"), warn: tell("warn"), error: tell("error") };
}
