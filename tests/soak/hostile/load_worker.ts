/**
 * Clients of every kind, from many loopback addresses at once, until they are ended: who asks as resolvers do, and who would
 * have the server spend what it has. Says every second what was asked and answered.
 *
 * @module
 */

import { encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { TYPE } from "../../../core/dns/types.ts";
import { encodeQuery } from "../../support/server.ts";
import { Clients, mangled, pick, type Tally } from "./clients.ts";

interface WorkerSelf {
  postMessage(message: Tally): void;
  onmessage: (event: MessageEvent<{ port: number }>) => void;
}

const self = globalThis as unknown as WorkerSelf;

const octet = () => Math.floor(Math.random() * 256);
const network = () => `${1 + (octet() % 223)}.${octet()}.${octet()}.0/24`;

/** Names that exist, that do not, that are forwarded, that are never the same. */
const NAMES: readonly (() => string)[] = [
  () => "entry.anycast.example",
  () => "www.anycast.example",
  () => "api.anycast.example",
  () => `x${Math.random()}.anycast.example`,
  () => `${octet()}.static.anycast.example`,
  () => `${octet()}.upstream.example`,
  () => `x${Math.random()}.upstream.example`,
  () => "version.bind",
];

function query(): Uint8Array {
  const type = pick(["A", "AAAA", "TXT", "ANY", "HTTPS", "SOA"] as const);
  if (Math.random() < 0.5) return encodeQuery(pick(NAMES)(), type, network());
  const cookie = Uint8Array.from({ length: pick([8, 24, 24, 7, 41]) }, octet);
  return encodeMessage(
    makeQuery(octet() << 8 | octet(), parseName(pick(NAMES)()), TYPE[type], {
      edns: {
        payloadSize: pick([0, 512, 1232, 65535]),
        dnssecOk: Math.random() < 0.5,
        options: [{ code: 10, data: cookie }],
      },
    }),
  );
}

self.onmessage = ({ data: { port } }) => {
  const clients = new Clients(port, query);
  for (let i = 0; i < 8; i++) clients.datagrams(`127.1.${i}.1`, query, 20, 4);
  for (let i = 0; i < 4; i++) clients.datagrams(`127.2.0.${1 + i}`, () => mangled(query()), 20, 8);
  clients.datagrams("127.3.0.1", query, 5, 20);
  for (let i = 0; i < 4; i++) clients.connections(clients.polite, 50);
  const { greedy, dripping, noise, broken } = clients;
  for (const use of [greedy, greedy, dripping, dripping, noise, broken]) clients.connections(use, 100);
  setInterval(() => self.postMessage({ ...clients.tally }), 1000);
};
