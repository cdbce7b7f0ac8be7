import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../core/clock.ts";
import { canonicalJson, digestOf } from "../../core/state/canonical.ts";
import { KEYS } from "../../core/state/keys.ts";
import { openSqliteStore } from "../../core/state/sqlite_store.ts";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess } from "../command/meridian.ts";

/** Servers over one store, which share their configuration. */
class Fleet implements AsyncDisposable {
  readonly servers = new Map<string, ServeProcess>();
  readonly #ports = new Map<string, { readonly DNS_PORT: string; readonly API_PORT: string }>();
  readonly #corefiles = new Map<string, string>();
  readonly #asking: Promise<void>[] = [];
  readonly wrong: string[] = [];
  asked = 0;
  #isEnded = false;

  private constructor(readonly folder: string) {}

  static async open(): Promise<Fleet> {
    return new Fleet(await Deno.makeTempDir({ prefix: "meridian-configuration-" }));
  }

  folderOf(id: string): string {
    return `${this.folder}/${id}`;
  }

  /** Starts one, by a Corefile of its own: it says `own`. */
  async start(id: string, options = ""): Promise<ServeProcess> {
    await Deno.mkdir(this.folderOf(id), { recursive: true });
    await Deno.writeTextFile(`${this.folderOf(id)}/own.zone`, zone("own"));
    this.#ports.set(id, { DNS_PORT: `${freePort()}`, API_PORT: `${freePort()}` });
    this.#corefiles.set(
      id,
      `{
    state state
    state sqlite ../fleet.db
    server ${id}
    configuration on
    workers 1
    ${options}
}
example.org:{$DNS_PORT} {
    api localhost:{$API_PORT}
    file own.zone
}
`,
    );
    const server = await this.restart(id);
    await until("the interface", () => server.output.includes("/v1/"));
    return server;
  }

  /** Starts one that was there before. */
  async restart(id: string): Promise<ServeProcess> {
    const ports = this.#ports.get(id)!, corefile = this.#corefiles.get(id)!;
    const server = await ServeProcess.startWith(ports, this.folderOf(id), corefile);
    this.servers.set(id, server);
    return server;
  }

  /** From its next start on its store is said to be elsewhere. */
  moveStore(id: string, store: string): void {
    this.#corefiles.set(id, this.#corefiles.get(id)!.replace("sqlite ../fleet.db", store));
  }

  /** Ends one. */
  async end(id: string): Promise<void> {
    const server = this.servers.get(id)!;
    server.kill("SIGTERM");
    assert.equal(await server.end(), 0, server.output);
  }

  /** Writes a version into the store that nobody has looked at. */
  async smuggle(
    number: number,
    { Corefile: corefile = "", ...files }: Record<string, string>,
  ): Promise<void> {
    const store = openSqliteStore(`${this.folder}/fleet.db`, SYSTEM_CLOCK);
    const kept = {
      ...{ number, digest: digestOf({ corefile, files }), corefile, files, warnings: [] },
      ...{ actor: "token:mallory", at: new Date().toISOString() },
    };
    await store.transact([{ put: KEYS.configurationVersion(number), value: canonicalJson(kept) }]);
    await store.close();
  }

  /** Waits until some servers have refused a version, and told this. */
  async refuses(ids: readonly string[], number: number, why: RegExp): Promise<void> {
    for (const id of ids) {
      const { reason } = await until(`${id} to refuse ${number}`, async () => {
        const seen = (await this.rollout()).seen[id];
        return seen?.number === number && seen.state === "refused" ? seen : undefined;
      });
      assert.match(reason, why);
    }
  }

  /** `meridian config …`, asked of the first server. */
  async config(...args: string[]) {
    return await meridian(
      ...[this.folder, "config", ...args, "-control", `${this.folderOf("a")}/state/control.sock`] as const,
    );
  }

  /** Keeps a version. @returns Its number. */
  async propose(files: Readonly<Record<string, string>>): Promise<number> {
    const { code, stdout, stderr } = await this.config("propose", await this.write(files), "-json");
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout).number;
  }

  /** Writes a version to be proposed. */
  async write(files: Readonly<Record<string, string>>): Promise<string> {
    const folder = await Deno.makeTempDir({ dir: this.folder });
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${path}`, text);
    }
    return folder;
  }

  async apply(number: number, ...args: string[]): Promise<void> {
    const { code, stderr } = await this.config("apply", `${number}`, "-yes", ...args);
    assert.equal(code, 0, stderr);
  }

  async rollout() {
    return JSON.parse((await this.config("status", "-json")).stdout);
  }

  /** What a server answers; each way of answering has a text of its own. */
  async said(id: string): Promise<string> {
    const { answer } = await askServer(Number(this.#ports.get(id)!.DNS_PORT), "www.example.org", "TXT");
    return answer.map(({ rdata }) => new TextDecoder().decode(rdata.slice(1))).join();
  }

  async says(id: string, text: string): Promise<void> {
    await until(`${id} to say ${text}`, async () => await this.said(id) === text);
  }

  /** Asks every server all the time: none may leave a question without an answer. */
  keepAsking(): void {
    for (const [id] of this.servers) {
      this.#asking.push((async () => {
        while (!this.#isEnded) {
          const said = await this.said(id).catch((error) => `nothing: ${error.message}`);
          if (!/^(own|one|two)$/.test(said)) this.wrong.push(`${id} said ${said}`);
          this.asked++;
          await new Promise((resolve) => setTimeout(resolve, 3));
        }
      })());
    }
  }

  async stopAsking(): Promise<void> {
    this.#isEnded = true;
    await Promise.all(this.#asking);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopAsking();
    for (const server of this.servers.values()) await server[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

function zone(text: string): string {
  return `$ORIGIN example.org.
@ 60 IN SOA ns.example.net. hostmaster.example.net. 1 3600 600 86400 60
@ 60 IN NS ns.example.net.
www 60 IN TXT ${text}
`;
}

/** One Corefile for all: what is each server's own stands in its environment. */
function version(text: string, more = ""): Record<string, string> {
  return {
    Corefile: `example.org:{$DNS_PORT} {
    api localhost:{$API_PORT}
    file zones/example.org.zone
}
${more}
`,
    "zones/example.org.zone": zone(text),
  };
}

/** A check that runs a program, on a port that is nobody's. */
const checking = (port: number, program: string) =>
  `other.example:${port} {
    health {
        check exec ${program}
    }
    anycast entry.other.example {
        nodes nodes.yaml
        unknown nearest 50 8
    }
    geo
}
`;

const NODES = `nodes:
  - { id: n1, addresses: [127.0.0.61], location: { latitude: 50, longitude: 8 } }
`;

Deno.test("servers take a version one after the other, stay on what they run where it is wrong, and go back", async () => {
  await using fleet = await Fleet.open();
  await fleet.start("a", "allow-exec /bin/true");
  await fleet.start("b");
  for (const id of ["a", "b"]) await fleet.says(id, "own");
  fleet.keepAsking();
  const one = await fleet.propose(version("one")), two = await fleet.propose(version("two"));
  assert.deepEqual([one, two], [1, 2]);
  assert.match((await fleet.config("diff", "1", "2")).stdout, /^-www 60 IN TXT one\n\+www 60 IN TXT two$/m);

  // One tries it, then all run it.
  await fleet.apply(one, "-server", "b");
  await fleet.says("b", "one");
  assert.equal(await fleet.said("a"), "own");
  await until("b to have told", async () => (await fleet.rollout()).seen.b?.runs === 1);
  await fleet.apply(one);
  await fleet.says("a", "one");
  await fleet.apply(two);
  for (const id of ["a", "b"]) await fleet.says(id, "two");

  const sound = await fleet.config("validate", await fleet.write(version("one")));
  assert.deepEqual([sound.code, sound.stdout], [0, "nothing is wrong with it\n"]);

  // What can be seen to be wrong is not even kept.
  const broken = { ...version("one"), "zones/example.org.zone": "@ 60 IN SOA what is this\n" };
  const refused = await fleet.config("propose", await fleet.write(broken));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^ {2}\/files\/zones~1example\.org\.zone: zones\/example\.org\.zone:1:\d+: /m);

  // The same, by who asked nobody: each server looks for itself.
  await fleet.smuggle(3, broken);
  await fleet.apply(3);
  await fleet.refuses(["a", "b"], 3, /^zones\/example\.org\.zone:1:\d+: /);
  assert.deepEqual([await fleet.said("a"), await fleet.said("b")], ["two", "two"]);
  assert.equal((await fleet.config("rollback", "-yes")).stdout, "all servers: version 2\n");
  await until("all to run 2", async () => {
    const { seen: { a, b } } = await fleet.rollout();
    return [a, b].every(({ number, runs, state }) => number === 2 && runs === 2 && state === "running");
  });

  // A port that somebody else has can be seen by those alone who want it.
  using taken = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port } = taken.addr;
  const four = await fleet.propose(version("one", `other.example:${port} {\n    whoami\n}\n`));
  await fleet.apply(four);
  await fleet.refuses(["a", "b"], four, new RegExp(`${port}`));
  assert.equal((await fleet.config("rollback", "-yes")).code, 0);

  // A program that one server's own disk allows, and another's does not.
  const five = await fleet.propose({
    ...version("one", checking(freePort(), "/bin/true")),
    "nodes.yaml": NODES,
  });
  await fleet.apply(five, "-server", "b");
  await fleet.refuses(["b"], five, /^Corefile:\d+:\d+: exec: allow-exec does not list '\/bin\/true'/);
  const unready = await fleet.config("apply", `${five}`, "-yes");
  assert.match(unready.stderr, /b refused version 5: Corefile/);
  assert.equal((await fleet.config("rollback", "-yes")).code, 0);
  await fleet.apply(five, "-server", "a");
  await fleet.says("a", "one");
  assert.equal(await fleet.said("b"), "two");
  // The trial ends.
  assert.equal((await fleet.config("rollback", "-yes")).stdout, "all servers: version 2\n");
  for (const id of ["a", "b"]) await fleet.says(id, "two");
  const table = await fleet.config("history");
  assert.match(table.stdout, /^ *2 .* local:root +current *$/m);

  await fleet.stopAsking();
  assert.deepEqual(fleet.wrong, []);
  assert.ok(fleet.asked > 100, `${fleet.asked} questions`);
});

Deno.test("what was applied last is served without a store; without a version, and when it is off, the disk's own is", async () => {
  await using fleet = await Fleet.open();
  await fleet.start("a");
  await fleet.propose(version("one"));
  await fleet.apply(1, "-server", "a");
  await fleet.says("a", "one");
  await fleet.end("a");
  // No store, and no copy of it: nothing but the version's own folder.
  await Deno.remove(`${fleet.folderOf("a")}/state/fleet.json`);
  fleet.moveStore("a", `etcd http://127.0.0.1:${freePort()}`);
  const server = await fleet.restart("a");
  await fleet.says("a", "one");
  const corefile = await Deno.readTextFile(`${fleet.folderOf("a")}/Corefile`);
  await Deno.writeTextFile(
    `${fleet.folderOf("a")}/Corefile`,
    corefile.replace("configuration on", "configuration off"),
  );
  server.kill("SIGHUP");
  await fleet.says("a", "own");
});

Deno.test("a version that cannot be served after a restart is told, and the disk's own is served", async () => {
  await using fleet = await Fleet.open();
  await fleet.start("a");
  const port = freePort();
  await fleet.propose(version("one", `other.example:${port} {\n    whoami\n}\n`));
  await fleet.apply(1);
  await fleet.says("a", "one");
  await fleet.end("a");
  using _taken = Deno.listen({ hostname: "0.0.0.0", port });
  const server = await fleet.restart("a");
  await server.says(/Version 1 of the configuration cannot be served any more/);
  await fleet.says("a", "own");
  await fleet.refuses(["a"], 1, new RegExp(`${port}`));
  assert.equal((await fleet.rollout()).seen.a.runs, 0);
});

Deno.test("the end of the only trial leads back to what is on the disk", async () => {
  await using fleet = await Fleet.open();
  await fleet.start("a");
  await fleet.propose(version("one"));
  await fleet.apply(1, "-server", "a");
  await fleet.says("a", "one");
  assert.equal((await fleet.config("rollback", "-yes")).stdout, "all servers: what is on their disks\n");
  await fleet.says("a", "own");
  const kept = () => [...Deno.readDirSync(`${fleet.folderOf("a")}/state/configuration`)];
  await until("no version to be kept", () => kept().length === 0);
});
