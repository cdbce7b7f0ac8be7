/** header: sets and clears flags of queries and replies. Syntax: README.md. @module */

import {
  type Answer,
  Arguments,
  type Directive,
  type Options,
  type ParseScope,
  type PluginModule,
  type QueryContext,
  readOptions,
  then,
} from "../../core/plugin.ts";

/** Flags of a header (RFC 1035 section 4.1.1, RFC 4035 section 3.2.2) and what they are to be. */
export type Flags = Readonly<Partial<Record<"aa" | "ra" | "rd" | "cd", boolean>>>;

/** What becomes of queries on their way down, and of replies on their way up. */
export interface HeaderConfig {
  readonly query: Flags;
  readonly response: Flags;
}

const options = {
  query: {
    usage: "query set|clear FLAGS...",
    repeats: true,
    read: (args: Arguments) => readFlags(args, ["rd", "cd", "aa", "ra"]),
  },
  response: {
    usage: "response set|clear FLAGS...",
    repeats: true,
    read: (args: Arguments) => readFlags(args, ["aa", "ra", "rd"]),
  },
} satisfies Options;

function readFlags(args: Arguments, known: readonly (keyof Flags)[]): Flags {
  const value = args.oneOf("the action", ["set", "clear"]) === "set";
  const flags: Partial<Record<keyof Flags, boolean>> = {};
  do flags[args.oneOf("FLAGS", known)] = value; while (args.more);
  return flags;
}

/** Reads `header { ... }`; of two lines about one flag the later one counts. */
function parse(directives: readonly Directive[], { problems }: ParseScope): HeaderConfig {
  let config: HeaderConfig = { query: {}, response: {} };
  for (const directive of directives) {
    problems.attempt(() => new Arguments(directive).end());
    const { query = [], response = [] } = readOptions(directive, options, problems);
    if (!directive.block?.length) {
      problems.error(directive.name, "header: wanted lines such as 'response set ra' in its block");
    }
    config = {
      query: Object.assign({}, config.query, ...query),
      response: Object.assign({}, config.response, ...response),
    };
  }
  return config;
}

/** The query as if it had come with these flags. AA and RA mean nothing in one. */
export function withQueryFlags(context: QueryContext, { rd, cd }: Flags): QueryContext {
  if (rd === undefined && cd === undefined) return context;
  return Object.freeze({
    ...context,
    recursionDesired: rd ?? context.recursionDesired,
    checkingDisabled: cd ?? context.checkingDisabled,
  });
}

/** The answer, to go out with these flags. */
export function withResponseFlags(answer: Answer, { aa, ra, rd }: Flags): Answer {
  return {
    ...answer,
    ...aa !== undefined && { authoritative: aa },
    ...ra !== undefined && { recursionAvailable: ra },
    ...rd !== undefined && { recursionDesired: rd },
  };
}

export default {
  name: "header",
  usage: "header",
  options,
  repeats: "absence",
  parse,
  answerer: ({ query, response }) => ({
    name: "header",
    answer: (context, next) =>
      then(next(withQueryFlags(context, query)), (answer) => withResponseFlags(answer, response)),
  }),
} satisfies PluginModule<HeaderConfig>;
