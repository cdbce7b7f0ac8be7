/**
 * What a server is made of that is not its own.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { State } from "../fleet/verdict.ts";
import type { ServersFleet } from "../membership/link.ts";
import type { LineOctets, Log, PluginModule, ProcessScope } from "../plugin.ts";
import type { Exchange } from "./arrival.ts";
import type { Configuration } from "./configure.ts";
import type { HelperListeners } from "./helper_listeners.ts";
import type { Inheritance } from "./inheritance.ts";
import type { Interface } from "./listen.ts";
import type { Lines } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { Server } from "./server.ts";
import type { Sockets } from "./sockets.ts";

/** What a server is started with. */
export interface ServerOptions {
  readonly configuration: Configuration;
  /** Every plugin there is, in order of execution. */
  readonly modules: readonly PluginModule[];
  readonly log: Log;
  writeLine(line: string): void;
  /** For lines that are made as octets. */
  readonly lines?: LineOctets;
  /** Makes room for the lines of a worker; without it they come as messages. */
  openLines?(): Lines;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Makes a worker that does runDataWorker(); without it all is done in this isolate. */
  makeWorker?(): Worker;
  /** Makes the exchange that this isolate answers by from the server's own. */
  wrapExchange?(exchange: Exchange): Exchange;
  /** Whether it opens the sockets of its configuration; by default it does. `answering.examine` answers in any case. */
  readonly listens?: boolean;
  /** The addresses of the machine, if not those that it has. */
  readonly interfaces?: () => readonly Interface[];
  /** A server that only answers what it is handed: no sockets, no probes, these verdicts by node id or address. */
  readonly standAlone?: { readonly verdicts: Readonly<Record<string, State>> };
  /** The process's metrics and helper listeners, where they outlive the server; else it has its own. */
  readonly metrics?: Metrics;
  readonly helperListeners?: HelperListeners;
  /** Has the log show debug lines until the function that comes back is called. */
  showDebug?(): () => void;
  /** The sockets of the process, where they outlive the server; else it has its own. */
  readonly sockets?: Sockets;
  /** The server of this process that this one is to replace, once it can. */
  readonly replaces?: Server;
  /** What a server of another process hands over, which this one is to replace. */
  readonly inheritance?: Inheritance;
  /** The fleet that it is one server of; absent = it is alone. It outlives the server. */
  readonly fleet?: ServersFleet;
  /** What plugins can ask of the process. */
  readonly process?: Pick<ProcessScope, "requestReload" | "reloadIfChanged" | "identity">;
}
