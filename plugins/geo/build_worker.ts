/**
 * A worker that builds one geography or writes one down, so that neither queries nor probes wait for it. Its tables are in
 * shared memory: handing them over costs nothing.
 *
 * @module
 */

import { build, type BuildPlan } from "./build.ts";
import { tryWriteKept } from "./kept.ts";
import type { Writing } from "./write_later.ts";

/** What it is to do: it answers with the outcome of {@linkcode build}, or with why something could not be written. */
export type GeoWork = { readonly build: BuildPlan } | { readonly write: Writing };

const port = self as unknown as {
  onmessage: (event: MessageEvent<GeoWork>) => void;
  postMessage(message: unknown): void;
};

port.onmessage = ({ data }) => {
  port.postMessage("build" in data ? build(data.build) : tryWriteKept(data.write.path, data.write.geography));
};
