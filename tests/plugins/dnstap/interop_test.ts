import assert from "node:assert/strict";
import { havePackages } from "../../../scripts/packages.ts";
import { freePort, startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { dataFrames, decodeFields } from "./collector.ts";

const hasPrograms = await havePackages(["fstrm-bin", "dnstap-ldns"]);

for (const transport of ["unix", "tcp"] as const) {
  Deno.test({
    name: `fstrm_capture takes what dnstap sends over ${transport}, and dnstap-ldns reads it`,
    ignore: !hasPrograms,
    async fn() {
      const folder = await Deno.makeTempDir();
      const port = freePort();
      const where = transport === "unix"
        ? ["-u", `${folder}/tap.sock`]
        : ["-a", "127.0.0.1", "-p", `${port}`];
      const capture = new Deno.Command("fstrm_capture", {
        args: ["-t", "protobuf:dnstap.Dnstap", ...where, "-w", `${folder}/queries.tap`],
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        await until("fstrm_capture to listen", () => isListening(transport, folder, port));
        const socket = transport === "unix" ? `unix://${folder}/tap.sock` : `tcp://127.0.0.1:${port}`;
        const server = await startServer(
          `anycast.example:1053 {\n bind 127.0.0.1\n dnstap ${socket} full {\n identity ns1\n }\n file zones/anycast.example.zone\n}\n`,
        );
        await server.ask("www.anycast.example", "A");
        await server.ask("missing.anycast.example", "TXT", { transport: "tcp" });
        const sent = `meridian_dnstap_sent_total{to="${socket}"}`;
        await until("the messages to be sent", () => server.server.metrics.snapshot()[sent] === 4);
        await server.close();
      } finally {
        capture.kill("SIGTERM");
        await capture.status;
      }
      const frames = dataFrames(await Deno.readFile(`${folder}/queries.tap`));
      assert.deepEqual(
        frames.map((frame) => decodeFields(decodeFields(frame).get(14) as Uint8Array).get(1)),
        [
          ...[1, 2, 1, 2],
        ],
      );
      const { stdout } = await new Deno.Command("dnstap-ldns", {
        args: ["-y", "-r", `${folder}/queries.tap`],
      }).output();
      const text = new TextDecoder().decode(stdout);
      assert.equal(text.match(/type: AUTH_QUERY/g)?.length, 2);
      assert.equal(text.match(/socket_protocol: TCP/g)?.length, 2);
      assert.match(text, /identity: "?ns1/);
      assert.match(text, /missing\.anycast\.example\.\s+IN\s+TXT/);
      assert.match(text, /NXDOMAIN/);
      await Deno.remove(folder, { recursive: true });
    },
  });
}

async function isListening(transport: "unix" | "tcp", folder: string, port: number): Promise<boolean> {
  try {
    const connection = transport === "unix"
      ? await Deno.connect({ transport, path: `${folder}/tap.sock` })
      : await Deno.connect({ hostname: "127.0.0.1", port });
    connection.close();
    return true;
  } catch {
    return false;
  }
}
