/**
 * The module that a data worker runs: the answering halves of the plugins, and no more of the program than answers queries.
 *
 * @module
 */

import { runDataWorker } from "../core/server/data_plane/worker.ts";
import { answering } from "./answering.ts";

runDataWorker(answering);
