/** `meridian peers`: the nodes that a node had best speak to, from a fleet's API or, without one, from DNS. @module */

import {
  askPeers,
  type AskPeersOptions,
  followPeers,
  type Peers,
  PeersError,
} from "../bootstrap/ask_peers.ts";
import type { BootstrapResult } from "../bootstrap/bootstrap.ts";
import { SYSTEM_CLOCK } from "../clock.ts";
import { findEntryPoints, formatBootstrap, LOOKING } from "./bootstrap.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { print } from "./verbs.ts";
import { visible, visibleJson } from "./visible.ts";

/** The command. */
export const peers: Command = {
  usage: "peers -api URL [-node ID] [-token-file FILE] [-watch] | peers NAME [-resolver ADDRESS]...",
  summary: "the best peers of a node, from the fleet's API, or by DNS without it",
  flags: {
    api: { value: "URL", help: "the API of a server of the fleet; may stand more than once", many: true },
    node: { value: "ID", help: "whose peers (whoever the token is for)" },
    "token-file": { value: "FILE", help: "the token that the API wants" },
    watch: { help: "go on, and print them again whenever they have changed" },
    json: { help: "print a JSON object, with -watch one a line" },
    ...LOOKING,
  },
  wordsMax: 1,
  words: ["text"],
  async run({ values, words: [name] }) {
    const api = values.api as readonly string[] | undefined;
    if ((api === undefined) === (name === undefined)) {
      throw new UsageError(`peers wants either -api URL or a NAME: ${this.usage}`);
    }
    return name === undefined ? await byApi(api!, values) : await byDns(name, values);
  },
};

async function byDns(name: string, values: Flags["values"]): Promise<number> {
  const unfit = ["node", "token-file", "watch"].find((flag) => values[flag] !== undefined);
  if (unfit) throw new UsageError(`-${unfit} goes with -api, not with a NAME`);
  const result = await findEntryPoints(name, values);
  print(values, peersOf(result), () => formatBootstrap(result));
  return result.entryPoints.length > 0 ? 0 : 1;
}

/** In the API's shape, as far as DNS knows of it; and the port, which that has not. */
function peersOf({ entryPoints, ttl = 0 }: BootstrapResult) {
  const peers = entryPoints.map(({ host, address, port, rttMs, why }) => ({
    ...{ node: host, addresses: [address], port, overlay: [], region: "" },
    ...rttMs !== undefined && { rttMs },
    ...{ health: "unknown", why },
  }));
  return { peers, ttl };
}

async function byApi(api: readonly string[], values: Flags["values"]): Promise<number> {
  const ended = new AbortController(), end = () => ended.abort();
  const { client, ...options } = optionsOf(api, values);
  const asking = { ...options, signal: ended.signal };
  Deno.addSignalListener("SIGINT", end);
  Deno.addSignalListener("SIGTERM", end);
  try {
    return values.watch
      ? await watch(asking, values.json === true)
      : await once(asking, values.json === true);
  } finally {
    Deno.removeSignalListener("SIGINT", end);
    Deno.removeSignalListener("SIGTERM", end);
    client?.close();
  }
}

async function once(
  options: AskPeersOptions,
  json: boolean,
): Promise<number> {
  try {
    const found = await askPeers(options);
    console.log(json ? visibleJson(found) : visible(formatPeers(found)));
    return found.peers.length > 0 ? 0 : 1;
  } catch (error) {
    if (!(error instanceof PeersError)) throw error;
    console.error(visible(error.message));
    return 1;
  }
}

/** Ends with 0 when somebody ends it. */
async function watch(
  options: AskPeersOptions,
  json: boolean,
): Promise<number> {
  let shown = "";
  for await (const found of followPeers({ ...options, clock: SYSTEM_CLOCK })) {
    if (found instanceof PeersError) {
      console.error(visible(found.message));
      continue;
    }
    const text = json ? JSON.stringify(found.peers) : formatPeers(found);
    if (text !== shown) console.log(json ? visibleJson(found, 0) : visible(text));
    shown = text;
  }
  return 0;
}

/** @throws {UsageError} When they cannot be understood. */
function optionsOf(
  api: readonly string[],
  values: Flags["values"],
): AskPeersOptions & { client?: Deno.HttpClient } {
  for (const url of api) checkUrl(url, values["token-file"] !== undefined);
  const count = values.count === undefined ? 3 : Number(values.count);
  if (!Number.isInteger(count) || count < 1 || count > 100) {
    throw new UsageError(`-count must be a whole number from 1 to 100: got ${values.count}`);
  }
  const ca = values.ca as string | undefined, file = values["token-file"] as string | undefined;
  const client = ca === undefined
    ? undefined
    : Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(ca)] });
  return {
    api,
    count,
    fetch: client ? (input, init) => fetch(input as URL, { ...init, client }) : fetch,
    ...client && { client },
    ...values.node !== undefined && { node: values.node as string },
    ...file !== undefined && { token: Deno.readTextFileSync(file).trim() },
  };
}

/** A token goes over TLS, or stays on this machine. */
function checkUrl(text: string, hasToken: boolean): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "https:" && url?.protocol !== "http:") {
    throw new UsageError(`-api must be a URL such as https://ns1.example.org:8443: got ${text}`);
  }
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (hasToken && url.protocol === "http:" && !isHere) {
    throw new UsageError(`-api ${text}: a token is sent by https alone, except on this machine`);
  }
}

/** Peers for people. */
export function formatPeers({ peers, ttl }: Peers): string {
  if (peers.length === 0) return `no peers; to be asked again in ${ttl} s`;
  return formatTable(
    ["NODE", "ADDRESSES", "OVERLAY", "REGION", "RTT", "DISTANCE", "HEALTH", "SCORE", "WHY"],
    peers.map((peer) => [
      peer.node,
      peer.addresses.join(" ") || "-",
      peer.overlay.join(" ") || "-",
      peer.region || "-",
      peer.rttMs === undefined ? "-" : `${peer.rttMs.toFixed(1)} ms`,
      `${peer.distanceKm} km`,
      peer.health,
      String(peer.score),
      peer.why,
    ]),
  );
}
