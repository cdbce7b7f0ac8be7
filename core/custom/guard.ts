/**
 * Stands around a custom plugin: whatever it throws, or returns that is not what was wanted, bears its name and harms
 * nothing else.
 *
 * @module
 */

import type { Answer } from "../answer.ts";
import { type Plugin, PluginFault } from "../chain.ts";
import { CorefileError, type Token } from "../corefile/directive.ts";
import type { ControlScope, PluginModule } from "../plugin.ts";
import { describeThrown } from "./thrown.ts";
import { found, isObject } from "./shape.ts";

/** Takes a complaint about a plugin, whose name it bears already. */
export type Report = (message: string) => void;

/**
 * The same module, guarded. What goes wrong while a Corefile is read is an error at the directive, or goes to `report` where
 * there is none; what goes wrong later is thrown with the plugin's name, for those who call plugins to count and to log.
 */
export function guarded(module: PluginModule, url: string, report: Report): PluginModule {
  const { name } = module;
  const blame = (what: string, error: unknown) => `${name}: ${what}: ${describeThrown(error, url)}`;
  const reporting =
    <Args extends unknown[], T>(what: string, act: (...args: Args) => T, otherwise: T) =>
    (...args: Args): T => {
      try {
        return act(...args);
      } catch (error) {
        if (error instanceof CorefileError) throw error;
        report(blame(`${what}() threw`, error));
        return otherwise;
      }
    };
  return {
    ...module,
    parse(directives, scope) {
      const at = directives[0]!.name;
      const config = atToken(
        at,
        (error) => blame("parse() threw", error),
        () => module.parse(directives, scope),
      );
      const why = whyNotPlain(config);
      if (why) throw new CorefileError(at, `${name}: what parse() returned must be plain data: ${why}`);
      return config;
    },
    ...module.verify && {
      verify: reporting(
        "verify",
        (config, facts, problems) => module.verify!(config, facts, problems),
        undefined,
      ),
    },
    ...module.listenOn && { listenOn: reporting("listenOn", (config) => module.listenOn!(config), []) },
    ...module.limits && { limits: reporting("limits", (config) => module.limits!(config), {}) },
    ...module.answersAll && {
      answersAll: reporting("answersAll", (config, zone) => module.answersAll!(config, zone), false),
    },
    ...module.start && {
      async start(config, scope) {
        try {
          await module.start!(config, endingScope(scope));
        } catch (error) {
          throw new Error(blame("start() threw", error), { cause: error });
        }
      },
    },
    ...module.answerer && {
      answerer(config, scope) {
        try {
          // What cannot be cloned would fail far from here, and for everybody.
          const { lend: _, ...rest } = scope;
          return guardedPlugin(name, module.answerer!(config, rest));
        } catch (error) {
          throw new Error(blame("answerer() threw", error), { cause: error });
        }
      },
    },
  };
}

/**
 * The scope of a plugin that may be slow to hear that it is over: once it is closed its timers call nobody, what it still
 * publishes goes nowhere, and what it opens late is closed at once. So work that was under way during a reload starts
 * nothing anew.
 */
function endingScope(scope: ControlScope): ControlScope {
  let isOver = false;
  scope.own({ close: () => void (isOver = true) });
  return {
    ...scope,
    clock: {
      nowMs: () => scope.clock.nowMs(),
      after: (delayMs, then) => isOver ? () => {} : scope.clock.after(delayMs, () => isOver || then()),
    },
    publish: (value) => isOver ? undefined : scope.publish(value),
    // Asked for anew, as it is there only while the server starts.
    get inherited() {
      return scope.inherited;
    },
    own(resource) {
      if (isOver) void resource.close();
      else scope.own(resource);
      return resource;
    },
  };
}

function atToken<T>(at: Token, say: (error: unknown) => string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw error instanceof CorefileError ? error : new CorefileError(at, say(error));
  }
}

/** Why a value cannot cross to a worker as it is. */
function whyNotPlain(value: unknown): string | undefined {
  if (value === undefined) return "it is nothing";
  if (value instanceof Promise) return "it is a promise";
  try {
    structuredClone(value);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The answering half under the module's own name, its answers looked at. */
function guardedPlugin(name: string, plugin: Plugin | undefined): Plugin | undefined {
  if (plugin === undefined) return undefined;
  if (!isObject(plugin) || typeof plugin.answer !== "function") {
    throw new TypeError(`it returned ${found(plugin)}: wanted { name, answer(context, next) }`);
  }
  return {
    name,
    answer(context, next) {
      const answer = plugin.answer(context, next);
      return answer instanceof Promise ? answer.then(checkAnswer) : checkAnswer(answer);
    },
    ...plugin.observe && {
      observe(context, answer, sent) {
        // A promise is none of those who call this, and a plugin may well have made one.
        const made: unknown = plugin.observe!(context, answer, sent);
        if (made instanceof Promise) throw new TypeError("observe() returned a promise: it must not wait");
      },
    },
    // Those who call these hold what they throw against the plugin.
    ...plugin.tallies && { tallies: (context, answer, sent) => plugin.tallies!(context, answer, sent) },
    ...plugin.gate && { gate: (context) => plugin.gate!(context) },
    ...plugin.repeater && { repeater: (context, answer, sent) => plugin.repeater!(context, answer, sent) },
    ...plugin.labels && { labels: guardedLabels(name, plugin.labels) },
    ...plugin.givesCookies && { givesCookies: true },
    ...plugin.untimed && { untimed: true },
    // Whoever does not say so may look at any.
    readsOptions: plugin.readsOptions ?? true,
    ...plugin.admits && { admits: (context) => plugin.admits!(context) },
    ...plugin.admission && { admission: (context) => plugin.admission!(context) },
  };
}

/** Other plugins ask for them, and would get the blame. */
function guardedLabels(name: string, labels: NonNullable<Plugin["labels"]>): NonNullable<Plugin["labels"]> {
  return Object.fromEntries(
    Object.entries(labels).map(([label, of]) => [label, (context) => {
      try {
        return of(context);
      } catch (error) {
        throw new PluginFault(name, error);
      }
    }]),
  );
}

/** @throws {TypeError} When it is no answer. */
function checkAnswer(answer: Answer): Answer {
  if (
    isObject(answer) && typeof answer.rcode === "number" && isObject(answer.dependence) &&
    Array.isArray(answer.answer) && Array.isArray(answer.authority) && Array.isArray(answer.additional)
  ) return answer;
  throw new TypeError(`answer() returned ${found(answer)}: wanted an answer, as emptyAnswer() makes one`);
}
