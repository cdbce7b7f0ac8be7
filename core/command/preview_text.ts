/**
 * What a change would do, before it is done: told, and asked for.
 *
 * @module
 */

import type { Counted } from "../management/counted.ts";
import type { PoolMoves } from "../management/moves.ts";
import type { PreviewJson } from "../management/preview_schema.ts";
import type { ApiClient } from "./api_client.ts";
import type { Flags, FlagTable } from "./flags.ts";
import { formatTable } from "./table.ts";
import { confirmed, print } from "./verbs.ts";
import { visible } from "./visible.ts";

/** The flags of commands that move traffic. */
export const MOVING: FlagTable = {
  preview: { help: "only tell what it would do" },
  yes: { help: "do not ask before traffic moves" },
  acknowledge: {
    value: "POOL",
    help: "a pool that may be left with nobody; may stand more than once",
    many: true,
  },
};

/** A request that may move traffic. */
export interface MovingRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  /** What is asked before it is done. */
  readonly question?: string;
  /** Whether it is asked also where nothing moves. */
  readonly asksAlways?: boolean;
}

/**
 * Tells what a request would do, and asks where it moves anything. @returns The exit code with which that ends it; undefined =
 * it is to be done.
 */
export async function lookedAt(
  client: ApiClient,
  { method, path, body, question = "Do it", asksAlways = false }: MovingRequest,
  values: Flags["values"],
): Promise<number | undefined> {
  const separator = path.includes("?") ? "&" : "?";
  const { body: preview, status } = await client.ask(method, `${path}${separator}preview`, body);
  // Of what would change nothing there is none, but what is there.
  const isNone = status !== 200 || !isPreview(preview), text = isNone ? NOTHING : previewText(preview);
  if (values.preview) return (print(values, preview, () => text), 0);
  if (!values.json) console.error(visible(text));
  if (!asksAlways && (isNone || !movesAnything(preview))) return undefined;
  return confirmed(values, question) ? undefined : 1;
}

const NOTHING = "nothing would change";

function isPreview(value: unknown): value is PreviewJson {
  return Array.isArray((value as Partial<PreviewJson> | undefined)?.changes);
}

/** Whether somebody would be answered by other nodes, as far as is known. */
export function movesAnything({ pools, moves }: PreviewJson): boolean {
  return pools.length > 0 ||
    (moves ?? []).some(({ movedNetworks, movedDemand }) => movedNetworks > 0 || movedDemand > 0);
}

/** A preview for people. */
export function previewText(preview: PreviewJson): string {
  return [
    poolsText(preview),
    ...movesText(preview),
    ...preview.emptied.map((pool) =>
      `${pool} would be left with nobody: it is refused, unless -acknowledge ${pool} says that it is meant`
    ),
    ...preview.approval.isWanted
      ? [`It would wait for a second person: it ${preview.approval.critical.join("; ")}.`]
      : [],
  ].join("\n");
}

/** What a change that waits would move, for who is to agree to it. */
export function countedText(counted: Counted): string {
  return [
    poolsText(counted),
    ...counted.emptied.map((pool) => `${pool} would be left with nobody, and that is meant.`),
    ...movesText(counted),
  ].join("\n");
}

/** The same in a word: the greatest share of what a pool is asked for that would go elsewhere. */
export function countedWord({ moves, emptied }: Counted): string {
  if (emptied.length > 0) return "empties";
  return moves ? percent(Math.max(0, ...moves.map(({ movedDemand }) => movedDemand))) : "unknown";
}

function poolsText({ pools }: Pick<PreviewJson, "pools">): string {
  if (pools.length === 0) return "no pool would lose or gain a node that serves";
  return formatTable(
    ["POOL", "NODES", "SERVE NOW", "WOULD SERVE"],
    pools.map((
      { pool, members, before, after },
    ) => [pool, `${members}`, `${before}`, after === 0 ? "0, nobody" : `${after}`]),
  );
}

function movesText(
  { moves, movesUnknown, weighedBy: { by, number, source } }: Pick<
    PreviewJson,
    "moves" | "movesUnknown" | "weighedBy"
  >,
): string[] {
  if (!moves) return [`What would move is not known: ${movesUnknown}`];
  if (moves.length === 0) return [];
  const asked = by === "addresses" ? "ADDRESSES" : source === "logs" ? "QUERIES" : "DEMAND";
  const table = formatTable(
    ["POOL", "TYPE", "NETWORKS", asked, "UNANSWERED", "KM MEAN", "KM MAX"],
    moves.map(({ pool, types, movedNetworks, movedDemand, lostDemand, addedKmMovedMean, addedKmMax }) => [
      ...[pool, types.join(" "), percent(movedNetworks), percent(movedDemand), percent(lostDemand)],
      ...[kilometres(addedKmMovedMean), kilometres(addedKmMax)],
    ]),
  );
  return [
    "",
    "What would move, and how much farther it would be:",
    table,
    ...moves.flatMap((one) => notesOf(one, by)),
    by === "addresses"
      ? "Networks count by their IPv4 addresses: no map of demand is there (meridian demand), and so nobody's load is known."
      : `${
        source === "logs" ? "Queries are those" : "Demand is that"
      } of version ${number} of the map of demand.`,
  ];
}

function notesOf({ pool, overloads, counted, isSampled }: PoolMoves, by: string): string[] {
  const above = overloads.map(({ node, demand, capacity, isAlready }) =>
    `${pool} ${node} would be at ${percent(demand / capacity)} of its capacity${
      isAlready ? ", as it is above it now" : ""
    }`
  );
  const isPart = counted.networks < 1 || counted.demand < 1;
  return [
    ...above.slice(0, OVERLOADS_MAX),
    ...above.length > OVERLOADS_MAX ? [`${pool} and ${above.length - OVERLOADS_MAX} more above it`] : [],
    ...isPart
      ? [
        `${pool} only a part was counted, those first that ask for most: ${
          percent(counted.networks)
        } of networks, ` +
        `${percent(counted.demand)} of what they ask for`,
      ]
      : [],
    ...isSampled
      ? [
        `${pool} each network draws for itself, and some were asked: ${
          by === "demand" ? "the share of networks is an estimate" : "shares are estimates"
        }`,
      ]
      : [],
  ];
}

/** So many nodes above their capacity are told of one pool. */
const OVERLOADS_MAX = 10;

/** Of what is there never nothing: 0 % would say that nobody moves. */
function percent(share: number): string {
  if (share === 0) return "0 %";
  if (share < 0.001) return "<0.1 %";
  return share < 1 && share > 0.999 ? ">99.9 %" : `${(share * 100).toFixed(1)} %`;
}

function kilometres(km: number): string {
  return `${Math.round(km) || 0}`;
}
