/**
 * What CoreDNS has that is not here, and what is here but not the same.
 *
 * @module
 */

/** A way in which a plugin here behaves otherwise. */
export interface Difference {
  /** Told instead of the plugin's name. */
  readonly what?: string;
  readonly why: string;
  /** Whether it matters, given the directive's arguments and the lines of its block. */
  applies(args: readonly string[], lines: readonly (readonly string[])[]): boolean;
}

/** Why CoreDNS's plugins that are not here are not. */
const ABSENT: Readonly<Record<string, string>> = {
  kubernetes:
    "names of a Kubernetes cluster come from its API, which nothing here asks: forward them to CoreDNS",
  k8s_external: "it goes with kubernetes",
  autopath: "it goes with kubernetes",
  etcd: "no records are read from etcd",
  route53: "no records are read from a cloud provider: a zone file can take them",
  azure: "no records are read from a cloud provider: a zone file can take them",
  clouddns: "no records are read from a cloud provider: a zone file can take them",
  nomad: "no records are read from Nomad",
  grpc: "queries go upstream by forward: over UDP, TCP, TLS or HTTPS",
  secondary: "zones are not transferred in: copy the file, and let file or auto watch it",
  transfer: "zones are not transferred out",
  tsig: "messages are not signed",
  sign: "zones are signed beforehand, by another program",
  dnssec: "answers are not signed here",
  tls: "only plain DNS is served",
  https: "only plain DNS is served",
  https3: "only plain DNS is served",
  quic: "only plain DNS is served",
  grpc_server: "only plain DNS is served",
  proxyproto: "the PROXY protocol is not read",
  multisocket: "sockets are as many as make sense",
  shed: "the server bounds its own work",
  pprof: "Go's profiles are Go's",
  on: "no commands are run",
  dynupdate: "zones are not changed by UPDATE",
};

/** Why a plugin of that name is not here. */
export function whyNotHere(name: string): string {
  return ABSENT[name] ?? "there is no plugin of that name here";
}

const OPTIONS: Readonly<Record<string, string>> = {
  "prometheus tls": "metrics are served over plain HTTP",
};

/** Why an option of a plugin is not here. */
export function whyNoOption(plugin: string, option: string): string {
  return OPTIONS[`${plugin} ${option}`] ?? `${plugin} has no such option here`;
}

const always = () => true;
const has = (option: string) => (_: readonly string[], lines: readonly (readonly string[])[]) =>
  lines.some(([name]) => name === option);

const lacks = (option: string): Difference["applies"] => (args, lines) => !has(option)(args, lines);

/** By directive, what a person should know who comes from CoreDNS. */
export const DIFFERENCES: Readonly<Record<string, readonly Difference[]>> = {
  file: [
    {
      why: "a zone file that is missing or wrong keeps the server from starting; CoreDNS tries again",
      applies: always,
    },
    { why: "an alias that leaves the zone is not followed; CoreDNS asks itself for it", applies: always },
  ],
  auto: [{
    why: "a zone goes when its file is missed twice, a second apart; hidden files are passed over",
    applies: always,
  }],
  hosts: [{
    why: "a wildcard does not apply to a name that has a line of its own",
    applies: (_, lines) => lines.flat().some((word) => word.startsWith("*.")),
  }],
  cache: [{
    why: "TTLs below 5 s stay as they are; CoreDNS raises them to 5 s in the answer too",
    applies: always,
  }],
  forward: [
    { why: "there is a max_concurrent of its own; CoreDNS has none", applies: lacks("max_concurrent") },
    { why: "an upstream is down after exactly max_fails failures; CoreDNS wants one more", applies: always },
  ],
  loop: [{ why: "a loop is reported in the log; CoreDNS ends the process", applies: always }],
  geoip: [
    { why: "ECS is taken too; `ecs off` leaves it", applies: lacks("edns-subnet") },
    { why: "the database is read again when it changes, and there may be several", applies: always },
  ],
  any: [{ why: "names that do not exist are NXDOMAIN; CoreDNS gives them HINFO too", applies: always }],
  chaos: [{ why: "the default version is Meridian's", applies: (args) => args.length === 0 }],
  template: [{
    why: "expressions are those of this server: `meridian check` shows what is not understood",
    applies: has("expr"),
  }],
};
