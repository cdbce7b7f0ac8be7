/**
 * A small internet in the network namespace that this is started in: a root, a zone below it and Meridian's own example,
 * all served by Meridian on addresses of their own; Unbound and BIND iterate from that root. Prints what they answered and
 * what they logged as JSON.
 *
 * @module
 */

import { decodeMessage, encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { formatRdata } from "../../../core/dns/rdata.ts";
import { rcodeToText, TYPE, typeToText } from "../../../core/dns/types.ts";
import { commandPath } from "../../../scripts/packages.ts";
import { loadCorefile } from "../../../core/command/load.ts";
import { Server } from "../../../core/server/server.ts";
import { plugins } from "../../../plugins/mod.ts";

const ROOT = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

/** What is asked of every resolver. */
const QUESTIONS: readonly [name: string, type: keyof typeof TYPE][] = [
  ["anycast.example", "SOA"],
  ["anycast.example", "NS"],
  ["anycast.example", "MX"],
  ["anycast.example", "TXT"],
  ["wWw.AnyCast.example", "A"],
  ["www.anycast.example", "AAAA"],
  ["www.anycast.example", "HTTPS"],
  ["entry.anycast.example", "A"],
  ["entry.anycast.example", "AAAA"],
  ["entry.anycast.example", "MX"],
  ["api.anycast.example", "A"],
  ["a.b.c.static.anycast.example", "A"],
  ["static.anycast.example", "A"],
  ["none.anycast.example", "A"],
  ["a.b.none.anycast.example", "TXT"],
  ["deep.below.empty.example", "TXT"],
  ["empty.example", "A"],
  ["big.example", "TXT"],
  ["old.example", "A"],
  ["www.old.example", "A"],
];

const ZONES: Readonly<Record<string, string>> = {
  "root.zone": `$ORIGIN .
@ 3600 SOA a.root.example. hostmaster.example. 1 7200 900 1209600 300
@ 3600 NS a.root.example.
a.root.example. 3600 A 127.0.1.1
example. 3600 NS ns.example.
ns.example. 3600 A 127.0.1.2
`,
  "example.zone": `$ORIGIN example.
@ 3600 SOA ns hostmaster 1 7200 900 1209600 300
@ 3600 NS ns
ns 3600 A 127.0.1.2
a.root 3600 A 127.0.1.1
anycast 3600 NS ns1.anycast
ns1.anycast 3600 A 127.0.1.3
deep.below.empty 60 TXT "here"
old 60 DNAME anycast
${Array.from({ length: 40 }, (_, i) => `big 60 TXT "${"x".repeat(100)} ${i}"`).join("\n")}
`,
  // As in the repository, but at an address of this small internet.
  "anycast.zone": (await Deno.readTextFile(`${ROOT}/zones/anycast.example.zone`))
    .replace(/^(ns[12]\s+IN A\s+)127\.0\.0\.1$/gm, "$1127.0.1.3")
    .replace(/^\s+IN AAAA ::1$/gm, ""),
};

const COREFILE = (folder: string) =>
  `{
    state off
}
. {
    bind 127.0.1.1
    file ${folder}/root.zone .
}
example {
    bind 127.0.1.2
    file ${folder}/example.zone
}
anycast.example {
    bind 127.0.1.3
    geo
    anycast entry.anycast.example {
        nodes ${ROOT}/nodes.yaml
        answers 2
        unknown nearest 50.11 8.68
    }
    file ${folder}/anycast.zone
}
`;

const UNBOUND = (folder: string) =>
  `server:
  directory: "${folder}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  verbosity: 1
  do-ip6: no
  interface: 127.0.2.1@53
  outgoing-interface: 127.0.2.1
  do-not-query-localhost: no
  module-config: "subnetcache iterator"
  send-client-subnet: 127.0.1.3
  max-client-subnet-ipv4: 32
  client-subnet-always-forward: yes
  qname-minimisation: yes
  qname-minimisation-strict: yes
  harden-below-nxdomain: yes
  harden-referral-path: yes
  harden-glue: yes
  use-caps-for-id: yes
  root-hints: "${folder}/root.hints"
`;

const NAMED = (folder: string) =>
  `options {
  directory "${folder}";
  listen-on port 53 { 127.0.2.2; };
  listen-on-v6 { none; };
  query-source address 127.0.2.2;
  pid-file none;
  session-keyfile none;
  dnssec-validation no;
  qname-minimization strict;
  empty-zones-enable no;
  allow-query { any; };
  recursion yes;
};
controls {};
zone "." { type hint; file "${folder}/root.hints"; };
`;

const HINTS = ". 3600000 NS a.root.example.\na.root.example. 3600000 A 127.0.1.1\n";

/** A resolver that runs, and what it logs. */
interface Resolver {
  readonly address: string;
  readonly child: Deno.ChildProcess;
  readonly logged: Promise<string>;
}

async function start(command: string, args: string[], address: string): Promise<Resolver> {
  const child = new Deno.Command((await commandPath(command))!, {
    ...{ args, stdin: "null", stdout: "null", stderr: "piped" },
  }).spawn();
  const logged = new Response(child.stderr).text();
  for (let tries = 0; tries < 1200; tries++) {
    try {
      (await Deno.connect({ hostname: address, port: 53 })).close();
      return { address, child, logged };
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  child.kill("SIGKILL");
  throw new Error(`${command} does not answer:\n${await logged}`);
}

/** A reply as one line: RCODE, then the records of the answer in a fixed order, without TTLs. */
async function ask(address: string, name: string, type: keyof typeof TYPE): Promise<string> {
  const socket = await Deno.connect({ hostname: address, port: 53 });
  const query = encodeMessage(
    makeQuery(7, parseName(name), TYPE[type], {
      edns: { payloadSize: 1232 },
      recursionDesired: address.startsWith("127.0.2"),
    }),
  );
  await socket.write(Uint8Array.from([query.length >> 8, query.length & 255, ...query]));
  const octets = new Uint8Array(65_537);
  let end = 0;
  while (end < 2 || end < 2 + (octets[0]! << 8 | octets[1]!)) {
    const read = await socket.read(octets.subarray(end));
    if (read === null) throw new Error(`${address} closed the connection`);
    end += read;
  }
  socket.close();
  const { rcode, answer } = decodeMessage(octets.slice(2, end));
  const records = answer.map(({ type, rdata }) => `${typeToText(type)} ${formatRdata(type, rdata)}`);
  return `${rcodeToText(rcode)} ${records.map((text) => text.toLowerCase()).sort().join("; ")}`;
}

async function ip(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

await ip("link", "set", "lo", "up");
// BIND listens only where an interface has the address.
await ip("address", "add", "127.0.2.2/8", "dev", "lo");
const folder = await Deno.makeTempDir();
for (const [name, text] of Object.entries(ZONES)) await Deno.writeTextFile(`${folder}/${name}`, text);
await Deno.writeTextFile(`${folder}/root.hints`, HINTS);
await Deno.writeTextFile(`${folder}/unbound.conf`, UNBOUND(folder));
await Deno.writeTextFile(`${folder}/named.conf`, NAMED(folder));
await Deno.writeTextFile(`${folder}/Corefile`, COREFILE(folder));

const file = `${folder}/Corefile`;
const loaded = await loadCorefile({ file, text: COREFILE(folder) }, plugins, 53);
if (loaded.problems.errors.length > 0) throw new Error(loaded.problems.errors[0]!.message);
const complaints: string[] = [];
const note = (message: string) => void complaints.push(message);
const server = await Server.start({
  configuration: loaded.configuration,
  modules: plugins,
  log: { debug() {}, info() {}, warn: note, error: note },
  writeLine() {},
});
const resolvers = {
  unbound: await start("unbound", ["-d", "-c", `${folder}/unbound.conf`], "127.0.2.1"),
  named: await start("named", ["-g", "-c", `${folder}/named.conf`], "127.0.2.2"),
};
const answers: Record<string, Record<string, string>> = {};
for (const [name, type] of QUESTIONS) {
  const found: Record<string, string> = {};
  for (const [resolver, { address }] of Object.entries(resolvers)) {
    found[resolver] = await ask(address, name, type);
  }
  answers[`${name} ${type}`] = found;
}
const logs: Record<string, string> = {};
for (const [name, { child, logged }] of Object.entries(resolvers)) {
  child.kill("SIGTERM");
  await child.status;
  logs[name] = await logged;
}
await server.close();
await Deno.remove(folder, { recursive: true });
console.log(JSON.stringify({ answers, logs, complaints }));
