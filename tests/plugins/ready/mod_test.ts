import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { CorefileError, PluginModule } from "../../../core/plugin.ts";
import { plugins } from "../../../plugins/mod.ts";
import ready, { Readiness } from "../../../plugins/ready/mod.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";
import { freePort, startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const parse = (text: string) => ready.parse(directivesOf(text), parseScopeOf());

Deno.test("parse() reads the address and what monitor says", () => {
  assert.deepEqual(parse("ready"), { address: ":8181", continuously: false });
  assert.deepEqual(parse("ready localhost:81 {\n monitor continuously\n}"), {
    address: "localhost:81",
    continuously: true,
  });
  assert.throws(
    () => parse("ready 8181"),
    (error: CorefileError) => error.at.column === 7 && /got '8181'/.test(error.message),
  );
});

async function said(readiness: Readiness): Promise<string> {
  const response = readiness.respond();
  return `${response.status} ${await response.text()}`;
}

for (const continuously of [false, true]) {
  Deno.test(`a plugin that was ready once is ${continuously ? "" : "not "}asked again`, async () => {
    let isReady = false;
    const asked = [{ name: "geo", isReady: () => isReady }, { name: "auto", isReady: () => isReady }];
    const readiness = new Readiness(() => asked, continuously);
    assert.equal(await said(readiness), "503 auto,geo");
    isReady = true;
    assert.equal(await said(readiness), "200 OK");
    isReady = false;
    assert.equal(await said(readiness), continuously ? "503 auto,geo" : "200 OK");
    readiness.stop();
    assert.equal(await said(readiness), "503 stopping\n");
  });
}

Deno.test("a server is ready when its plugins are, and not any more when it is told to stop", async () => {
  let isReady = false;
  const slow: PluginModule = {
    name: "slow",
    usage: "slow",
    options: {},
    parse: () => null,
    start: (_config, scope) => scope.onReady(() => isReady),
  };
  const at = `127.0.0.1:${freePort()}`, clock = new ManualClock();
  const server = await startServer(
    `.:1053 {
    bind 127.0.0.1
    ready ${at}
    health ${at} {
        lameduck 4s
    }
    slow
    whoami
}
`,
    { modules: [...plugins, slow], clock },
  );
  const status = async (path: string) => {
    const response = await fetch(`http://${at}${path}`);
    return `${response.status} ${(await response.text()).trim()}`;
  };
  assert.equal(await status("/ready"), "503 slow");
  isReady = true;
  assert.equal(await status("/ready"), "200 OK");
  const closing = server.close();
  await until("the server to be unready", async () => await status("/ready") === "503 stopping");
  assert.equal(await status("/health"), "200 OK");
  assert.equal((await server.ask("example.org")).rcode, 0);
  const advancing = setInterval(() => clock.advance(1000), 10);
  await closing;
  clearInterval(advancing);
  await assert.rejects(status("/ready"));
});
