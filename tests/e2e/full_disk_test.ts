/** A disk that is full under the query log, while data workers answer: no answer is lost, and every line that is, is counted. */

import assert from "node:assert/strict";
import { ROOT, withFolder } from "../command/meridian.ts";
import { askRaw } from "../support/raw_udp.ts";
import { encodeQuery, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";

/** Of each line, so that some thousands are more than all the room that there is. */
const LINE_OCTETS = 4000;

/** The disk, as `mount -t tmpfs` has it: what of the log it holds is far less than what is logged. */
const DISK_SIZE = "512k";

const PATIENCE_MS = 60_000;

const ignore = !await canMount();

async function canMount(): Promise<boolean> {
  const args = ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"];
  const mounted = await new Deno.Command("unshare", { args, stderr: "null" }).output().catch(() => undefined);
  if (!mounted?.success) console.warn("left out: this machine lets nobody mount a disk of his own");
  return mounted?.success ?? false;
}

/** Asks so many times, some at a time. @returns How many were answered. */
async function ask(port: number, count: number): Promise<number> {
  let answered = 0, left = count;
  const asking = Array.from({ length: 40 }, async () => {
    while (left-- > 0) {
      await askRaw(port, encodeQuery("www.example.org", "A"), PATIENCE_MS).then(() => answered++, () => {});
    }
  });
  await Promise.all(asking);
  return answered;
}

/** Makes room on the disk of a process. */
async function enlarge(pid: number, path: string): Promise<void> {
  const args = [
    "-t",
    `${pid}`,
    "-U",
    "-m",
    "--preserve-credentials",
    "mount",
    "-o",
    "remount,size=256m",
    path,
  ];
  const { success, stderr } = await new Deno.Command("nsenter", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

async function droppedLines(metricsPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/^meridian_log_dropped_lines_total (\d+)$/m.exec(text)?.[1] ?? 0);
}

Deno.test(
  { name: "a full disk under the log costs lines, which are counted, and no answers", ignore },
  async () => {
    const port = freePort(), metricsPort = freePort();
    const corefile = `.:${port} {
    bind 127.0.0.1
    prometheus 127.0.0.1:${metricsPort}
    log . "query {port} {>id} ${"x".repeat(LINE_OCTETS)}"
    whoami
}
`;
    await withFolder({ Corefile: corefile }, async (folder) => {
      await Deno.mkdir(`${folder}/disk`);
      const serve =
        `"$0" run -A --no-check --quiet --config=${ROOT}deno.json ${ROOT}main.ts serve -workers 2`;
      const mount = `mount -t tmpfs -o size=${DISK_SIZE} none disk`;
      const server = new Deno.Command("unshare", {
        args: ["-rm", "bash", "-c", `${mount} && exec ${serve} >>disk/log 2>>errors`, Deno.execPath()],
        cwd: folder,
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).spawn();
      // The disk is in the sight of the server alone.
      const path = `/proc/${server.pid}/root${folder}/disk/log`;
      const logged = () => Deno.readTextFile(path).catch(() => "");
      try {
        await until("the server", async () => (await logged()).includes("Meridian-"), PATIENCE_MS);
        // Each worker has room for lines of its own: it is over when there is none left in either.
        let asked = 0, dropped = 0, lost = 0;
        while (lost < 500) {
          assert.equal(await ask(port, 500), 500);
          asked += 500;
          lost = await droppedLines(metricsPort) - dropped;
          dropped += lost;
          assert.ok(asked < 20_000, "lines were not left out");
        }
        // All of these, too, while nothing can be written.
        assert.equal(await ask(port, 1000), 1000);
        asked += 1000;
        assert.equal((await droppedLines(metricsPort)) - dropped, 1000);
        const errors = await Deno.readTextFile(`${folder}/errors`);
        assert.equal(
          errors.match(/The log cannot be written, and is tried again every second: /g)?.length,
          1,
          errors,
        );
        await enlarge(server.pid, `${folder}/disk`);
        await until(
          "what was held back",
          async () => (await logged()).includes("lines left out"),
          PATIENCE_MS,
        );
        // Whatever was held back comes before this one, which is left out itself where its worker has no room yet.
        assert.equal(await ask(port, 1), 1);
        asked++;
        // One that was torn is written anew behind what there is of it. And what was being written when the disk was full may
        // stand there twice: nobody knows how much of it was.
        const whole = new RegExp(`\\[INFO\\] query \\d+ \\d+ x{${LINE_OCTETS}}$`, "gm");
        const lines = async () => new Set((await logged()).match(whole)).size;
        const told = async () =>
          [...(await logged()).matchAll(/(\d+) lines left out here: /g)]
            .reduce((sum, [, count]) => sum + Number(count), 0);
        // Lines gather for a while before they are written.
        await until("the last line", async () => await lines() + await told() >= asked, PATIENCE_MS);
        assert.equal(await lines() + await told(), asked);
        assert.equal(await droppedLines(metricsPort), await told());
        const [, unwritten] = /(\d+) lines left out here: it could not be written: /.exec(await logged())!;
        assert.ok(Number(unwritten) >= 1000, `${unwritten}`);
      } finally {
        server.kill("SIGTERM");
        assert.equal((await server.status).code, 0);
      }
    });
  },
);
