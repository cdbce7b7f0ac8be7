/** `meridian node`: the nodes of a fleet. @module */

import { parse } from "yaml";
import { askAll, ASKING } from "./api_client.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { lookedAt, MOVING } from "./preview_text.ts";
import { oneWord, patchOf, print, runVerb, usageOf, type Verbs } from "./verbs.ts";
import { visibleJson } from "./visible.ts";

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const nodes = await askAll(client, "/v1/nodes?limit=1000");
      print(values, nodes, () =>
        nodes.length === 0 ? "no nodes" : formatTable(
          ["NODE", "ADDRESSES", "PLACE", "REGION", "WEIGHT", "STATE", "ORIGIN"],
          nodes.map(({ id, addresses, location, region = "", weight = 1, state = "up", origin = "api" }) => [
            ...[id, addresses.join(" "), placeOf(location), region || "-", `${weight}`, state, origin],
          ]),
        ));
      return 0;
    },
  },
  show: {
    usage: "ID",
    async run(client, words, _values) {
      const { body } = await client.ask("GET", pathOf(oneWord(words, "the node's ID")));
      console.log(visibleJson(body));
      return 0;
    },
  },
  add: {
    usage: "FILE",
    async run(client, words, values) {
      const file = oneWord(words, "a FILE as nodes.yaml has nodes");
      const { nodes = [] } = parse(await Deno.readTextFile(file)) ?? {};
      for (const node of nodes) {
        const request = { method: "PUT", path: pathOf(`${node?.id}`), body: node };
        if (values.preview) await lookedAt(client, request, values);
        if (values.preview) continue;
        const { body } = await client.ask("PUT", pathOf(`${node?.id}`), node);
        print(values, body, () => `${body.id} is there`);
      }
      return 0;
    },
  },
  set: {
    usage: "ID KEY=VALUE...",
    async run(client, [id = "", ...words], values) {
      const request = { method: "PATCH", path: pathOf(id), body: patchOf(words) };
      const ended = await lookedAt(client, request, values);
      if (ended !== undefined) return ended;
      const { body } = await client.ask("PATCH", pathOf(id), request.body);
      print(values, body, () => `${id}: ${words.join(" ")}`);
      return 0;
    },
  },
  remove: {
    usage: "ID",
    async run(client, words, values) {
      const id = oneWord(words, "the node's ID"), question = `Take node ${id} out of the fleet`;
      const request = { method: "DELETE", path: pathOf(id), question, asksAlways: true };
      const ended = await lookedAt(client, request, values);
      if (ended !== undefined) return ended;
      await client.ask("DELETE", pathOf(id));
      print(values, { id, removed: true }, () => `${id} is gone`);
      return 0;
    },
  },
};

/** The command. */
export const node: Command = {
  usage: usageOf("node", verbs),
  summary: "list, add, change and remove the nodes of a fleet",
  flags: {
    ...ASKING,
    ...MOVING,
  },
  wordsMax: 100,
  words: [Object.keys(verbs), "text"],
  run: (flags) => runVerb("node", verbs, flags),
};

function pathOf(id: string): string {
  return `/v1/nodes/${encodeURIComponent(id)}`;
}

function placeOf(
  { latitude, longitude, country }: { latitude: number; longitude: number; country?: string },
): string {
  return `${latitude} ${longitude}${country ? ` ${country}` : ""}`;
}
