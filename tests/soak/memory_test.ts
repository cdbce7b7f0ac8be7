/**
 * That memory and descriptors stay flat, whatever is thrown at a server that is open to everyone. `deno task test:soak`.
 *
 * MERIDIAN_SOAK_SECONDS: how long; 120.
 *
 * @module
 */

import assert from "node:assert/strict";
import { askServer, freePort } from "../support/server.ts";
import { ServeProcess, withFolder } from "../command/meridian.ts";
import type { Tally } from "./hostile/clients.ts";

const seconds = Number(Deno.env.get("MERIDIAN_SOAK_SECONDS") ?? 120);
const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

const COREFILE = `{
    state state
}
anycast.example:1053 {
    bind 127.0.0.1
    errors
    prometheus 127.0.0.1:METRICS
    geo
    cookie
    rrl
    any
    health {
        check tcp 8443
        interval 2s
        timeout 1s
    }
    anycast entry.anycast.example {
        nodes ${ROOT}/nodes.yaml
        answers 2
        ring 5% 100km
        unknown nearest 50.11 8.68
    }
    ttl 5 60
    file ${ROOT}/zones/anycast.example.zone
}
upstream.example:1053 {
    bind 127.0.0.1
    errors
    cookie
    rrl
    cache 30
    forward . 127.0.0.1:UPSTREAM
}
.:1053 {
    bind 127.0.0.1
    chaos
    acl {
        block
    }
    file ${ROOT}/zones/anycast.example.zone anycast.example
}
`;

const UPSTREAM = `upstream.example:1053 {
    bind 127.0.0.1
    file db
}
`;

const UPSTREAM_ZONE = `$ORIGIN upstream.example.
@ 5 SOA ns hostmaster 1 7200 900 1209600 5
@ 5 NS ns
ns 5 A 192.0.2.53
* 5 A 192.0.2.1
* 5 TXT "${"x".repeat(200)}"
`;

/** What a process has just now. */
interface Sample {
  readonly residentMiB: number;
  readonly descriptors: number;
}

function sample(pid: number): Sample {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return {
    residentMiB: Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024,
    descriptors: [...Deno.readDirSync(`/proc/${pid}/fd`)].length,
  };
}

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** The medians of a third of the samples: 0, 1 or 2. */
function third(samples: readonly Sample[], which: number): Sample {
  const part = samples.slice(samples.length * which / 3, samples.length * (which + 1) / 3);
  return {
    residentMiB: median(part.map(({ residentMiB }) => residentMiB)),
    descriptors: median(part.map(({ descriptors }) => descriptors)),
  };
}

Deno.test("memory and descriptors are flat under hostile and normal load", async () => {
  await withFolder({ db: UPSTREAM_ZONE }, async (upstreamFolder) => {
    await using upstream = await ServeProcess.start(upstreamFolder, UPSTREAM);
    await withFolder({}, async (folder) => {
      const corefile = COREFILE.replace("UPSTREAM", `${upstream.port}`).replace("METRICS", `${freePort()}`);
      await using server = await ServeProcess.start(folder, corefile);
      const { pid } = server;
      const before = sample(pid);
      const load = new Worker(new URL("./hostile/load_worker.ts", import.meta.url), { type: "module" });
      let tally: Tally = { asked: 0, answered: 0, connections: 0 };
      load.onmessage = ({ data }: MessageEvent<Tally>) => void (tally = data);
      load.postMessage({ port: server.port });
      const samples: Sample[] = [];
      for (let i = 0; i < seconds; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        samples.push(sample(pid));
      }
      load.terminate();
      // Idle connections and cached upstreams are let go.
      await new Promise((resolve) => setTimeout(resolve, 15_000));
      const after = sample(pid);
      const [first, second, last] = [third(samples, 0), third(samples, 1), third(samples, 2)];
      const text = ({ residentMiB, descriptors }: Sample) =>
        `${residentMiB.toFixed(0)} MiB, ${descriptors} fds`;
      console.log(
        `${seconds} s: ${tally.asked} asked, ${tally.answered} answered, ${tally.connections} connections`,
      );
      console.log(
        `before ${text(before)}; thirds ${[first, second, last].map(text).join("; ")}; after ${text(after)}`,
      );
      assert.ok(tally.asked > 100 * seconds && tally.answered > 10 * seconds, "there was a load");
      assert.ok(last.residentMiB < second.residentMiB * 1.05 + 8, "memory grows");
      assert.ok(last.descriptors < second.descriptors * 1.1 + 8, "descriptors grow");
      assert.ok(after.descriptors <= before.descriptors + 8, "descriptors are left");
      const reply = await askServer(server.port, "entry.anycast.example", "A", { address: "127.0.0.1" });
      assert.ok(reply.answer.length > 0);
    });
  });
});
