/** Listens at the address it is given, until it is ended: to be run with few file descriptors. @module */

import { HelperListeners, Mounts } from "../../../core/server/helper_listeners.ts";

const mounts = new Mounts(new HelperListeners({ error: (message) => console.log(message) }));
await mounts.add({ address: Deno.args[0]!, path: "/ready", handler: () => new Response("OK") }, "ready");
console.log("open");
