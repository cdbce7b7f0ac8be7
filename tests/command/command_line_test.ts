import assert from "node:assert/strict";
import { plugins } from "../../plugins/mod.ts";
import { meridian, withFolder } from "./meridian.ts";

const GOOD = ".:1053 {\n    bind 127.0.0.1\n    whoami\n}\n";
const BAD = ".:1053 {\n    whoam\n    bufsize 1\n}\n";

/** What a command line says on standard error, and that it ends with 2: it could not be understood. */
const misunderstood: [args: string[], says: string][] = [
  [["chekc"], "There is no command chekc; did you mean check?"],
  [
    ["frobnicate"],
    "There is no command frobnicate; there are serve, check, explain, prove, plugins, status, ",
  ],
  [["serve", "-cnof", "Corefile"], "There is no flag -cnof; did you mean -conf?"],
  [["check", "--jsn"], "There is no flag --jsn; did you mean -json?"],
  [["-dns.prot", "1053"], "There is no flag -dns.prot; did you mean -dns.port?"],
  [["status", "-zzz"], "There is no flag -zzz; there are -control, -json"],
  [["serve", "-conf"], "Option '--conf <value>' argument missing"],
  [["check", "-dns.port", "dns"], "-dns.port must be a port from 1 to 65535: got dns"],
  [["check", "Corefile", "Corefile2"], "check does not know what to do with Corefile2; wanted: check [FILE]"],
  [["serve", "Corefile"], "serve does not know what to do with Corefile; wanted: serve "],
  [["check", "nowhere"], "Cannot read the Corefile nowhere: there is no such file"],
  [["serve", "-conf", "nowhere"], "Cannot read the Corefile nowhere: there is no such file"],
  [["explain"], "explain needs a NAME: wanted explain NAME [TYPE]"],
  [["explain", "www.example.org", "AAA"], "There is no type AAA; did you mean AAAA?"],
  [["explain", "a..example", "A"], "a..example"],
  [
    ["explain", "a.example", "A", "-client", "192.0.2.1/24"],
    "-client must be an address or a network with no bits set",
  ],
  [["explain", "a.example", "A", "-source", "here"], "-source must be an IP address: got here"],
  [["explain", "a.example", "A", "-verdicts", "nowhere"], "nowhere: there is no such file"],
  [["explain", "a.example", "A"], "Cannot reach a server at .meridian/control.sock"],
  [["status"], "is it running? A socket elsewhere takes -control PATH\n"],
  [["status", "-control", "elsewhere"], "Cannot reach a server at elsewhere"],
  [["prove", "-conf", "Corefile"], "There is no pool to prove: the Corefile has no anycast"],
];

for (const [args, says] of misunderstood) {
  Deno.test(`meridian ${args.join(" ")} says why it cannot`, async () => {
    await withFolder({ Corefile: GOOD }, async (folder) => {
      const { code, stdout, stderr } = await meridian(folder, ...args);
      assert.ok(stderr.includes(says), stderr);
      assert.doesNotMatch(stderr, /\n\s+at |error: Uncaught/);
      assert.equal(stdout, "");
      assert.equal(code, 2);
    });
  });
}

Deno.test("meridian check says so where there is no Corefile", async () => {
  await withFolder({}, async (folder) => {
    const { code, stdout } = await meridian(folder, "check");
    assert.equal(stdout, "There is no Corefile here: the builtin one would serve\n");
    assert.equal(code, 0);
  });
});

Deno.test("meridian check says that there is nothing to say, and ends with 0", async () => {
  await withFolder({ Corefile: GOOD }, async (folder) => {
    assert.deepEqual(await meridian(folder, "check"), {
      code: 0,
      stdout: "Corefile: no problems\n",
      stderr: "",
    });
  });
});

Deno.test("meridian check shows every problem under its line, and ends with 1", async () => {
  await withFolder({ Corefile: GOOD, broken: BAD }, async (folder) => {
    for (const args of [["broken"], ["-conf", "broken"], ["--conf", "broken"]]) {
      const { code, stdout } = await meridian(folder, "check", ...args);
      assert.equal(
        stdout,
        "broken:2:5: Unknown directive 'whoam'; did you mean 'whoami'?\n" +
          "    whoam\n    ^^^^^\n" +
          "broken:3:13: bufsize: SIZE must be from 512 to 4096: got '1'\n" +
          "    bufsize 1\n            ^\n" +
          "2 errors\n",
      );
      assert.equal(code, 1);
    }
  });
});

Deno.test("meridian check --json gives programs the same", async () => {
  await withFolder({ Corefile: GOOD, broken: BAD }, async (folder) => {
    const bad = await meridian(folder, "check", "--json", "broken");
    const { file, ok, problems } = JSON.parse(bad.stdout);
    assert.deepEqual([file, ok, bad.code], ["broken", false, 1]);
    assert.deepEqual(problems[1], {
      severity: "error",
      file: "broken",
      line: 3,
      column: 13,
      message: "bufsize: SIZE must be from 512 to 4096: got '1'",
    });
    const good = await meridian(folder, "check", "--json");
    assert.deepEqual(JSON.parse(good.stdout), { file: "Corefile", ok: true, problems: [] });
    assert.equal(good.code, 0);
  });
});

Deno.test("meridian check takes a warning for what it is", async () => {
  await withFolder({ Corefile: "127.0.0.1:1053 {\n    whoami\n}\n" }, async (folder) => {
    const { code, stdout } = await meridian(folder, "check");
    assert.match(stdout, /^Corefile:1:1: warning: zone '127\.0\.0\.1\.' is made of an address/);
    assert.match(stdout, /^1 warning$/m);
    assert.equal(code, 0);
  });
});

Deno.test("meridian -version names itself as CoreDNS does", async () => {
  await withFolder({}, async (folder) => {
    const { code, stdout } = await meridian(folder, "-version");
    assert.match(stdout, /^Meridian-\d+\.\d+\.\d+\nlinux\/\w+, deno \d+\.\d+\.\d+(, build .+)?\n$/);
    assert.equal(code, 0);
    const { stdout: json } = await meridian(folder, "version", "-json");
    assert.equal(`Meridian-${JSON.parse(json).version}`, stdout.split("\n")[0]);
  });
});

Deno.test("meridian help lists the commands, and the flags of one", async () => {
  await withFolder({}, async (folder) => {
    const { stdout } = await meridian(folder, "help");
    for (const name of ["serve", "check", "explain", "prove", "plugins", "status"]) {
      assert.match(stdout, new RegExp(`^  ${name} +\\w`, "m"));
    }
    const one = await meridian(folder, "serve", "-h");
    assert.match(one.stdout, /^ {2}-conf FILE +the Corefile/m);
    assert.match(one.stdout, /^ {2}-dns\.port PORT, -p +/m);
  });
});

Deno.test("meridian plugins -conf shows the chain of each zone, and what is never reached in it", async () => {
  const corefile = `example.org:1053 example.net:1054 {
    forward . 127.0.0.1
    whoami
    log
}
`;
  await withFolder({ Corefile: corefile }, async (folder) => {
    const { code, stdout } = await meridian(folder, "plugins", "-conf", "Corefile");
    assert.equal(
      stdout,
      "ZONE          PORT  CHAIN, IN ORDER OF EXECUTION\n" +
        "example.org.  1053  log → forward → whoami\n" +
        "example.net.  1054  log → forward → whoami\n" +
        "never reached in example.org.: whoami, as forward above it answers every query of example.org.\n" +
        "never reached in example.net.: whoami, as forward above it answers every query of example.net.\n",
    );
    assert.equal(code, 0);
    const { stdout: json } = await meridian(folder, "plugins", "-conf", "Corefile", "--json");
    assert.deepEqual(JSON.parse(json)[0].plugins, ["log", "forward", "whoami"]);
  });
});

Deno.test("meridian plugins lists every plugin in order of execution", async () => {
  await withFolder({}, async (folder) => {
    const { stdout } = await meridian(folder, "plugins");
    const names = [...stdout.matchAll(/^dns\.([\w-]+) +\1/gm)].map(([, name]) => name);
    assert.deepEqual(names, plugins.map(({ name }) => name));
    assert.equal((await meridian(folder, "-plugins")).stdout, stdout);
  });
});
