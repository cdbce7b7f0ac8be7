/** Zone files in a folder of their own, and scopes that remember. @module */

import { ManualClock } from "../../../core/clock.ts";
import type { Directive } from "../../../core/corefile/directive.ts";
import {
  type ControlScope,
  fold,
  type Name,
  type OwnedName,
  parseName,
  type ParseScope,
  Problems,
} from "../../../core/plugin.ts";
import file, { type FileSource } from "../../../plugins/file/mod.ts";
import type { ZoneData } from "../../../core/zone/zones.ts";
import { directivesOf } from "../../support/directives.ts";
import { factsOf } from "../../support/scopes.ts";

/** A small zone; `serial` and lines below the apex. */
export function zoneText(serial: number, ...lines: string[]): string {
  return `$TTL 300\n@ SOA ns host ${serial} 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n${lines.join("\n")}\n`;
}

/** Runs `test` with a folder that holds `files`. */
export async function withFiles(
  files: Record<string, string>,
  test: (folder: string) => void | Promise<void>,
) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What `parse` makes of directives in a block that serves example.org, paths relative to `folder`. */
export function parseBlock(text: string, folder: string) {
  const problems = new Problems();
  const held: Name[] = [];
  const scope = {
    problems,
    zones: [parseName("example.org")],
    dataPath: ({ text }) => `${folder}/${text}`,
    holdZone: (zone) => void held.push(zone),
  } as Partial<ParseScope> as ParseScope;
  const sources = file.parse(directivesOf(text) as readonly Directive[], scope);
  return { sources, problems, held };
}

/** The control half under a clock that is turned by hand. */
export class Control {
  readonly clock = new ManualClock();
  readonly published: ZoneData[] = [];
  readonly logged: string[] = [];
  readonly counted: string[] = [];
  #resources: { close(): void | Promise<void> }[] = [];

  start(sources: readonly FileSource[], owned: readonly OwnedName[] = []): void {
    const say = (level: string) => (message: string) => void this.logged.push(`${level}: ${message}`);
    const scope: Partial<ControlScope> = {
      facts: factsOf({ owned }),
      clock: this.clock,
      log: { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") },
      publish: (value) => void this.published.push(structuredClone(value) as ZoneData),
      own: (resource) => (this.#resources.push(resource), resource),
      count: (name, labels) => void this.counted.push(`${name} ${Object.values(labels ?? {})}`),
    };
    file.start(sources, scope as ControlScope);
  }

  /** What was published last. */
  get data(): ZoneData {
    return this.published.at(-1)!;
  }

  close(): void {
    for (const resource of this.#resources) resource.close();
  }
}

/** A name, folded. */
export function nameOf(text: string): Name {
  return fold(parseName(text));
}
