/** Plugins from files, in a server of its own process: from the sources, or compiled. */

import assert from "node:assert/strict";
import { RCODE } from "../../core/dns/types.ts";
import { formatRecord } from "../../core/explain.ts";
import { meridian, ServeProcess, withFolder } from "../command/meridian.ts";
import { askServer } from "../support/server.ts";
import { until } from "../support/until.ts";

/** Answers TXT at a name with how often it was seen, from what its control half publishes; goes wrong where a name says so. */
const COUNTED = `
export default ({ CorefileError, emptyAnswer, fold, parseName, parseRRsets, RCODE, readOptions }) => ({
  api: 1,
  name: "counted",
  usage: "counted NAME",
  options: { start: { usage: "start NUMBER", read: (args) => args.whole("NUMBER", { min: 0 }) } },
  before: "whoami",
  metrics: { meridian_counted_total: { kind: "counter", help: "Answers of counted." } },
  parse(directives, { problems }) {
    const [directive] = directives;
    const { start = 0 } = readOptions(directive, this.options, problems);
    if (!directive.args[0]) throw new CorefileError(directive.name, "counted wants NAME");
    return { name: fold(parseName(directive.args[0].text)), start };
  },
  start({ start }, scope) {
    let ticks = start;
    scope.publish(ticks);
    scope.own({ close: () => scope.log.info("counted: closed") });
    scope.log.info("counted: started at " + ticks);
  },
  answerer: ({ name }, scope) => ({
    name: "counted",
    answer(context, next) {
      if (context.name === parseName("throws.example")) throw new TypeError("on purpose");
      if (context.name === parseName("nothing.example")) return undefined;
      if (context.name === parseName("rejects.example")) void Promise.reject(new Error("left alone"));
      if (context.name === parseName("timer.example")) setTimeout(() => { throw new Error("from a timer"); }, 1);
      if (context.name !== name) return next(context);
      scope.count("meridian_counted_total");
      const text = String(scope.published(context.snapshot));
      context.record?.({ plugin: "counted", what: "said " + text });
      return emptyAnswer(RCODE.NOERROR, { authoritative: true, answer: parseRRsets("@ 60 TXT " + text, name) });
    },
    observe(context) {
      if (context.name === parseName("observed.example")) throw new TypeError("while observing");
    },
  }),
});
`;

const COREFILE = `{
    plugin plugins/counted.js
}
.:1053 {
    bind 127.0.0.1
    log
    counted count.example {
        start 7
    }
    whoami
}
`;

async function withPlugin(body: (folder: string) => Promise<void>): Promise<void> {
  await withFolder({ Corefile: COREFILE }, async (folder) => {
    await Deno.mkdir(`${folder}/plugins`);
    await Deno.writeTextFile(`${folder}/plugins/counted.js`, COUNTED);
    await body(folder);
  });
}

for (const flags of [["-workers", "0"], ["-workers", "2"]]) {
  const how = ["serve", ...flags].join(" ");

  Deno.test(`${how} answers with a plugin from a file, which publishes, counts, and is closed in the end`, async () => {
    await withPlugin(async (folder) => {
      await using process = await ServeProcess.start(folder, COREFILE, ...flags);
      const { answer } = await askServer(process.port, "count.example", "TXT");
      assert.deepEqual(answer.map(formatRecord), ['count.example. 60 IN TXT "7"']);
      await until("the count", async () => {
        const { stdout } = await meridian(folder, "status", "-json");
        return JSON.stringify(JSON.parse(stdout)).includes("meridian_counted_total");
      });
      process.kill("SIGTERM");
      assert.equal(await process.end(), 0);
      await process.says(/^\[INFO\] counted: started at 7$/m);
      await process.says(/^\[INFO\] counted: closed$/m);
    });
  });

  Deno.test(`${how} outlives whatever a plugin from a file does, and names it`, async () => {
    await withPlugin(async (folder) => {
      await using process = await ServeProcess.start(folder, COREFILE, ...flags);
      const rcodes = [];
      for (
        const name of [
          "throws.example",
          "nothing.example",
          "rejects.example",
          "timer.example",
          "observed.example",
        ]
      ) {
        rcodes.push((await askServer(process.port, name, "A")).rcode);
      }
      assert.deepEqual(rcodes, [RCODE.SERVFAIL, RCODE.SERVFAIL, RCODE.NOERROR, RCODE.NOERROR, RCODE.NOERROR]);
      for (
        const said of [
          /^\[ERROR\] plugin\/counted: a bug, answered SERVFAIL to throws\.example\. A: TypeError: on purpose$/m,
          /^\[ERROR\] plugin\/counted: a bug, .*nothing\.example\. A: TypeError: answer\(\) returned nothing/m,
          /^\[ERROR\] plugin\/counted: a bug, a promise was rejected .*: Error: left alone$/m,
          /^\[ERROR\] plugin\/counted: a bug, thrown where nobody could catch it .*: Error: from a timer$/m,
          /^\[ERROR\] plugin\/counted: a bug, observing the reply to observed\.example\. A: TypeError: while observing$/m,
        ]
      ) await until(`${said} in ${process.output}`, () => said.test(process.output));
      assert.equal((await askServer(process.port, "count.example", "TXT")).answer.length, 1);
      assert.doesNotMatch(process.output, /worker failed/);
    });
  });
}

for (const flags of [["-workers", "0"], ["-workers", "2"]]) {
  Deno.test(`reload takes a changed plugin into ${["serve", ...flags].join(" ")}, and closes the old one`, async () => {
    await withPlugin(async (folder) => {
      await using process = await ServeProcess.start(folder, COREFILE, ...flags);
      const says = async () =>
        (await askServer(process.port, "count.example", "TXT")).answer.map(formatRecord);
      assert.deepEqual(await says(), ['count.example. 60 IN TXT "7"']);
      const file = `${folder}/plugins/counted.js`;
      await Deno.writeTextFile(file, COUNTED.replace("@ 60 TXT", "@ 60 TXT changed"));
      const { code, stderr } = await meridian(folder, "reload");
      assert.equal(code, 0, stderr);
      await until("the new answer", async () => (await says())[0]?.includes('"changed" "7"'));
      await until("the old one to be closed", () => process.output.includes("counted: closed"));
      await Deno.writeTextFile(file, "export default (");
      const refused = await meridian(folder, "reload");
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /plugin plugins\/counted\.js: cannot be loaded: .*counted\.js:1:\d+/);
      assert.match((await says())[0]!, /"changed" "7"/);
    });
  });
}

Deno.test("check, plugins and explain know a plugin from a file", async () => {
  await withPlugin(async (folder) => {
    await using process = await ServeProcess.start(folder, COREFILE);
    assert.match((await meridian(folder, "check")).stdout, /no problems/);
    assert.match((await meridian(folder, "plugins", "-conf", "Corefile")).stdout, /→ counted → whoami$/m);
    const { stdout } = await meridian(folder, "explain", "count.example", "TXT");
    assert.match(stdout, /count\.example\. 60 IN TXT "7"\n[^]*^counted: said 7$/m);
    await Deno.writeTextFile(`${folder}/wrong`, COREFILE.replace("start 7", "start -7"));
    const { code, stdout: problems } = await meridian(folder, "check", "wrong");
    assert.equal(code, 1);
    assert.match(problems, /^wrong:8:15: start: NUMBER must be at least 0: got '-7'$/m);
    assert.equal(process.output.includes("ERROR"), false);
  });
});

Deno.test("serve does not start with a plugin that cannot, and says whose fault it is", async () => {
  await withPlugin(async (folder) => {
    const broken = COUNTED.replace("let ticks = start;", "throw new RangeError('no luck');");
    await Deno.writeTextFile(`${folder}/plugins/counted.js`, broken);
    const { code, stdout } = await meridian(folder, "serve");
    assert.equal(code, 2);
    assert.match(
      stdout,
      /Cannot start: counted: start\(\) threw: RangeError: no luck \(counted\.js:\d+:\d+\)/,
    );
  });
});

Deno.test("serve takes a plugin in TypeScript, types, enums and modules beside it included", async (t) => {
  await withFolder({ Corefile: COREFILE }, async (folder) => {
    const { stdout } = await meridian(folder, "version", "-json");
    const { compiled, deno } = JSON.parse(stdout);
    if (compiled && deno.startsWith("2.7.")) {
      // The runtime that stands in where this release's cannot be had reads JavaScript only.
      await t.step({ name: `not on deno ${deno}`, ignore: true, fn: () => {} });
      return;
    }
    await Deno.mkdir(`${folder}/plugins`);
    await Deno.writeTextFile(`${folder}/plugins/rule.ts`, "export enum Text { Seven = 'seven' }\n");
    const typed = COUNTED.replace("export default ({", 'import { Text } from "./rule.ts";\nexport default ({')
      .replace("RCODE, readOptions }) =>", "RCODE, readOptions }: any) =>")
      .replace("String(scope.published(context.snapshot))", "Text.Seven as string");
    await Deno.writeTextFile(`${folder}/plugins/counted.ts`, typed);
    const corefile = COREFILE.replace("counted.js", "counted.ts");
    await using process = await ServeProcess.start(folder, corefile);
    const { answer } = await askServer(process.port, "count.example", "TXT");
    assert.deepEqual(answer.map(formatRecord), ['count.example. 60 IN TXT "seven"']);
  });
});
