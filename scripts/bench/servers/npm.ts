/** Servers from npm, under Node.js: dns2, and DinoDNS. They answer from a table in memory. @module */

import { cacheFolder } from "../cache_folder.ts";
import { hostAddress, hostLabel, NAMES, ZONE } from "../fleet.ts";
import type { Kind } from "../server.ts";
import { programPath } from "./debian.ts";

/** The last release of dns2 before its rewrite is the one that is in use; both are measured. */
const PACKAGES = { "dns2": "dns2@3.1.1", "dns2-v2": "dns2@2.1.0", "dinodns": "dinodns@0.0.13" } as const;

const TABLE = Object.fromEntries(
  Array.from({ length: NAMES }, (_, i) => [`${hostLabel(i)}.${ZONE}`, hostAddress(i)]),
);

const dns2Script = (port: number, name: string) => `
const dns2 = require("${name}"), table = ${JSON.stringify(TABLE)};
const server = dns2.createServer({ udp: true, handle(request, send) {
  const response = dns2.Packet.createResponseFromRequest(request), [{ name }] = request.questions;
  const address = table[name];
  if (address) response.answers.push({ name, type: dns2.Packet.TYPE.A, class: dns2.Packet.CLASS.IN, ttl: 60, address });
  else response.header.rcode = 3;
  send(response);
} });
server.listen({ udp: { port: ${port}, address: "127.0.0.1", type: "udp4" } });
`;

const SCRIPTS: Record<keyof typeof PACKAGES, (port: number, name: string) => string> = {
  "dns2": dns2Script,
  "dns2-v2": dns2Script,
  "dinodns": (port) => `
const { common, plugins } = require("dinodns"), table = ${JSON.stringify(TABLE)};
const store = new plugins.storage.DefaultStore();
for (const [name, address] of Object.entries(table)) store.set(name, "A", address);
const server = new common.DefaultServer({
  networks: [new common.DNSOverUDP({ address: "127.0.0.1", port: ${port} })],
});
server.use(store.handler);
server.start(() => {});
`,
};

function fromNpm(name: keyof typeof PACKAGES): Kind {
  return {
    name,
    async version() {
      await programPath("node");
      await installed();
      return PACKAGES[name].split("@")[1]!;
    },
    async plan(_job, folder, port) {
      const path = `${folder}/server.cjs`;
      await Deno.writeTextFile(path, SCRIPTS[name](port, name));
      return {
        command: [await programPath("node"), path],
        env: { NODE_PATH: `${await installed()}/node_modules` },
      };
    },
  };
}

/** dns2, as it is now. */
export const dns2: Kind = fromNpm("dns2");

/** dns2, as it was until its rewrite. */
export const dns2v2: Kind = fromNpm("dns2-v2");

/** DinoDNS. */
export const dinodns: Kind = fromNpm("dinodns");

/** The folder with all packages, by the names above; brings them the first time. */
async function installed(): Promise<string> {
  const folder = await cacheFolder("npm"), wanted = Object.entries(PACKAGES);
  const found = await Promise.all(wanted.map(async ([name, specifier]) => {
    const text = await Deno.readTextFile(`${folder}/node_modules/${name}/package.json`).catch(() => "{}");
    const { name: is, version } = JSON.parse(text);
    return `${is}@${version}` === specifier;
  }));
  if (found.every(Boolean)) return folder;
  const args = ["install", "--no-audit", "--no-fund", "--silent", "--prefix", folder];
  const packages = wanted.map(([name, specifier]) => `${name}@npm:${specifier}`);
  const { success } = await new Deno.Command("npm", { args: [...args, ...packages] }).output();
  if (!success) throw new Error(`npm could not install ${packages.join(" and ")}`);
  return folder;
}
