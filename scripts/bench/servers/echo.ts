/** The echo in C: what a server costs that has nothing to do. @module */

import { nativeProgram } from "../native.ts";
import type { Kind } from "../server.ts";

/** The echo. */
export const echo: Kind = {
  name: "echo",
  async version() {
    if (await nativeProgram("echo") === undefined) throw new Error("The echo wants a C compiler, gcc");
    return "";
  },
  async plan({ address }, _folder, port) {
    return { command: [(await nativeProgram("echo"))!, address, String(port)] };
  },
};
