/**
 * A worker that builds one geography, so that neither queries nor probes wait for it. Its tables are in shared
 * memory: handing them over costs nothing.
 *
 * @module
 */

import { build, type BuildPlan } from "./build.ts";

const port = self as unknown as {
  onmessage: (event: MessageEvent<BuildPlan>) => void;
  postMessage(message: unknown): void;
};

port.onmessage = ({ data }) => port.postMessage(build(data));
