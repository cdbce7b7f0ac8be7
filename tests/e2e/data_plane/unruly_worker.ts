/** A data worker with a plugin that does harm: to be run in place of plugins/worker.ts. @module */

import { runDataWorker } from "../../../core/server/data_plane/worker.ts";
import { answering } from "../../../plugins/answering.ts";

runDataWorker({ ...answering, whoami: new URL("unruly_whoami.ts", import.meta.url) });
