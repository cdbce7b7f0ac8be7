import assert from "node:assert/strict";
import { consoleLog } from "../../../core/server/log.ts";
import { startServer } from "../../support/server.ts";

Deno.test("a data worker's lines reach the log, those of repeated replies like the others", async () => {
  let text = "";
  const write = (octets: Uint8Array) => (text += new TextDecoder().decode(octets), octets.length);
  const output = { write: (octets: Uint8Array) => Promise.resolve(write(octets)), writeSync: write };
  const log = consoleLog({ colour: false, output });
  const corefile = `anycast.example:1053 {
    bind 127.0.0.1
    log . "{name} {type} {rcode} {rsize} {remote} {ecs}"
    file zones/anycast.example.zone
}
`;
  const server = await startServer(corefile, { workers: 1, openLines: () => log.openLines() });
  const sizes: number[] = [];
  try {
    for (
      const name of [
        "www.anycast.example",
        "nx1.anycast.example",
        "nx2.anycast.example",
        "WWW.anycast.example",
      ]
    ) {
      for (const subnet of ["192.0.2.0/24", "198.51.100.0/24"]) {
        const { answer } = await server.ask(name, "A", { subnet });
        sizes.push(answer.length);
      }
    }
  } finally {
    await server.close();
  }
  await log.flush();
  assert.deepEqual(sizes, [2, 2, 0, 0, 0, 0, 2, 2]);
  const lines = text.trimEnd().split("\n").map((line) => line.replace(/ \d+ 127/, " _ 127"));
  const said = (name: string, rcode: string) =>
    ["192.0.2.0/24", "198.51.100.0/24"].map((subnet) => `[INFO] ${name} A ${rcode} _ 127.0.0.1 ${subnet}`);
  assert.deepEqual(lines, [
    ...said("www.anycast.example.", "NOERROR"),
    ...said("nx1.anycast.example.", "NXDOMAIN"),
    ...said("nx2.anycast.example.", "NXDOMAIN"),
    ...said("www.anycast.example.", "NOERROR"),
  ]);
});
