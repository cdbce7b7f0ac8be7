import assert from "node:assert/strict";
import { formatProblems } from "../../../core/corefile/format.ts";
import { loadCorefile } from "../../../core/command/load.ts";
import { RCODE } from "../../../core/dns/types.ts";
import { type Answer, type ControlScope, emptyAnswer, type PluginModule } from "../../../core/plugin.ts";
import { formatMetrics } from "../../../core/server/exposition.ts";
import { type LoadedConfiguration, Supervisor } from "../../../core/server/supervisor.ts";
import { plugins } from "../../../plugins/mod.ts";
import { stillHeld } from "../../support/garbage.ts";
import { askServer, freePort } from "../../support/server.ts";
import { until } from "../../support/until.ts";

/** A server that can be reloaded, from texts in which 1053 stands for a free port and 1054 for another. */
class Reloadable implements AsyncDisposable {
  readonly ports = [freePort(), freePort()] as const;
  readonly logged: string[] = [];
  text = "";
  loads = 0;
  supervisor!: Supervisor;
  readonly #modules: readonly PluginModule[];

  private constructor(modules: readonly PluginModule[]) {
    this.#modules = modules;
  }

  static async start(text: string, modules: readonly PluginModule[] = plugins): Promise<Reloadable> {
    const reloadable = new Reloadable(modules);
    reloadable.text = text;
    const note = (level: string) => (message: string) => void reloadable.logged.push(`${level}: ${message}`);
    reloadable.supervisor = await Supervisor.start({
      first: await reloadable.#load(),
      load: () => (reloadable.loads++, reloadable.#load()),
      loadHash: async () => (await reloadable.#load()).hash,
      log: { debug: note("debug"), info: note("info"), warn: note("warn"), error: note("error") },
      writeLine() {},
    });
    return reloadable;
  }

  /** Reloads, by another text. */
  async reload(text = this.text) {
    this.text = text;
    return await this.supervisor.reload("a test");
  }

  async ask(
    name = "www.example.org",
    { second = false, address = "127.0.0.1", timeoutMs = 20_000 } = {},
  ): Promise<number> {
    return (await askServer(this.ports[second ? 1 : 0], name, "A", { address, timeoutMs })).rcode;
  }

  get failures(): number {
    return this.supervisor.server.metrics.snapshot().coredns_reload_failed_total ?? 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.supervisor.close();
  }

  /** What a text says, whatever is to be read. */
  load(text: string): Promise<LoadedConfiguration> {
    return this.#load(text);
  }

  async #load(said = this.text): Promise<LoadedConfiguration> {
    const text = `{\n    state off\n}\n${said}`.replaceAll(/\b1053\b/g, `${this.ports[0]}`)
      .replaceAll(/\b1054\b/g, `${this.ports[1]}`);
    const { configuration, modules, problems, hash } = await loadCorefile(
      { file: "Corefile", text },
      this.#modules,
      this.ports[0],
    );
    const hasErrors = problems.errors.length > 0;
    return {
      ...{ configuration, modules, hash, hasErrors },
      problems: hasErrors ? formatProblems(problems, { source: () => text }) : "",
    };
  }
}

/** A plugin of the tests' own that answers with a given RCODE, beside all others. */
function withPlugin(module: Partial<PluginModule>): readonly PluginModule[] {
  const probe: PluginModule = {
    name: "probe",
    usage: "probe CODE",
    options: {},
    parse: ([directive]) => directive!.args[0]!.text,
    answerer: (code: string) => ({ name: "probe", answer: () => emptyAnswer(Number(code)) }),
    ...module,
  };
  return [...plugins, probe];
}

const block = (code: number | string, more = "", key = ".:1053") =>
  `${key} {\n    bind 127.0.0.1\n    probe ${code}\n${more}}\n`;

/** Whether nobody listens there. */
function isFree(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    Deno.listenDatagram({ transport: "udp", hostname, port }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("a reload serves by the new configuration, and its epochs go on from the old ones", async () => {
  const modules = withPlugin({ start: (code, scope) => scope.publish(code) });
  await using server = await Reloadable.start(block(RCODE.REFUSED), modules);
  const { epoch } = server.supervisor.server.publisher.snapshot;
  assert.equal(await server.ask(), RCODE.REFUSED);
  const report = await server.reload(block(RCODE.NXDOMAIN));
  assert.deepEqual([report.taken, report.why], [true, "a test"]);
  assert.equal(await server.ask(), RCODE.NXDOMAIN);
  assert.ok(server.supervisor.server.publisher.snapshot.epoch > epoch);
  assert.equal(server.failures, 0);
});

Deno.test("a connection stays over a reload, and what it asks then is answered by the new configuration", async () => {
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.ports[0] });
  const rcodeOf = async () => {
    await connection.write(new Uint8Array([0, 17, 0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]));
    const buffer = new Uint8Array(512);
    await connection.read(buffer);
    return buffer[5]! & 15;
  };
  assert.equal(await rcodeOf(), RCODE.REFUSED);
  await server.reload(block(RCODE.NXDOMAIN));
  assert.equal(await rcodeOf(), RCODE.NXDOMAIN);
});

Deno.test("what cannot be started is undone, told and counted, and the old configuration serves on", async () => {
  const closed: string[] = [];
  const start = (code: string, scope: ControlScope) => {
    scope.own({ close: () => void closed.push(code) });
    if (code === "x") throw new Error("no such thing");
  };
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({ start }));
  const { server: before } = server.supervisor;
  const { taken, reason } = await server.reload(block("x", "", ".:1053 .:1054"));
  assert.deepEqual([taken, reason], [false, "no such thing"]);
  assert.deepEqual(closed, ["x"]);
  assert.equal(server.supervisor.server, before);
  assert.equal(await server.ask(), RCODE.REFUSED);
  await assert.rejects(server.ask("www.example.org", { second: true, timeoutMs: 300 }));
  assert.equal(server.failures, 1);
  const errors = server.logged.filter((line) => line.startsWith("error: "));
  assert.deepEqual(errors, ["error: Not reloaded (a test), serving as before: no such thing"]);
});

Deno.test("a Corefile with problems changes nothing, and each is told with its position", async () => {
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  const { taken, reason } = await server.reload(block(RCODE.NOERROR, "    whoam\n"));
  assert.equal(taken, false);
  assert.match(reason!, /^Corefile:7:5: Unknown directive 'whoam'/);
  assert.equal(await server.ask(), RCODE.REFUSED);
});

Deno.test("a configuration that meets a bug at its own names is not taken", async () => {
  const zone = Deno.makeTempFileSync();
  Deno.writeTextFileSync(zone, "$TTL 60\n@ SOA ns1 h 1 2h 30m 2w 5m\n@ NS ns1\nns1 A 192.0.2.53\n");
  const answerer: PluginModule["answerer"] = (code: string) => ({
    name: "probe",
    answer(context, next): Answer | Promise<Answer> {
      if (code === "x") throw new TypeError("a bug on purpose");
      return next(context);
    },
  });
  const modules = withPlugin({ answerer });
  // Above file, so that it is asked at all.
  const ordered = [modules.at(-1)!, ...modules.slice(0, -1)];
  const text = (code: string) => block(code, `    file ${zone}\n`, "example.org:1053");
  await using server = await Reloadable.start(text("0"), ordered);
  const { taken, reason } = await server.reload(text("x"));
  assert.deepEqual([taken, reason], [
    false,
    "1 questions about its own names met a bug, which is told above",
  ]);
  assert.equal(await server.ask(), RCODE.NXDOMAIN);
  assert.ok(server.logged.some((line) => line.includes("a bug on purpose")));
  Deno.removeSync(zone);
});

Deno.test("ports that are new open, ports that are gone close, and the rest keep their sockets", async () => {
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  const [first] = server.supervisor.server.listening;
  await server.reload(block(RCODE.REFUSED) + block(RCODE.NXDOMAIN, "", ".:1054"));
  assert.equal(await server.ask(), RCODE.REFUSED);
  assert.equal(await server.ask("www.example.org", { second: true }), RCODE.NXDOMAIN);
  assert.equal(server.supervisor.server.listening[0], first);
  await server.reload(block(RCODE.NXDOMAIN, "", ".:1054"));
  await until("the port to be closed", () => isFree("127.0.0.1", server.ports[0]));
  assert.equal(await server.ask("www.example.org", { second: true }), RCODE.NXDOMAIN);
});

Deno.test("another bind of the same port opens and closes addresses, not the port", async () => {
  const text = (address: string) => `.:1053 {\n    bind ${address}\n    probe 5\n}\n`;
  await using server = await Reloadable.start(text("127.0.0.1"), withPlugin({}));
  await server.reload(text("127.0.0.1 127.0.0.2"));
  for (const address of ["127.0.0.1", "127.0.0.2"]) assert.equal(await server.ask("a.", { address }), 5);
  await server.reload(text("127.0.0.2"));
  await until("the address to be closed", () => isFree("127.0.0.1", server.ports[0]));
  assert.equal(await server.ask("a.", { address: "127.0.0.2" }), 5);
});

Deno.test("a port that cannot be had leaves everything as it was", async () => {
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  using _taken = Deno.listen({ hostname: "127.0.0.1", port: server.ports[1] });
  const { taken, reason } = await server.reload(block(RCODE.NXDOMAIN, "", ".:1053 .:1054"));
  assert.equal(taken, false);
  assert.match(reason!, /another program has it/);
  assert.equal(await server.ask(), RCODE.REFUSED);
});

Deno.test("reloads that wait in line when the server stops read nothing any more", async () => {
  const server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  const loads = server.loads;
  const first = server.reload();
  const others = [server.reload(), server.reload()];
  const closed = server.supervisor.close();
  await first;
  for (const other of others) assert.equal((await other).reason, "the server is stopping");
  assert.ok(server.loads <= loads + 1);
  await closed;
});

Deno.test("a plugin is stopped when what it was asked has been answered, and no sooner", async () => {
  const gate = Promise.withResolvers<void>(), asked = Promise.withResolvers<void>();
  const events: string[] = [];
  const modules = withPlugin({
    waits: true,
    start: (code, scope) => void scope.own({ close: () => void events.push(`closed ${code}`) }),
    answerer: (code: string) => ({
      name: "probe",
      async answer() {
        asked.resolve();
        if (code === "5") await gate.promise;
        events.push(`answered ${code}`);
        return emptyAnswer(Number(code));
      },
    }),
  });
  await using server = await Reloadable.start(block(RCODE.REFUSED), modules);
  const underWay = server.ask();
  await asked.promise;
  await server.reload(block(RCODE.NXDOMAIN));
  assert.equal(await server.ask(), RCODE.NXDOMAIN);
  assert.deepEqual(events, ["answered 3"]);
  gate.resolve();
  assert.equal(await underWay, RCODE.REFUSED);
  await until("the old plugin to be closed", () => events.includes("closed 5"));
  assert.deepEqual(events, ["answered 3", "answered 5", "closed 5"]);
});

Deno.test("a plugin inherits from the one of the same zones and ports, wherever they stand", async () => {
  const inherited: Record<string, unknown> = {};
  const start = (code: string, scope: ControlScope) => {
    inherited[code] = scope.inherited;
    scope.bequeath(() => `from ${code}`);
  };
  await using server = await Reloadable.start(
    block(1, "", "a.example:1053") + block(2, "", "b.example:1053"),
    withPlugin({ start }),
  );
  await server.reload(
    block(3, "", "b.example:1053") + block(4, "", "c.example:1053") + block(5, "", "a.example:1054"),
  );
  assert.deepEqual(inherited, { 1: undefined, 2: undefined, 3: "from 2", 4: undefined, 5: undefined });
});

Deno.test("plugins of one process know each other by its identity, over reloads", async () => {
  const identities = new Set<object>();
  const start = (_: unknown, { process }: ControlScope) => void identities.add(process.identity);
  await using server = await Reloadable.start(block(1), withPlugin({ start }));
  await server.reload(block(2));
  await using _other = await Reloadable.start(block(1), withPlugin({ start }));
  assert.equal(identities.size, 2);
});

Deno.test("reloadIfChanged() heeds what is said and not how, tries what fails once, and warns of what is no Corefile", async () => {
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  const look = async (text: string) => (server.text = text, await server.supervisor.reloadIfChanged());
  assert.equal(await look(`# a comment\n${block(RCODE.REFUSED)}\n\n`), undefined);
  assert.equal(server.loads, 0);
  assert.equal((await look(block(RCODE.NXDOMAIN)))!.taken, true);
  assert.equal((await look(block(RCODE.NXDOMAIN, "    whoam\n")))!.taken, false);
  assert.equal(await look(block(RCODE.NXDOMAIN, "    whoam\n")), undefined);
  assert.equal(server.failures, 1);
  const warnings = () => server.logged.filter((line) => line.startsWith("warn: ")).length;
  for (let looks = 1; looks <= 2; looks++) {
    assert.equal(await look(".:1053 {"), undefined);
    assert.equal(warnings(), looks);
  }
  assert.equal(server.failures, 1);
  assert.equal(await server.ask(), RCODE.NXDOMAIN);
  assert.equal((await look(block(RCODE.REFUSED)))!.taken, true);
});

Deno.test("what is read elsewhere is served by where it stands, and where not nothing is read again", async () => {
  const one = "example.org:1053 {\n    whoami\n}\n";
  await using server = await Reloadable.start(one);
  const refused = await server.supervisor.reload(
    "elsewhere",
    () => server.load("example.org:1053 {\n    wohami\n}\n"),
  );
  assert.equal(refused.taken, false);
  assert.equal(await server.supervisor.reloadIfChanged(), undefined);
  assert.equal(server.loads, 0);
  const taken: string[] = [];
  const other = {
    ...await server.load("example.net:1053 {\n    whoami\n}\n"),
    onTaken: () => void taken.push("it"),
  };
  assert.equal((await server.supervisor.reload("elsewhere", () => Promise.resolve(other))).taken, true);
  assert.deepEqual(taken, ["it"]);
  assert.equal(await server.ask("www.example.net"), RCODE.NOERROR);
});

Deno.test("reloads take turns, and the last one wanted is the one that serves", async () => {
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  const reports = [];
  for (const code of [RCODE.NXDOMAIN, RCODE.REFUSED, RCODE.NOTIMP]) reports.push(server.reload(block(code)));
  assert.deepEqual((await Promise.all(reports)).map(({ taken }) => taken), [true, true, true]);
  assert.equal(await server.ask(), RCODE.NOTIMP);
});

Deno.test("the hash of what is served by is shown, and no other", async () => {
  await using server = await Reloadable.start(block(RCODE.REFUSED), withPlugin({}));
  const shown = () =>
    formatMetrics(server.supervisor.server.metrics.read()).split("\n")
      .filter((line) => line.startsWith("coredns_reload_version_info"));
  const [before] = shown();
  assert.match(before!, /^coredns_reload_version_info\{hash="sha512",value="[0-9a-f]{128}"\} 1$/);
  await server.reload(block(RCODE.NXDOMAIN));
  assert.equal(shown().length, 1);
  assert.notEqual(shown()[0], before);
});

Deno.test("servers that were replaced are let go of, reload after reload", async () => {
  const text = (answers: number) =>
    `example.org:1053 {
    bind 127.0.0.1
    prometheus 127.0.0.1:${helperPort}
    ready 127.0.0.1:${helperPort}
    reload
    geo
    health {
        check tcp 9
        watch watched.example.org
    }
    anycast www.example.org {
        nodes nodes.yaml
        answers ${answers}
    }
    rrl
    cache
    forward . 127.0.0.1:9
}
`;
  const helperPort = freePort();
  await using server = await Reloadable.start(text(1), plugins);
  // In functions of their own, so that nothing here holds on to a server.
  const current = () => {
    const { server: { publisher, answering } } = server.supervisor;
    return [new WeakRef(publisher), new WeakRef(answering)];
  };
  const reload = async (answers: number) => (await server.reload(text(answers))).taken;
  const replaced: WeakRef<object>[] = [];
  for (const answers of [2, 1, 2, 1]) {
    replaced.push(...current());
    assert.equal(await reload(answers), true);
  }
  // The last one may stand on the stack of whoever replaced it.
  assert.ok(await stillHeld(replaced, { atMost: 2 }) <= 2);
});
