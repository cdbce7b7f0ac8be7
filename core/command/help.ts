/** `meridian help`: which commands there are, and the flags of each. @module */

import { type Command, COMMAND_NAMES, help as helpOf } from "./mod.ts";

/** The command. */
export const help: Command = {
  usage: "help [COMMAND]",
  summary: "list the commands, or the flags of one",
  flags: {},
  wordsMax: 1,
  words: [COMMAND_NAMES],
  async run({ words: [name] }) {
    console.log(await helpOf(name));
    return 0;
  },
};
