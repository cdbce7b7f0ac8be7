/**
 * Opens the store that a Corefile names.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../clock.ts";
import { openEtcdStore } from "../state/etcd_store.ts";
import { openSqliteStore } from "../state/sqlite_store.ts";
import type { Store } from "../state/store.ts";
import type { EtcdChoice, MembershipConfiguration } from "./protocol.ts";

/** @throws {Error} That says which file cannot be read or is no store. */
export async function openStore({ store }: Pick<MembershipConfiguration, "store">): Promise<Store> {
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
