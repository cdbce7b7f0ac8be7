import assert from "node:assert/strict";
import { ServeProcess, withFolder } from "../command/meridian.ts";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";

/** The value of a series, ports taken out. */
function valueOf(text: string, series: string): string | undefined {
  const line = text.split("\n").find((line) => line.replace(/:\d+"/, ':P"').startsWith(`${series} `));
  return line?.split(" ").at(-1);
}

for (const flags of [["-workers", "0"], ["-workers", "2"]]) {
  const how = ["serve", ...flags].join(" ");

  Deno.test(`${how}: metrics, health and readiness answer all through reloads, and counts go on`, async () => {
    const at = `127.0.0.1:${freePort()}`;
    const corefile = (more: string) =>
      `{\n state off\n}\n.:1053 {
    bind 127.0.0.1
    prometheus ${at}
    ready ${at}
    health ${at}
    ${more}
    whoami
}
`;
    await withFolder({}, async (folder) => {
      await using process = await ServeProcess.start(folder, corefile(""), ...flags);
      const get = async (path: string) => {
        const response = await fetch(`http://${at}${path}`);
        return { status: response.status, text: await response.text() };
      };
      let isOver = false, asked = 0;
      const watching = (async () => {
        while (!isOver) {
          for (const path of ["/health", "/ready", "/metrics"]) {
            const { status } = await get(path);
            assert.equal(status, 200, `${path} after ${asked} requests`);
            asked++;
          }
        }
      })();
      const reload = async (text: string, said: RegExp) => {
        Deno.writeTextFileSync(`${folder}/Corefile`, text.replaceAll("1053", `${process.port}`));
        process.kill("SIGUSR1");
        await until(`${said}`, () => said.test(process.output));
      };
      const ask = () => askServer(process.port, "www.example.org", "A");
      const responses =
        'coredns_dns_responses_total{server="dns://127.0.0.1:P",zone=".",view="",rcode="NOERROR",plugin="whoami"}';
      const enabled = (name: string) =>
        `coredns_plugin_enabled{server="dns://127.0.0.1:P",zone=".",view="",name="${name}"}`;
      await ask();
      await reload(corefile("nsid one"), /Reloaded/);
      await ask();
      await reload(corefile("prometheus nowhere"), /Not reloaded/);
      await ask();
      // A worker may have sent a reply that it has not counted yet.
      await until(
        "three replies to be counted",
        async () => valueOf((await get("/metrics")).text, responses) === "3",
      );
      const { text } = await get("/metrics");
      assert.equal(valueOf(text, "coredns_reload_failed_total"), "1");
      assert.equal(valueOf(text, enabled("nsid")), "1");
      await reload(corefile("errors"), /Reloaded[^]*Reloaded/);
      await until(
        "nsid to be gone",
        async () => valueOf((await get("/metrics")).text, enabled("nsid")) === undefined,
      );
      assert.equal(valueOf((await get("/metrics")).text, enabled("errors")), "1");
      isOver = true;
      await watching;
      assert.ok(asked > 10, `${asked} requests`);
    });
  });
}
