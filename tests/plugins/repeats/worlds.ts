/**
 * Server blocks to hold plugins to their word in: each plugin in several settings, above and below others.
 *
 * @module
 */

import { type Answer, emptyAnswer, INDEPENDENT, type PluginModule } from "../../../core/plugin.ts";
import { formatName, ROOT } from "../../../core/dns/name.ts";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import { NOW_MS } from "../../core/fleet/make.ts";
import { importZone } from "../../../core/management/zone_transfer.ts";
import type { SharedZone } from "../../../core/zone/shared_zone.ts";
import { ANNA, emptyWorld } from "../../core/management/support.ts";
import { followed } from "../managed/shared_zones.ts";
import { GEOGRAPHY } from "../../support/block.ts";
import { VirtualServer } from "../../support/virtual_server.ts";

/** What is written to files for the time of a test. */
const FILES: Readonly<Record<string, string>> = {
  zone: `
$ORIGIN example.org.
$TTL 300
@ SOA ns host 1 2 3 4 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.1
www A 192.0.2.2
www A 192.0.2.3
www AAAA 2001:db8::1
www MX 10 ns
www MX 20 www
old CNAME www
*.wild A 192.0.2.5
*.wild A 192.0.2.6
*.wild MX 10 aaa.wild
*.far CNAME www
dn DNAME wild
cut NS ns.cut
cut DS 1 13 2 ${"00".repeat(32)}
ns.cut A 192.0.2.7
a.ent TXT text
_sip._tcp SRV 0 0 5060 www
`,
  sub: `
$ORIGIN sub.example.org.
$TTL 300
@ SOA ns host 1 2 3 4 60
@ NS ns
ns A 192.0.2.54
aaa A 192.0.2.55
`,
  hosts: "192.0.2.80 hst.example.org\n2001:db8::80 hst.example.org www.example.org\n",
  overlaid: `nodes:
  - { id: a, addresses: [192.0.2.1], location: { latitude: 50, longitude: 8 }, overlay: [203.0.113.20] }
  - { id: b, addresses: [192.0.2.5], location: { latitude: 1, longitude: 2 } }
`,
  weights: "www.example.org\n192.0.2.1 9\n192.0.2.2 1\n",
};

/** The names that are asked for: of one length, so that one may be taken for another. */
export const NAMES: readonly string[] = [
  ...["aaa", "bbb", "www", "hst", "old", "cut", "ent", "sub", "dn", "ns", "xx"],
  ...["aaa.wild", "bbb.wild", "www.wild", "aaa.far", "bbb.far", "aaa.dn", "bbb.dn", "a.ent", "b.ent"],
  ...["aaa.cut", "ns.cut", "aa.cut", "bb.cut", "aaa.sub", "bbb.sub", "aaa.aaa", "bbb.bbb", "bbb.aaa"],
  ...["localhost", "host_aaaa", "host", "tsoh", "a.localhost", "b.localhost", "_sip._tcp"],
].map((name) => `${name}.example.org`);

export const TYPES: readonly string[] = ["A", "MX", "ANY", "DS"];

/** A Corefile in which \`%zone\`, \`%hosts\` and the like stand for files. */
export interface World {
  readonly name: string;
  readonly corefile: string;
  /** Other names, beside those above. */
  readonly names?: readonly string[];
  readonly types?: readonly string[];
  /** Whether it is one of a fleet, whose store nobody follows here. */
  readonly sharesState?: true;
}

const block = (plugins: string, zones = "example.org:1053") => `${zones} {\n${plugins}\n}\n`;

/** Plugins over the zone. */
const over = (name: string, plugins: string): World => ({
  name,
  corefile: block(`${plugins}\nfile %zone example.org`),
});

/** Over an upstream and its cache. */
const forwarded = (name: string, plugins: string, more: Partial<World> = {}): World => ({
  name,
  corefile: block(`${plugins}\ncache\nforward . 192.0.2.9`, ".:1053"),
  ...more,
});

const REVERSE = ["1.2.0.192.in-addr.arpa", "2.2.0.192.in-addr.arpa", "1.0.0.127.in-addr.arpa"];
const V6_REVERSE = `${[..."1020000c"].map((nibble) => `${nibble}.`).join("")}${
  "0.".repeat(16)
}b.9.f.f.4.6.0.0.ip6.arpa`;

export const WORLDS: readonly World[] = [
  over("file alone", ""),
  over(
    "what observes and bounds",
    "errors\nprometheus 127.0.0.1:9153\ncancel\nbufsize 512\nnsid me\ncookie\nloop",
  ),
  over("any, minimal", "any\nminimal"),
  over("minimal, header", "minimal\nheader {\n response set ra\n response clear aa\n query set cd\n}"),
  over("chaos", "chaos Version Author1 Author2"),
  over("acl by type and source", "acl {\n block type MX\n filter type A net 203.0.113.0/24\n}"),
  over("acl by zone", "acl aaa.example.org {\n block\n}\nacl wild.example.org {\n drop type ANY\n}"),
  over("rrl", "rrl {\n responses-per-second 1000000\n}"),
  over("rrl by zone", "rrl aaa.example.org {\n responses-per-second 1000000\n}"),
  over("local", "local"),
  over("loadbalance", "loadbalance"),
  over("loadbalance, weighted", "loadbalance weighted %weights {\n prefer 192.0.2.2/32\n}"),
  over("loadbalance, weighted, by place", "geo\nloadbalance weighted %weights"),
  over("ttl", "ttl 5s 60s"),
  over("rewrite of names", "rewrite name exact aaa.example.org www.example.org\nrewrite type ANY A"),
  over(
    "rewrite of all else",
    "rewrite continue ttl regex .* 20-30\nrewrite continue rcode suffix example.org. NXDOMAIN REFUSED\n" +
      "rewrite continue cname exact www.example.org. ns.example.org.\nrewrite edns0 subnet set 24 56",
  ),
  over("rewrite of options", "rewrite edns0 local set 0xfff0 {client_ip}"),
  { ...over("dns64", "dns64 2001:db8:64::/96 {\n allow_ipv4\n}"), types: ["A", "AAAA"] },
  { ...over("dns64 of IPv6 alone", "dns64 2001:db8:64::/96"), types: ["A", "AAAA"] },
  over(
    "template",
    'template IN A aaa.example.org bbb.example.org {\n answer "{{ .Name }} 60 IN A 192.0.2.99"\n fallthrough\n}\n' +
      'template IN MX {\n match "^b.*"\n answer "{{ .Name }} 60 IN TXT {{ .Question.Name }} {{ .Question.Qtype }}"\n fallthrough\n}\n' +
      "template IN DS {\n expr client_ip() == '198.51.100.7'\n answer \"{{ .Name }} 60 IN TXT {{ .Remote }}\"\n fallthrough\n}",
  ),
  over("hosts", "hosts %hosts {\n fallthrough\n}"),
  over("log, dnstap", "log\ndnstap tcp://127.0.0.1:1"),
  over("whoami below", "whoami"),
  {
    name: "zones one below the other",
    corefile: block(
      "file %zone example.org {\n fallthrough\n}\nfile %sub sub.example.org\nauto example.org {\n directory %folder zz\\.(.*) {1}\n}",
    ),
  },
  { name: "managed zones, one below the other", corefile: block("managed"), sharesState: true },
  {
    name: "managed zones by name, a pool beside them, and what follows",
    corefile: block(
      "geo\nanycast www.far.example.org {\n nodes nodes.yaml\n}\nmanaged sub.example.org far.example.org\nwhoami",
    ),
    sharesState: true,
  },
  {
    name: "a zone for a part of what it has",
    corefile: block("file %zone example.org", "sub.example.org:1053") + block("whoami", "example.org:1053"),
  },
  {
    name: "views",
    corefile: block("view one {\n expr name() == 'aaa.example.org.'\n}\nwhoami") +
      block("view two {\n expr type() == 'MX' && client_ip() == '198.51.100.7'\n}\nhosts %hosts") +
      block("view three {\n expr proto() == 'tcp' || do()\n}\nfile %zone example.org\nminimal") +
      block("file %zone example.org"),
  },
  {
    name: "views by name alone",
    corefile: block("view one {\n expr name() == 'aaa.example.org.'\n}\nwhoami") +
      block("file %zone example.org"),
  },
  {
    name: "any over a zone beside an upstream",
    corefile: block("any\ncache\nfile %zone example.org {\n fallthrough\n}\nforward . 192.0.2.9"),
  },
  {
    name: "blocks one below the other",
    corefile: block("file %zone example.org") + block("file %sub sub.example.org", "sub.example.org:1053") +
      block("whoami", "bbb.aaa.example.org:1053"),
  },
  { name: "hosts alone", corefile: block("hosts %hosts", ".:1053"), names: REVERSE, types: ["A", "PTR"] },
  {
    name: "local at the root",
    corefile: block("local\nwhoami", ".:1053"),
    names: ["localhost", "a.localhost", ...REVERSE],
    types: ["A", "PTR"],
  },
  {
    name: "views by place",
    corefile:
      block("geo\nmetadata\nview near {\n expr metadata('geoip/city/name') == 'Frankfurt'\n}\nwhoami") +
      block("geo\nfile %zone example.org"),
  },
  {
    name: "pools",
    corefile: block(
      "geo\nanycast www.wild.example.org {\n nodes nodes.yaml\n}\nhealth {\n check tcp 1\n}\nttl 1s 60s strict\nprometheus 127.0.0.1:9153\nfile %zone example.org",
    ),
  },
  {
    name: "views of an overlay",
    corefile: block(
      "formation {\n overlay 203.0.113.0/24\n}\ngeo\nloadbalance\nanycast www.wild.example.org {\n nodes %overlaid\n}\nfile %zone example.org",
    ),
    sharesState: true,
  },
  forwarded("cache", "errors\nprometheus 127.0.0.1:9153\nloop"),
  forwarded("cache, prefetch", "", {
    corefile: block("cache {\n prefetch 1 1m 50%\n}\nforward . 192.0.2.9", ".:1053"),
  }),
  forwarded("cache, served stale", "", {
    corefile: block("cache {\n serve_stale 1h immediate\n}\nforward . 192.0.2.9", ".:1053"),
  }),
  forwarded("any and minimal over cache", "any\nminimal\nloadbalance\nheader {\n response clear ra\n}"),
  forwarded(
    "rewrite over cache",
    "rewrite continue ttl suffix wild.example.org. 100-200\nrewrite name exact aaa.example.org www.example.org",
  ),
  forwarded("dns64 over cache", "dns64 {\n allow_ipv4\n}", {
    names: [V6_REVERSE],
    types: ["A", "AAAA", "PTR"],
  }),
  forwarded(
    "template over forward",
    'template IN MX {\n answer "{{ .Name }} 60 IN MX 10 ns.example.org."\n}\ntemplate IN DS {\n match ^a\n answer "{{ .Name }} 60 IN CNAME www.example.org."\n fallthrough\n}',
  ),
  {
    name: "a zone beside a cache",
    corefile: block("cache\nfile %zone example.org {\n fallthrough\n}\nforward . 192.0.2.9", ".:1053"),
  },
];

/** An upstream without a network: it answers at once, as `forward` answers later. */
function upstream(): NonNullable<PluginModule["answerer"]> {
  return () => ({
    name: "forward",
    answer({ name, question, edns, checkingDisabled }): Answer {
      const text = formatName(name),
        said = (lines: Partial<Answer>, rcode: number = RCODE.NOERROR) =>
          emptyAnswer(rcode, {
            momentary: true,
            recursionAvailable: true,
            dependence: { ...INDEPENDENT, keys: ["do", "cd"] },
            ...lines,
          });
      const record = (type: number, ttl: number, ...rdata: number[]) => ({
        name: question.name,
        type,
        ttl,
        rdata: [Uint8Array.from(rdata)],
      });
      const soa = { ...record(TYPE.SOA, 900, 0, 0, ...Array(19).fill(0), 60), name: ROOT };
      if (text.startsWith("b")) return said({ authority: [soa] }, RCODE.NXDOMAIN);
      if (text.startsWith("h")) return said({}, RCODE.SERVFAIL);
      if (question.type !== TYPE.A && question.type !== TYPE.ANY) return said({ authority: [soa] });
      return said({
        answer: [record(TYPE.A, 300, 192, 0, 2, edns?.dnssecOk ? 1 : checkingDisabled ? 2 : 3)],
        authority: [{ ...record(TYPE.NS, 45, 0), name: soa.name }],
      });
    },
  });
}

/** The store of a fleet has a zone, and one below it. */
async function managedZones(): Promise<readonly SharedZone[]> {
  const world = emptyWorld();
  await importZone(world, "example.org.", FILES["zone"]!, ANNA);
  await importZone(world, "sub.example.org.", FILES["sub"]!, ANNA);
  return Object.values(followed(world.store)).filter((zone) => zone !== null);
}

/** Starts a world, `more` standing above all plugins. */
export async function startWorld(
  { corefile, sharesState }: Pick<World, "corefile" | "sharesState">,
  more: readonly PluginModule[] = [],
): Promise<{ readonly virtual: VirtualServer; close(): Promise<void> }> {
  const folder = await Deno.makeTempDir();
  let text = corefile.replaceAll("%folder", folder);
  for (const [name, content] of Object.entries(FILES)) {
    await Deno.writeTextFile(`${folder}/${name}`, content);
    text = text.replaceAll(`%${name}`, `${folder}/${name}`);
  }
  await Deno.writeTextFile(
    `${folder}/zz.bbb.example.org`,
    FILES["sub"]!.replace("sub.example.org", "bbb.example.org"),
  );
  const zones = await managedZones();
  const stand: Readonly<Record<string, (module: PluginModule) => PluginModule>> = {
    forward: (module) => ({ ...module, answerer: upstream() }),
    managed: (module) => ({
      ...module,
      start: (config, scope) =>
        module.start?.(config, {
          ...scope,
          fleet: {
            ...scope.fleet,
            onPools: (listener) => scope.fleet.onPools(listener),
            onZones: (listener) => listener(zones),
          },
        }),
    }),
  };
  const virtual = await VirtualServer.start({
    corefile: `{\n    state off\n${sharesState ? `state sqlite ${folder}/fleet.db` : ""}\n}\n${text}`,
    startMs: NOW_MS,
    geography: GEOGRAPHY,
    partitions: false,
    random: () => 0.5,
    script: () => ({ durationMs: 1 }),
    change: (modules) => [
      ...more,
      ...modules.map((module) => stand[module.name]?.(module) ?? module),
    ],
  });
  return {
    virtual,
    async close() {
      await virtual.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
}
