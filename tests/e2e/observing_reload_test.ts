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

Deno.test("workers that take over have rehearsed, and nobody counts or logs that; the first ones have not", async () => {
  const at = `127.0.0.1:${freePort()}`;
  const zone = "$ORIGIN example.org.\n@ 60 SOA ns hostmaster 1 60 60 60 60\n@ NS ns\nns A 192.0.2.1\n";
  const corefile = (more: string) =>
    `{\n state off\n}
example.org:1053 {
    bind 127.0.0.1
    prometheus ${at}
    log
    rrl
    file zone
    ${more}
}
example.net:1053 {
    bind 127.0.0.1
    debug
    whoami
}
`;
  const REHEARSED = /\[DEBUG\] .*rehearsed [1-9]\d+ questions/g, LINES = /"SOA IN example\.org\./g;
  await withFolder({ zone }, async (folder) => {
    await using process = await ServeProcess.start(folder, corefile(""), "-workers", "2");
    const count = (what: RegExp) => process.output.match(what)?.length ?? 0;
    const counted = async () => {
      const text = await (await fetch(`http://${at}/metrics`)).text();
      const values = text.matchAll(/^coredns_dns_requests_total\{.*zone="example\.org\.".* (\d+)$/gm);
      return values.reduce((sum, [, value]) => sum + Number(value), 0);
    };
    let asked = 0;
    const ask = async () => {
      asked++;
      assert.equal((await askServer(process.port, "example.org", "SOA")).answer.length, 1);
      await until(
        "the query to be logged and counted",
        async () => count(LINES) === asked && await counted() === asked,
      );
    };
    await ask();
    assert.equal(count(REHEARSED), 0);
    for (const [i, more] of ["errors", "nsid one"].entries()) {
      Deno.writeTextFileSync(`${folder}/Corefile`, corefile(more).replaceAll("1053", `${process.port}`));
      process.kill("SIGUSR1");
      await until("both workers to have rehearsed", () => count(REHEARSED) >= 2 * (i + 1));
      await until("the server to be reloaded", () => count(/Reloaded/g) === i + 1);
      await ask();
      // Those that have rehearsed go first again; not every kernel tells.
      const slices = slicesOf(process.pid);
      assert.ok(slices.length === 0 || slices.filter((slice) => slice === "500000").length >= 2, `${slices}`);
    }
  });
});

/** How long the slices of a process's threads are, nanoseconds, as far as the kernel tells. */
function slicesOf(pid: number): string[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].flatMap(({ name }) => {
    try {
      return /^se\.slice *: *(\d+)$/m.exec(Deno.readTextFileSync(`/proc/${pid}/task/${name}/sched`))?.[1] ??
        [];
    } catch {
      return [];
    }
  });
}
