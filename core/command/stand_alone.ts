/**
 * A server that neither listens nor probes, for commands that ask no other.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../clock.ts";
import type { State } from "../fleet/verdict.ts";
import { openStore } from "../membership/open_store.ts";
import type { MembershipOptions } from "../membership/options.ts";
import { StoredFleet } from "../membership/stored_fleet.ts";
import { consoleLog } from "../server/log.ts";
import { Server } from "../server/server.ts";
import { StoreRefusedError, StoreUnavailableError } from "../state/store.ts";
import { defaultPort, type Flags, UsageError } from "./flags.ts";
import { type BuiltIn, findCorefile, loadCorefile, showProblems } from "./load.ts";

/**
 * Starts one by the Corefile, and by what the store has that it names. @param verdicts By node id or address; the others are
 * up. @throws {UsageError}
 */
export async function standAlone(
  values: Flags["values"],
  verdicts: Readonly<Record<string, State>>,
  builtIn: BuiltIn,
): Promise<Server> {
  const loaded = await loadCorefile(
    findCorefile(values.conf as string | undefined),
    builtIn,
    defaultPort(values),
  );
  if (loaded.problems.errors.length > 0) throw new UsageError(showProblems(loaded, Deno.stderr));
  const { globals } = loaded.configuration;
  // Standard output is for the answer, which may be JSON.
  const log = consoleLog({ quiet: true, output: Deno.stderr });
  const fleet = globals.membership && await readStored(globals.membership, log);
  return await Server.start({
    configuration: { ...loaded.configuration, globals: { ...globals, stateDirectory: "" } },
    modules: loaded.modules,
    log,
    writeLine: () => {},
    standAlone: { verdicts },
    ...fleet && { fleet },
  });
}

/** @throws {UsageError} What is left out would look as if it were not there. */
async function readStored(
  membership: MembershipOptions,
  log: ReturnType<typeof consoleLog>,
): Promise<StoredFleet | undefined> {
  const { store: choice } = membership;
  // A server that has never been started has made none.
  if (choice.kind === "sqlite" && !await isThere(choice.file)) return undefined;
  try {
    const store = await openStore(membership);
    try {
      return await StoredFleet.read(store, { membership, log, clock: SYSTEM_CLOCK });
    } finally {
      await store.close();
    }
  } catch (error) {
    if (!(error instanceof StoreRefusedError || error instanceof StoreUnavailableError)) throw error;
    throw new UsageError(`What the fleet shares cannot be read: ${error.message}`);
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await Deno.stat(file);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
