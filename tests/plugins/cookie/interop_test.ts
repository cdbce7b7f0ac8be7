import assert from "node:assert/strict";
import { decodeMessage, encodeMessage, makeQuery, type Message } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { commandPath, havePackages } from "../../../scripts/packages.ts";
import { askRaw } from "../../support/raw_udp.ts";
import { freePort, startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf", CLIENT = "0123456789abcdef";
const NAME = "mail.anycast.example", NOERROR = 0, BADCOOKIE = 23;

/** Meridian that turns away whoever has no good cookie. */
const COREFILE = `anycast.example:1053 {
    bind 127.0.0.1
    cookie {
        secret ${SECRET}
        require
    }
    file zones/anycast.example.zone
}`;

/** Asks with a cookie, given in hex, and tells the RCODE and the cookie that comes back. */
async function ask(
  port: number,
  cookie: string,
  timeoutMs = 20_000,
): Promise<{ rcode: number; cookie: string | undefined }> {
  const options = [{ code: 10, data: Uint8Array.fromHex(cookie) }];
  const query = makeQuery(Math.floor(Math.random() * 65_536), parseName(NAME), TYPE.A, { edns: { options } });
  const octets = await askRaw(port, encodeMessage(query), timeoutMs);
  const { rcode, edns }: Message = decodeMessage(octets);
  const option = edns?.options.find(({ code }) => code === 10);
  return { rcode, cookie: option?.data.toHex() };
}

/** What is written into the folder of a server of others, and how it is started. */
interface Setup {
  readonly configuration: string;
  readonly command: readonly string[];
}

/** Knot with the same secret, which answers BADCOOKIE likewise. */
function knotIn(folder: string, port: number): Setup {
  const configuration = `server:
  listen: 127.0.0.1@${port}
  rundir: ${folder}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
control:
  listen: ${folder}/knot.sock
database:
  storage: ${folder}
mod-cookies:
- id: shared
  secret: 0x${SECRET}
  badcookie-slip: 1
template:
- id: default
  global-module: mod-cookies/shared
zone:
- domain: anycast.example
  file: ${folder}/zone
  journal-content: none
  zonefile-sync: -1
`;
  return { configuration, command: ["knotd", "-c", `${folder}/conf`] };
}

/** BIND, the same. */
function bindIn(folder: string, port: number): Setup {
  const configuration = `options {
  directory "${folder}";
  pid-file none;
  session-keyfile "${folder}/session.key";
  managed-keys-directory "${folder}";
  listen-on port ${port} { 127.0.0.1; };
  listen-on-v6 { none; };
  recursion no;
  cookie-algorithm siphash24;
  cookie-secret "${SECRET}";
  require-server-cookie yes;
};
controls { };
zone "anycast.example" { type primary; file "${folder}/zone"; };
`;
  return { configuration, command: ["named", "-f", "-4", "-n", "1", "-c", `${folder}/conf`] };
}

async function startOther(make: typeof knotIn) {
  const port = freePort(), folder = await Deno.makeTempDir({ prefix: "meridian-cookie-" });
  const zone = await Deno.readTextFile(new URL("../../../zones/anycast.example.zone", import.meta.url));
  const { configuration, command: [program, ...args] } = make(folder, port);
  await Deno.writeTextFile(`${folder}/zone`, zone);
  await Deno.writeTextFile(`${folder}/conf`, configuration);
  const quiet = { stdin: "null", stdout: "null", stderr: "null" } as const;
  const child = new Deno.Command((await commandPath(program!))!, { args, ...quiet }).spawn();
  const stop = async () => {
    child.kill("SIGTERM");
    await child.status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    const answers = () => ask(port, CLIENT, 500).then(({ cookie }) => cookie !== undefined, () => false);
    await until(`${program} answers`, answers);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

for (const [name, debian, make] of [["Knot", "knot", knotIn], ["BIND", "bind9", bindIn]] as const) {
  Deno.test(`a cookie that ${name} gave is good here, and one given here is good for ${name}`, async () => {
    if (!await havePackages([debian])) return;
    const meridian = await startServer(COREFILE), other = await startOther(make);
    try {
      for (const [giver, taker] of [[meridian, other], [other, meridian]] as const) {
        const given = await ask(giver.port, CLIENT);
        assert.deepEqual([given.rcode, given.cookie?.length, given.cookie?.slice(0, 16)], [
          BADCOOKIE,
          48,
          CLIENT,
        ]);
        assert.equal((await ask(taker.port, given.cookie!)).rcode, NOERROR);
        // A bit of the hash is another.
        const forged = given.cookie!.slice(0, -1) + (given.cookie!.endsWith("0") ? "1" : "0");
        assert.equal((await ask(taker.port, forged)).rcode, BADCOOKIE);
      }
    } finally {
      await other.stop();
      await meridian.close();
    }
  });
}

Deno.test("dig learns a cookie from BADCOOKIE, and finds it good", async () => {
  if (!await havePackages(["bind9-dnsutils"])) return;
  const server = await startServer(COREFILE);
  try {
    const { stdout } = await new Deno.Command("dig", {
      args: ["@127.0.0.1", "-p", String(server.port), `+cookie=${CLIENT}`, "+noall", "+comments", NAME, "A"],
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.match(text, /BADCOOKIE, retrying/);
    assert.match(text, /status: NOERROR/);
    assert.match(text, new RegExp(`COOKIE: ${CLIENT}01000000[0-9a-f]{24} \\(good\\)`));
  } finally {
    await server.close();
  }
});
