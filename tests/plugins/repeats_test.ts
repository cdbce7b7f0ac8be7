import assert from "node:assert/strict";
import {
  emptyAnswer,
  INDEPENDENT,
  type Plugin,
  type PluginModule,
  type QueryContext,
  type RRset,
  then,
} from "../../core/plugin.ts";
import { TYPE } from "../../core/dns/types.ts";
import { plugins } from "../../plugins/mod.ts";
import { Checker } from "./repeats/checker.ts";
import { NAMES, startWorld, TYPES, type World, WORLDS } from "./repeats/worlds.ts";

async function check(world: World, more: readonly PluginModule[] = []): Promise<Checker> {
  const { virtual, close } = await startWorld(world, more);
  try {
    const checker = new Checker(virtual.server, virtual.clock);
    checker.check([...NAMES, ...world.names ?? []], world.types ?? TYPES);
    return checker;
  } finally {
    await close();
  }
}

for (const world of WORLDS) {
  Deno.test(`what is repeated is what would be said again: ${world.name}`, async () => {
    const { violations, kept, pairs } = await check(world);
    assert.deepEqual([...violations].slice(0, 5), []);
    assert.ok(kept > 30 && pairs > 5 * kept, `${kept} replies, ${pairs} pairs`);
  });
}

Deno.test("every plugin that says that its replies may be repeated is held to it", () => {
  const marked = plugins.filter(({ repeats, answerer }) => repeats && answerer).map(({ name }) => name);
  const isUsed = (name: string) =>
    WORLDS.some(({ corefile }) => new RegExp(`^${name}\\b`, "m").test(corefile));
  assert.deepEqual(marked.filter((name) => !isUsed(name)), []);
  assert.ok(marked.length > 25, marked.join());
});

Deno.test("a plugin that answers says whether its replies may be repeated, or is one of those that cannot", () => {
  const silent = plugins.filter(({ repeats, answerer }) => answerer && !repeats).map(({ name }) => name);
  assert.deepEqual(silent, ["debug", "trace", "erratic"]);
});

/** What a plugin may do wrong, each marked as if it did not. */
const WRONG: Readonly<Record<string, Plugin["answer"]>> = {
  "reads the port": ({ source, question }) => text(question, String(source.port)),
  "reads the message ID": ({ messageId, question }) => text(question, String(messageId)),
  "reads the DO bit": ({ edns, question }) => text(question, String(edns?.dnssecOk)),
  "reads an option": ({ edns, question }) =>
    text(question, edns?.options.find(({ code }) => code === 65001)?.data.toHex() ?? "none"),
  "reads the CD bit": ({ checkingDisabled, question }) => text(question, String(checkingDisabled)),
  "reads the transport": ({ transport, question }) => text(question, transport),
  "reads the source": ({ source, question }) => text(question, source.address.octets.toHex()),
  "reads the client's network": ({ edns, question }) =>
    text(question, edns?.clientSubnet?.address.octets.toHex() ?? "none"),
  "reads the server's address": ({ server, question }) => text(question, server.address.octets.toHex()),
  "reads how the name is spelled": ({ question }) => text(question, question.name),
  "reads the time": ({ nowMs, question }) => text(question, String(nowMs)),
  "counts what it is asked": (() => {
    let asked = 0;
    return ({ question }) => text(question, String(asked++));
  })(),
  "looks at the name": (context, next) =>
    then(next(context), (answer) => context.name.startsWith("\x03a") ? { ...answer, rcode: 5 } : answer),
};

function text({ name }: QueryContext["question"], what: string) {
  const rrset: RRset = {
    name,
    type: TYPE.TXT,
    ttl: 60,
    rdata: [
      Uint8Array.from(`${String.fromCharCode(what.length)}${what}`, (character) => character.charCodeAt(0)),
    ],
  };
  return emptyAnswer(0, { answer: [rrset], dependence: INDEPENDENT });
}

const ZONE = { corefile: "example.org:1053 {\n wrong\n file %zone example.org\n}\n", types: ["A"] };

function wrong(answerer: NonNullable<PluginModule["answerer"]>): PluginModule {
  return {
    name: "wrong",
    usage: "wrong",
    options: {},
    repeats: "absence",
    metrics: { meridian_wrong_total: { kind: "counter", help: "Queries." } },
    parse: () => ({}),
    answerer,
  };
}

for (const [what, answer] of Object.entries(WRONG)) {
  Deno.test(`a plugin is found out that ${what} and does not say so`, async () => {
    const { violations } = await check({ name: what, ...ZONE }, [wrong(() => ({ name: "wrong", answer }))]);
    assert.ok(violations.size > 0);
  });
}

Deno.test("a plugin is found out that counts while it answers", async () => {
  const counting = wrong((_, { count }) => ({
    name: "wrong",
    answer(context, next) {
      count("meridian_wrong_total");
      return next(context);
    },
  }));
  const { violations } = await check({ name: "counts", ...ZONE }, [counting]);
  assert.match([...violations].join("\n"), /asked 3 times, counted 1: meridian_wrong_total/);
});

Deno.test("a plugin that does none of this is not found out", async () => {
  const { violations } = await check({ name: "right", ...ZONE }, [
    wrong((_, { series }) => {
      const samples = [{ series: series("meridian_wrong_total"), value: 1 }];
      return { name: "wrong", answer: (context, next) => next(context), tallies: () => samples };
    }),
  ]);
  assert.deepEqual([...violations], []);
});
