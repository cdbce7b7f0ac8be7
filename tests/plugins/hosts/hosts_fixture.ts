/** A hosts file in a folder of its own, and its plugin over it. @module */

import { ManualClock } from "../../../core/clock.ts";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { rcodeToText, TYPE } from "../../../core/dns/types.ts";
import { formatRecord } from "../../../core/explain.ts";
import {
  type Answer,
  type ControlScope,
  emptyAnswer,
  fold,
  parseName,
  type ParseScope,
  Problems,
} from "../../../core/plugin.ts";
import hosts, { answerFrom, type HostsConfig } from "../../../plugins/hosts/mod.ts";
import type { HostTable } from "../../../plugins/hosts/table.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

/** What `parse` makes of directives in a block that serves `zone`, paths as they stand. */
export function parseBlock(text: string, zone = ".") {
  const problems = new Problems();
  const scope = {
    problems,
    zones: [fold(parseName(zone))],
    dataPath: ({ text }) => text,
  } as Partial<ParseScope> as ParseScope;
  const config = problems.attempt(() => hosts.parse(directivesOf(text), scope))!;
  const say = (level: string) => ({ at, message }: Problems["errors"][number]) =>
    `${level} ${formatPosition(at)} ${message}`;
  return { config, said: [...problems.errors.map(say("error")), ...problems.warnings.map(say("warning"))] };
}

/** The plugin's control half under a clock that is turned by hand, and its answers. */
export class Control {
  readonly clock = new ManualClock();
  readonly logged: string[] = [];
  readonly counted: string[] = [];
  readonly gauges: Record<string, number | undefined> = {};
  table: HostTable | undefined;
  readonly #config: HostsConfig;
  #resources: { close(): void | Promise<void> }[] = [];

  constructor(config: HostsConfig) {
    this.#config = config;
    const say = (level: string) => (message: string) => void this.logged.push(`${level}: ${message}`);
    const scope: Partial<ControlScope> = {
      clock: this.clock,
      log: { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") },
      publish: (value) => void (this.table = structuredClone(value) as HostTable),
      own: (resource) => (this.#resources.push(resource), resource),
      count: (name, labels) => void this.counted.push(`${name} ${Object.values(labels ?? {})}`),
      gauge: (name, value) => void (this.gauges[name] = value),
    };
    hosts.start(config, scope as ControlScope);
  }

  /** An answer as its RCODE and its records; `next` is what the plugins that follow would say. */
  ask(name: string, type: keyof typeof TYPE = "A"): string {
    const wire = parseName(name);
    const context = contextOf({ question: { name: wire, type: TYPE[type], class: 1 }, name: fold(wire) });
    const answer = answerFrom(this.#config, this.table!, context, () => emptyAnswer(23)) as Answer;
    if (answer.rcode === 23) return "next";
    const records = answer.answer.flatMap((rrset) =>
      rrset.rdata.map((rdata) => formatRecord({ ...rrset, class: 1, rdata }))
    );
    return [rcodeToText(answer.rcode), ...records].join(" | ");
  }

  close(): void {
    for (const resource of this.#resources) resource.close();
  }
}

/** Runs `test` with the path of a file of that text. */
export async function withFile(text: string, test: (path: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/hosts`, text);
    await test(`${folder}/hosts`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
