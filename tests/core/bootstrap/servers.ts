/** Nodes and zones on loopback, for what looks for them. @module */

import { startServer } from "../../support/server.ts";

/** A machine that takes connections, as long as it is in use. */
export function nodeAt(hostname: string, port = 0): Disposable & { readonly port: number } {
  const listener = Deno.listen({ hostname, port });
  const serving = (async () => {
    for await (const connection of listener) connection.close();
  })();
  return {
    port: listener.addr.port,
    [Symbol.dispose]: () => {
      listener.close();
      serving.catch(() => {});
    },
  };
}

/** A server of one zone with these lines below its SOA and NS. */
export async function zoneServer(lines: string, zone = "fleet.example", address = "127.0.0.1") {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/zone`,
    `$TTL 60\n@ IN SOA ns1 h 1 2h 30m 2w 30\n@ IN NS ns1\nns1 IN A 127.0.0.1\n${lines}\n`,
  );
  const server = await startServer(`${zone}:1053 {\n    bind ${address}\n    file zone\n}\n`, {
    file: `${folder}/Corefile`,
  });
  return {
    ...server,
    resolvers: [{ address, port: server.port }],
    async [Symbol.asyncDispose]() {
      await server.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
