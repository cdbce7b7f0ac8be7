/** `meridian secret`: what servers keep sealed: which there is, by which key, and to exchange it. @module */

import { ASKING } from "./api_client.ts";
import { UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { confirmed, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const { body: { items } } = await client.ask("GET", "/v1/secrets");
      print(values, items, () =>
        formatTable(
          ["SECRET", "SEALED WITH", "STATE"],
          items.map((
            { name, key, isOld }: any,
          ) => [name, key ?? "nothing", isOld ? "to be sealed anew" : "as it should be"]),
        ));
      return 0;
    },
  },
  rotate: {
    usage: "[-forget]",
    async run(client, words, values) {
      if (words.length > 0) throw new UsageError(`secret rotate takes flags alone: got ${words.join(" ")}`);
      const forget = values.forget === true;
      if (forget && !confirmed(values, "Have every node prove itself anew, at once")) return 1;
      const { body } = await client.ask("POST", "/v1/secrets/registry/rotate", { forget });
      print(values, body, () => `nodes' credentials are made with another secret from ${body.at}`);
      return 0;
    },
  },
  reseal: {
    usage: "",
    async run(client, _words, values) {
      const { body } = await client.ask("POST", "/v1/secrets/reseal");
      print(
        values,
        body,
        () =>
          `${body.resealed} sealed with the newest key${
            body.left.length > 0 ? `; no key opens ${body.left.join(", ")}` : ""
          }`,
      );
      return body.left.length > 0 ? 1 : 0;
    },
  },
};

/** The command. */
export const secret: Command = {
  usage: usageOf("secret", verbs),
  summary: "what servers keep sealed: exchange it, and seal it with another key",
  flags: {
    ...ASKING,
    forget: { help: "rotate: the old secret is to count no more at once, for it has leaked" },
    yes: { help: "do not ask before that" },
  },
  wordsMax: 2,
  words: [Object.keys(verbs)],
  run: (flags) => runVerb("secret", verbs, flags),
};
