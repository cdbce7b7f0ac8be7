import assert from "node:assert/strict";
import { Distributed } from "../../core/command/distributed.ts";
import { loadCorefile } from "../../core/command/load.ts";
import { digestOf } from "../../core/state/canonical.ts";
import type { SeenConfiguration, WantedConfiguration } from "../../core/membership/protocol.ts";
import type { LoadedConfiguration } from "../../core/server/supervisor.ts";
import { plugins } from "../../plugins/mod.ts";
import { withFolder } from "./meridian.ts";

const OWN = "state state\nstate sqlite fleet.db\nserver fra\nworkers 3";

/** One server's configuration, with somebody who serves by whatever can be loaded. */
class Stage {
  readonly distributed: Distributed;
  readonly seen: SeenConfiguration[] = [];
  readonly served: LoadedConfiguration[] = [];
  readonly log: string[] = [];
  /** Why nothing can be served by; undefined = it can. */
  obstacle: string | undefined;

  constructor(readonly folder: string, options = "configuration on") {
    this.say(options);
    const tell = (line: string) => void this.log.push(line);
    this.distributed = new Distributed({
      readDisk: () => ({ file: `${folder}/Corefile`, text: Deno.readTextFileSync(`${folder}/Corefile`) }),
      ...{ builtIn: plugins, defaultPort: 53, log: { info: tell, error: tell } },
      asLoaded: ({ configuration, modules, hash, problems: { errors } }) => ({
        ...{ configuration, modules, hash, hasErrors: errors.length > 0 },
        problems: errors.map(({ message }) => message).join(),
      }),
    });
  }

  /** What the Corefile on the disk says from now on. */
  say(options: string): void {
    Deno.writeTextFileSync(`${this.folder}/Corefile`, `{\n${OWN}\n${options}\n}\nexample.org {\nwhoami\n}\n`);
  }

  /** As a supervisor does after a reload. */
  begin(): void {
    this.distributed.begin({
      reload: async (why, load = async () => (await this.distributed.load())!) => {
        const loaded = await load(), taken = !loaded.hasErrors && this.obstacle === undefined;
        if (taken) {
          loaded.onTaken?.();
          this.served.push(loaded);
        }
        this.begin();
        return { atMs: 0, why, taken, ...!taken && { reason: this.obstacle ?? loaded.problems } };
      },
      tellSeen: (seen) => void this.seen.push(seen),
    });
  }

  /** What is told of a version. */
  async take(number: number, corefile: string, files: Record<string, string> = {}) {
    const digest = digestOf({ corefile, files });
    const wanted: WantedConfiguration = { number, digest, at: "", corefile, files };
    this.distributed.take(wanted);
    return await this.told();
  }

  /** What was told last, once nothing is under way any more. */
  async told(): Promise<SeenConfiguration | undefined> {
    await this.distributed.idle();
    return this.seen.at(-1);
  }
}

const withStage = (run: (stage: Stage) => Promise<void>, options?: string) =>
  withFolder({}, async (folder) => {
    const stage = new Stage(folder, options);
    stage.begin();
    await run(stage);
  });

Deno.test("a version is served with what is the server's own, and with what it says nothing of", async () => {
  await withStage(async (stage) => {
    const seen = await stage.take(1, "{\n    spin 50us\n    lease 1m\n}\nexample.net {\n    whoami\n}\n");
    assert.deepEqual([seen?.state, seen?.runs, seen?.number], ["running", 1, 1]);
    const { configuration: { globals, blocks } } = stage.served[0]!;
    assert.deepEqual([globals.membership!.server, globals.workers, globals.spinMs], ["fra", 3, 0.05]);
    assert.deepEqual(globals.membership!.lease, { leaseMs: 60_000, beatMs: 20_000 });
    assert.equal(globals.stateDirectory, `${stage.folder}/state`);
    assert.equal(blocks.length, 1);
    await stage.take(2, "{\n    workers 1\n}\nexample.net {\n    whoami\n}\n");
    assert.equal(stage.served[1]!.configuration.globals.workers, 1);
  });
});

Deno.test("what is not allowed is told, and not even looked at", async () => {
  await withStage(async (stage) => {
    const plugin = `${stage.folder}/mine.ts`;
    await Deno.writeTextFile(
      plugin,
      `Deno.writeTextFileSync("${stage.folder}/was-run", "");export default {}`,
    );
    const seen = await stage.take(1, `{\n    plugin ${plugin}\n}\nexample.net {\n    whoami\n}\n`);
    assert.match(seen!.reason!, /^Corefile:2:12: plugin: allow-exec does not list/);
    assert.throws(() => Deno.statSync(`${stage.folder}/was-run`), Deno.errors.NotFound);
    for (
      const option of [
        "state elsewhere",
        "server waw",
        "control off",
        "configuration off",
        "allow-exec /bin/sh",
      ]
    ) {
      const seen = await stage.take(2, `{\n    ${option}\n}\nexample.net {\n    whoami\n}\n`);
      assert.match(seen!.reason!, /is for the Corefile on a server's own disk to say/, option);
    }
    assert.deepEqual(stage.served, []);
  });
});

Deno.test("a version imports nothing but its own files, and tells nothing of others", async () => {
  await withStage(async (stage) => {
    const secret = `${stage.folder}/secret`, sound = `${stage.folder}/sound`;
    await Deno.writeTextFile(sound, "example.com {\n    whoami\n}\n");
    await Deno.writeTextFile(secret, "hunter2 {\n    hunter3\n}\n");
    for (const path of [secret, sound, "../../../sound", `${stage.folder}/state/configuration/../../sound`]) {
      const seen = await stage.take(1, `import ${path}\nexample.net {\n    whoami\n}\n`);
      assert.equal(seen?.state, "refused", path);
      assert.doesNotMatch(seen.reason!, /hunter/);
    }
    const zone = await stage.take(2, `example.net {\n    file ${secret}\n}\n`);
    assert.equal(zone?.state, "refused");
    assert.doesNotMatch(zone.reason!, /hunter/);
    const { errors } = await stage.distributed.validate({
      corefile: `example.net {\n    file ${secret}\n}\n`,
      files: {},
    });
    assert.equal(errors.length > 0, true);
    assert.doesNotMatch(JSON.stringify(errors), /hunter/);
    const own = await stage.take(3, "import more\n", { more: "example.net {\n    whoami\n}\n" });
    assert.equal(own?.state, "running", `${own?.reason}`);
  });
});

Deno.test("what could not be served is tried again when it is wanted anew, and when the disk has been read again", async () => {
  await withStage(async (stage) => {
    const version = "example.net {\n    whoami\n}\n";
    await stage.take(1, version);
    stage.obstacle = "port 53 is taken";
    const refused = await stage.take(2, `${version}# 2`);
    assert.deepEqual([refused?.state, refused?.runs, refused?.reason], ["refused", 1, "port 53 is taken"]);
    // What it serves is there for its restart, and nothing else.
    const kept = [...Deno.readDirSync(`${stage.folder}/state/configuration`)].map(({ name }) => name[0])
      .sort();
    assert.deepEqual(kept, ["1", "a"]);
    stage.obstacle = undefined;
    stage.begin();
    assert.deepEqual([(await stage.told())!.runs, stage.served.length], [2, 2]);
  });
});

Deno.test("a server whose disk does not say so takes none, until it does", async () => {
  await withStage(async (stage) => {
    const seen = await stage.take(1, "example.net {\n    whoami\n}\n");
    assert.deepEqual([seen?.state, seen?.runs], ["refused", 0]);
    assert.match(seen!.reason!, /does not say `configuration on`/);
    stage.say("configuration on");
    stage.begin();
    assert.equal((await stage.told())!.state, "running");
  }, "configuration off");
});

Deno.test("a version that was altered on its way is not served", async () => {
  await withStage(async (stage) => {
    const wanted = { number: 1, digest: "d", at: "", corefile: "example.net {\nwhoami\n}\n", files: {} };
    stage.distributed.take({ ...wanted, fault: "its digest is another" });
    assert.equal((await stage.told())?.reason, "its digest is another");
    stage.distributed.take({ ...wanted, digest: "a".repeat(64), files: { "../x": "" } });
    assert.match((await stage.told())!.reason!, /"\.\.\/x" is no path below/);
    assert.deepEqual(stage.served, []);
  });
});

Deno.test("to share a configuration takes a store and a folder, and to list a program its whole path", async () => {
  const errorsOf = async (globals: string) => {
    const text = `{\n    ${globals.replaceAll("\n", "\n    ")}\n}\nexample.org {\n    whoami\n}\n`;
    const { problems } = await loadCorefile({ file: "Corefile", text }, plugins, 53);
    return problems.errors.map(({ at, message }) => `${at.line}:${at.column} ${message}`);
  };
  assert.match((await errorsOf("configuration on"))[0]!, /^2:5 configuration: is shared through a store/);
  assert.match(
    (await errorsOf("state sqlite x\nstate off\nconfiguration on"))[0]!,
    /^4:5 .* no `state off`$/,
  );
  assert.match((await errorsOf("configuration maybe"))[0]!, /^2:19 /);
  assert.match(
    (await errorsOf("allow-exec /bin/true bin/x"))[0]!,
    /^2:26 allow-exec: PATH must begin with \//,
  );
  assert.deepEqual(
    await errorsOf("state sqlite x\nconfiguration on\nallow-exec /bin/a /bin/b\nallow-exec /c"),
    [],
  );
});
