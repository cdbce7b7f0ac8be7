/**
 * `meridian completion SHELL`: what a shell needs to complete commands and flags, made from the same tables as the help.
 *
 * @module
 */

import type { FlagTable } from "./flags.ts";
import { UsageError } from "./flags.ts";
import { allCommands, type Command, type WordKind } from "./mod.ts";
import { nearest } from "../corefile/nearest.ts";

/** Commands by name. */
export type Commands = Readonly<Record<string, Command>>;

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

const shells = Object.keys(scripts);

/** The command, which completes all of them, itself among them. */
export const completion: Command = {
  usage: "completion bash|zsh|fish",
  summary: "print a script that completes commands and flags in a shell",
  flags: {},
  wordsMax: 1,
  words: [shells],
  async run({ words: [shell] }) {
    if (shell === undefined || !Object.hasOwn(scripts, shell)) {
      const guess = shell && nearest(shell, shells);
      throw new UsageError(
        `completion wants ${shells.join(", ")}: got ${shell ?? "nothing"}${
          guess ? `; did you mean ${guess}?` : ""
        }`,
      );
    }
    console.log(scripts[shell as keyof typeof scripts](await allCommands()).trimEnd());
    return 0;
  },
};

/** `source <(meridian completion bash)` in ~/.bashrc. */
export function bashScript(commands: Commands): string {
  const cases = Object.entries(commands).map(([name, { flags, words = [] }]) =>
    `    ${name})
      flags=${quoted(flagWords(flags))}; files=${quoted(flagsThatTake("file", flags))}; folders=${
      quoted(flagsThatTake("folder", flags))
    }; values=${quoted(flagsThatTake("text", flags))}
      words=(${words.map((word) => quoted(isList(word) ? word : [`<${word}>`])).join(" ")}) ;;`
  );
  return `# bash completion for meridian
_meridian() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command= flags= files= folders= values= i n=0
  local words=()
  COMPREPLY=()
  if ((COMP_CWORD > 1)); then command=\${COMP_WORDS[1]}; fi
  case $command in
    "")
      COMPREPLY=($(compgen -W ${quoted(Object.keys(commands))} -- "$current")); return ;;
${cases.join("\n")}
    *) return ;;
  esac
  if [[ " $files " == *" $previous "* ]]; then COMPREPLY=($(compgen -f -- "$current")); return; fi
  if [[ " $folders " == *" $previous "* ]]; then COMPREPLY=($(compgen -d -- "$current")); return; fi
  if [[ " $values " == *" $previous "* ]]; then return; fi
  if [[ $current == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$current")); return; fi
  # Which of the command's words this is: flags and their values are none.
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [[ " $files $folders $values " == *" \${COMP_WORDS[i]} "* ]]; then ((i++)); continue; fi
    if [[ \${COMP_WORDS[i]} != -* ]]; then ((n++)); fi
  done
  case \${words[n]} in
    "<file>") COMPREPLY=($(compgen -f -- "$current")) ;;
    "<folder>") COMPREPLY=($(compgen -d -- "$current")) ;;
    "<text>") ;;
    *) COMPREPLY=($(compgen -W "\${words[n]}" -- "$current")) ;;
  esac
}
complete -o filenames -o bashdefault -F _meridian meridian
`;
}

/** `source <(meridian completion zsh)` in ~/.zshrc. */
export function zshScript(commands: Commands): string {
  const described = Object.entries(commands).map(([name, { summary }]) =>
    `    '${name}:${zshText(summary)}'`
  );
  const cases = Object.entries(commands).map(([name, { flags, words = [] }]) => {
    const lines = [
      ...Object.entries(flags).map(([flag, { help, value }]) =>
        `'-${flag}[${zshText(help)}]${value ? `:${value}:${zshAction(kindOf(value))}` : ""}'`
      ),
      ...words.map((word, i) => `'${i + 1}:word:${zshAction(word)}'`),
    ];
    return `    ${name}) _arguments ${lines.join(" \\\n      ")} ;;`;
  });
  return `#compdef meridian
_meridian() {
  local -a commands
  commands=(
${described.join("\n")}
  )
  if ((CURRENT == 2)); then _describe command commands; return; fi
  local command=\${words[2]}
  shift words
  ((CURRENT--))
  case $command in
${cases.join("\n")}
  esac
}
compdef _meridian meridian
`;
}

function zshAction(word: WordKind): string {
  if (isList(word)) return `(${word.join(" ")})`;
  return { file: "_files", folder: "_files -/", text: " " }[word];
}

/** `meridian completion fish > ~/.config/fish/completions/meridian.fish`. */
export function fishScript(commands: Commands): string {
  const lines = Object.entries(commands).flatMap(([name, { summary, flags, words = [] }]) => {
    const within = `complete -c meridian -n '__fish_seen_subcommand_from ${name}'`;
    const takesFiles = words.some((word) => word === "file" || word === "folder");
    return [
      `complete -c meridian -n __fish_use_subcommand -f -a ${name} -d '${plain(summary)}'`,
      ...takesFiles ? [] : [`${within} -f`],
      ...words.filter(isList).map((list) => `${within} -a '${list.join(" ")}'`),
      ...Object.entries(flags).map(([flag, { help, value }]) =>
        `${within} -o ${flag}${value ? kindOf(value) === "text" ? " -x" : " -rF" : ""} -d '${plain(help)}'`
      ),
    ];
  });
  return ["# fish completion for meridian", ...lines, ""].join("\n");
}

function isList(word: WordKind): word is readonly string[] {
  return typeof word !== "string";
}

/** What a flag takes, by what stands for its value in the help. */
function kindOf(value: string): "file" | "folder" | "text" {
  return /^(FILE|PATH)/.test(value) ? "file" : /^DIR/.test(value) ? "folder" : "text";
}

function flagWords(flags: FlagTable): string[] {
  return Object.keys(flags).map((flag) => `-${flag}`);
}

/** The flags whose value is of a kind, in every spelling. */
function flagsThatTake(kind: ReturnType<typeof kindOf>, flags: FlagTable): string[] {
  return Object.entries(flags).filter(([, { value }]) => value !== undefined && kindOf(value) === kind)
    .flatMap(([flag, { short }]) => [`-${flag}`, `--${flag}`, ...short ? [`-${short}`] : []]);
}

function quoted(words: readonly string[]): string {
  return `'${words.join(" ")}'`;
}

/** Text that can stand between single quotes of a shell. */
function plain(text: string): string {
  return text.replaceAll("'", "’");
}

/** The same where zsh parts a description from what goes before it. */
function zshText(text: string): string {
  return plain(text).replace(/[[\]:\\]/g, "\\$&");
}
