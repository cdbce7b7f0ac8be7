import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { RCODE } from "../../core/dns/types.ts";
import type { PluginModule } from "../../core/plugin.ts";
import { plugins } from "../../plugins/mod.ts";
import { startServer } from "../support/server.ts";

const GUIDE = "docs/PLUGINS.md";
const ROOT = new URL("../../", import.meta.url);

/** The plugin in the guide, as a file of its own. */
async function withExample(body: (path: string) => Promise<void>): Promise<void> {
  const [, code] = /^```ts\n([^]*?)^```$/m.exec(Deno.readTextFileSync(GUIDE))!;
  const path = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(path, code!.replaceAll('from "../../', `from "${ROOT}`));
    await body(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test(`the plugin in ${GUIDE} has no type errors`, async () => {
  await withExample(async (path) => {
    const args = ["check", "--quiet", `--config=${new URL("deno.json", ROOT).pathname}`, path];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
  });
});

Deno.test(`the plugin in ${GUIDE} gives up a name, and has nobody remember it for longer`, async () => {
  await withExample(async (path) => {
    const retired = (await import(`file://${path}`)).default as PluginModule;
    const place = plugins.findIndex(({ name }) => name === "anycast");
    const clock = new ManualClock(Date.parse("2026-11-30"));
    const server = await startServer(
      `anycast.example:1053 {
    bind 127.0.0.1
    retired www.anycast.example 2026-12-01
    ttl 5 60
    file zones/anycast.example.zone
}
`,
      { clock, modules: plugins.toSpliced(place, 0, retired), inWorker: false },
    );
    const ask = async (name: string) => {
      const { rcode, answer } = await server.ask(name);
      return [rcode, answer[0]?.ttl];
    };
    try {
      assert.deepEqual(await ask("www.anycast.example"), [RCODE.NOERROR, 60]);
      clock.advanceTo(Date.parse("2026-12-01") - 20_000);
      assert.deepEqual(await ask("www.anycast.example"), [RCODE.NOERROR, 20]);
      assert.deepEqual(await ask("mail.anycast.example"), [RCODE.NOERROR, 3600]);
      clock.advance(20_000);
      assert.deepEqual(await ask("www.anycast.example"), [RCODE.NXDOMAIN, undefined]);
    } finally {
      await server.close();
    }
  });
});

Deno.test(`the plugin in ${GUIDE} points at a day that is none`, async () => {
  await withExample(async (path) => {
    const retired = (await import(`file://${path}`)).default as PluginModule;
    await assert.rejects(
      startServer("example.org:1053 {\n    retired old.example.org tomorrow\n}\n", { modules: [retired] }),
      /:5:29: retired: DAY must be a day such as 2026-12-01: got 'tomorrow'/,
    );
  });
});
