/** How a running process is told to read its Corefile again, and to give way to another process. */

import assert from "node:assert/strict";
import { askControl } from "../../core/server/control_socket.ts";
import { askServer } from "../support/server.ts";
import { until } from "../support/until.ts";
import { meridian, ServeProcess, withFolder } from "./meridian.ts";

/** Answers with an address that tells one version from the other. */
const corefile = (version: number, more = "") =>
  `.:1053 {\n    bind 127.0.0.1\n    hosts {\n        192.0.2.${version} www.example.org\n    }\n${more}}\n`;

const elsewhere = Deno.build.os !== "linux";

/** A process that serves version 1, with what a test does to it. */
async function serving(
  body: (serving: {
    process: ServeProcess;
    folder: string;
    write(text: string): void;
    version(): Promise<number>;
    pid(): number;
  }) => Promise<void>,
  ...flags: string[]
): Promise<void> {
  await withFolder({}, async (folder) => {
    await using process = await ServeProcess.start(folder, corefile(1), "-pidfile", "pid", ...flags);
    const pid = () => Number(Deno.readTextFileSync(`${folder}/pid`));
    const { port } = process;
    try {
      await body({
        process,
        folder,
        pid,
        write: (text) => Deno.writeTextFileSync(`${folder}/Corefile`, text.replaceAll("1053", `${port}`)),
        async version() {
          return (await askServer(port, "www.example.org", "A")).answer[0]!.rdata[3]!;
        },
      });
    } finally {
      const last = pid();
      if (last !== process.pid) {
        Deno.kill(last, "SIGTERM");
        await until("the last process to end", () => !isAlive(last));
      }
    }
  });
}

for (const signal of ["SIGHUP", "SIGUSR1"] as const) {
  Deno.test(`${signal} reads the Corefile again`, () =>
    serving(async ({ process, write, version }) => {
      assert.equal(await version(), 1);
      write(corefile(2));
      process.kill(signal);
      await until("a reload", () => process.output.includes(`[INFO] Reloaded (${signal})`));
      assert.equal(await version(), 2);
    }));
}

Deno.test("SIGUSR1 leaves no debugger behind", () =>
  serving(async ({ process }) => {
    // The runtime listens for the signal from half a second on.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    process.kill("SIGUSR1");
    await until("a reload", () => process.output.includes("[INFO] Reloaded (SIGUSR1)"));
    const debuggers = await fetch("http://127.0.0.1:9229/json").then((response) => response.text(), () => "");
    assert.doesNotMatch(debuggers, new RegExp(`pid: ${process.pid}\\b`));
  }));

for (const flags of [["-workers", "0"], ["-workers", "2"]]) {
  Deno.test(`meridian reload says what became of it: ${["serve", ...flags].join(" ")}`, () =>
    serving(async ({ process, folder, write, version }) => {
      write(corefile(2));
      const taken = await meridian(folder, "reload");
      assert.deepEqual([taken.code, taken.stdout, taken.stderr], [0, "reloaded\n", ""]);
      assert.equal(await version(), 2);
      write(corefile(3, "    whoam\n"));
      const refused = await meridian(folder, "reload");
      assert.deepEqual([refused.code, refused.stdout], [1, ""]);
      assert.match(
        refused.stderr,
        /^not reloaded, serving as before: Corefile:6:5: Unknown directive 'whoam'/,
      );
      await process.says(/^\[ERROR\] Not reloaded .* Corefile:6:5: Unknown directive 'whoam'/m);
      assert.equal(await version(), 2);
      const { stdout } = await meridian(folder, "status");
      assert.match(stdout, /^not reloaded .* ago \(the reload command\), serving as before: Corefile:6:5/m);
    }, ...flags));
}

Deno.test("meridian reload ends with 2 where no server is", () =>
  withFolder({}, async (folder) => {
    const { code, stderr } = await meridian(folder, "reload");
    assert.equal(code, 2);
    assert.match(stderr, /Cannot reach a server/);
  }));

Deno.test("a Corefile with reload is looked at again and again", () =>
  serving(async ({ write, version, folder }) => {
    write(corefile(2, "    reload 2s 0s\n"));
    await meridian(folder, "reload");
    write(corefile(3, "    reload 2s 0s\n"));
    await until("the third version", async () => await version() === 3);
  }));

Deno.test({
  name: "SIGUSR2 has another process take over, with the pidfile and the control socket, and that one too",
  ignore: elsewhere,
  fn: () =>
    serving(async ({ process: { port }, folder, write, version, pid }) => {
      const hostname = "127.0.0.1";
      const pids = [pid()];
      for (const next of [2, 3]) {
        write(corefile(next));
        Deno.kill(pids.at(-1)!, "SIGUSR2");
        await until("another pid", () => pid() > 0 && pid() !== pids.at(-1));
        pids.push(pid());
        assert.equal(await version(), next);
      }
      await until("the first to end", () => !isAlive(pids[0]!));
      await until("the second to end", () => !isAlive(pids[1]!));
      assert.equal(await version(), 3);
      assert.equal(pid(), pids[2]);
      const join = () => Deno.listenDatagram({ transport: "udp", hostname, port, reuseAddress: true });
      assert.throws(join, Deno.errors.AddrInUse, "whoever binds last has all that comes");
      assert.equal(JSON.parse((await meridian(folder, "status", "-json")).stdout).listening.length, 1);
    }),
});

Deno.test({
  name: "a process that cannot take over leaves the other one as it was",
  ignore: elsewhere,
  fn: () =>
    serving(async ({ process, folder, write, version, pid }) => {
      const before = pid();
      write(corefile(2, "    whoam\n"));
      assert.equal((await meridian(folder, "serve", "-replace")).code, 1);
      // One that comes as far as to ask for the ports.
      const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      write(corefile(2, `    prometheus localhost:${taken.addr.port}\n`));
      const { code, stdout } = await meridian(folder, "serve", "-replace");
      assert.equal(code, 2);
      assert.match(stdout, /Cannot start: prometheus: cannot listen on localhost:/);
      Deno.kill(before, "SIGUSR2");
      await until("it to be told", () => process.output.includes("Not replaced, serving as before"));
      taken.close();
      assert.deepEqual([await version(), pid()], [1, before]);
      // And it can be replaced afterwards.
      Deno.kill(before, "SIGUSR2");
      await until("another pid", () => pid() !== before);
      assert.equal(await version(), 2);
    }),
});

Deno.test({
  name: "a process that has taken over serves although it cannot write its pidfile",
  ignore: elsewhere,
  fn: () =>
    serving(async ({ process, folder, version }) => {
      const flags = ["-replace", "-pidfile", "no/such/folder/pid"];
      await using next = await ServeProcess.start(
        folder,
        corefile(2).replaceAll("1053", `${process.port}`),
        ...flags,
      );
      await until("the first to end", () => process.output.includes("has taken over: ending"));
      await until("the complaint", () => next.output.includes("Serving all the same"));
      assert.equal(await version(), 2);
    }),
});

Deno.test({
  name: "a process that was killed while it took over is in nobody's way",
  ignore: elsewhere,
  fn: () =>
    serving(async ({ folder, version, pid, write, process }) => {
      const before = pid(), path = `${folder}/.meridian/control.sock`;
      // One that has asked for the ports, and comes no further.
      const stalled = new Deno.Command("cat", { stdin: "piped", stdout: "null" })
        .spawn();
      try {
        assert.ok("result" in await askControl(path, "hand-over", { pid: stalled.pid }));
        const second = await meridian(folder, "serve", "-replace");
        assert.match(
          `${second.code} ${second.stdout}`,
          new RegExp(`^2 [^]*process ${stalled.pid} is taking over already`),
        );
        Deno.kill(stalled.pid, "SIGKILL");
      } finally {
        await stalled.stdin.close().catch(() => {});
        await stalled.status;
      }
      await process.says(new RegExp(`process ${stalled.pid} was to take over and ended before it could`));
      write(corefile(2));
      Deno.kill(before, "SIGUSR2");
      await until("another pid", () => pid() !== before);
      assert.equal(await version(), 2);
    }),
});

Deno.test({
  name: "-replace starts as usual where there is nobody to replace",
  ignore: elsewhere,
  fn: () =>
    withFolder({}, async (folder) => {
      await using process = await ServeProcess.start(folder, corefile(1), "-replace");
      await process.says(/\[WARNING\] no server at .* to take over from: starting as usual/);
    }),
});

Deno.test({
  name: "a second server without -replace is told that the port is taken, and takes nothing",
  ignore: elsewhere,
  fn: () =>
    serving(async ({ folder, version, process }) => {
      const other = `{\n    state off\n}\n${corefile(9)}`.replaceAll("1053", `${process.port}`);
      Deno.writeTextFileSync(`${folder}/other`, other);
      const { code, stdout } = await meridian(folder, "serve", "-conf", "other");
      assert.equal(code, 2);
      assert.match(stdout, /another program has it/);
      assert.equal(await version(), 1);
    }),
});

Deno.test({
  name: "a service manager hears of the start, a reload, the next process and the end",
  ignore: elsewhere,
  fn: () =>
    withFolder({}, async (folder) => {
      const socket = Deno.listenDatagram({ transport: "unixpacket", path: `${folder}/notify` });
      const heard: string[] = [];
      (async () => {
        for await (const [octets] of socket) heard.push(new TextDecoder().decode(octets));
      })().catch(() => {});
      const said = (text: RegExp) => until(`${text} to be said`, () => heard.find((one) => text.test(one)));
      const env = { NOTIFY_SOCKET: `${folder}/notify` };
      const process = await ServeProcess.startWith(env, folder, corefile(1), "-pidfile", "pid");
      await said(new RegExp(`^READY=1\nMAINPID=${process.pid}\n$`));
      process.kill("SIGHUP");
      await said(/^RELOADING=1\nMONOTONIC_USEC=\d+\n$/);
      await said(/^READY=1\n$/);
      process.kill("SIGUSR2");
      const pid = () => Number(Deno.readTextFileSync(`${folder}/pid`));
      await until("another pid", () => pid() !== process.pid);
      await said(new RegExp(`^MAINPID=${pid()}\n$`));
      await said(new RegExp(`^READY=1\nMAINPID=${pid()}\n$`));
      await until("the first process to end", () => !isAlive(process.pid));
      assert.ok(!heard.includes("STOPPING=1\n"));
      const last = pid();
      Deno.kill(last, "SIGTERM");
      await said(/^STOPPING=1\n$/);
      await until("the last process to end", () => !isAlive(last));
      socket.close();
      await process[Symbol.asyncDispose]();
    }),
});

/** Whether a process runs: one that has ended and was not waited for does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return false;
  }
}
