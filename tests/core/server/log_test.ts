import assert from "node:assert/strict";
import { consoleLog, type ConsoleLogOptions, lineSink } from "../../../core/server/log.ts";

/** A log over an output that keeps its writes; `gate` holds them up. */
function memory(options: ConsoleLogOptions = {}) {
  const writes: string[] = [];
  const take = (octets: Uint8Array) => (writes.push(new TextDecoder().decode(octets)), octets.length);
  let gate = Promise.resolve();
  const output = {
    write: (octets: Uint8Array) => gate.then(() => take(octets)),
    writeSync: take,
  };
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return resolve;
  };
  return { log: consoleLog({ colour: false, output, ...options }), writes, hold };
}

Deno.test("consoleLog() writes levels as CoreDNS does, and a query log's lines as they stand", async () => {
  const { log, writes } = memory();
  log.info("one");
  log.warn("two");
  log.error("three");
  log.debug("four");
  log.writeLine("five");
  await log.flush();
  assert.equal(writes.join(""), "[INFO] one\n[WARNING] two\n[ERROR] three\nfive\n");
  assert.equal(writes.length, 1);
});

Deno.test("consoleLog() leaves out information when quiet, and has debug lines when asked", async () => {
  const { log, writes } = memory({ quiet: true, debug: true });
  log.info("one");
  log.debug("two");
  log.error("three");
  log.writeLine("four");
  await log.flush();
  assert.equal(writes.join(""), "[DEBUG] two\n[ERROR] three\nfour\n");
});

Deno.test("consoleLog() marks every line of a message and shows control characters", async () => {
  const { log, writes } = memory();
  log.error("bad \x1b[2J\r\n[INFO] all is well");
  await log.flush();
  assert.equal(writes.join(""), "[ERROR] bad \\x1b[2J\\x0d\n[ERROR] [INFO] all is well\n");
});

Deno.test("consoleLog() shows debug lines for as long as anyone wants them", async () => {
  const { log, writes } = memory();
  const [one, two] = [log.showDebug(), log.showDebug()];
  log.debug("one");
  one();
  one();
  log.debug("two");
  two();
  log.debug("three");
  await log.flush();
  assert.equal(writes.join(""), "[DEBUG] one\n[DEBUG] two\n");
});

Deno.test("consoleLog() writes JSON, an object a message, one of a query log as it stands", async () => {
  const { log, writes } = memory({ format: "json", nowMs: () => Date.UTC(2026, 10, 22) });
  log.warn('a "stranger"\x1b[2J\n[INFO] sæd');
  log.writeLine("[INFO] 192.0.2.1:5353 - 1");
  log.writeLine('{"name":"example.org."}');
  await log.flush();
  const time = "2026-11-22T00:00:00.000Z";
  const lines = writes.join("").trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line)), [
    { time, level: "warning", message: 'a "stranger"\x1b[2J\n[INFO] sæd' },
    { time, level: "info", message: "192.0.2.1:5353 - 1" },
    { name: "example.org." },
  ]);
  assert.match(lines[0]!, /^[ -~]+$/);
});

Deno.test("consoleLog() colours the level alone", async () => {
  const { log, writes } = memory({ colour: true });
  log.warn("one");
  await log.flush();
  assert.equal(writes.join(""), "\x1b[33m[WARNING]\x1b[0m one\n");
});

Deno.test("consoleLog() writes by itself what nobody flushes", async () => {
  const { log, writes } = memory();
  log.writeLine("one");
  log.writeLine("two");
  assert.deepEqual(writes, []);
  while (writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.deepEqual(writes, ["one\ntwo\n"]);
  log.info("three");
  while (writes.length === 1) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(writes[1], "[INFO] three\n");
});

Deno.test("consoleLog() keeps the order and loses nothing while a write is under way", async () => {
  const { log, writes, hold } = memory();
  const release = hold();
  log.info("0");
  const flushed = log.flush();
  await Promise.resolve();
  for (let i = 1; i <= 5; i++) log.info(String(i));
  release();
  await flushed;
  await log.flush();
  assert.equal(writes.join(""), [0, 1, 2, 3, 4, 5].map((i) => `[INFO] ${i}\n`).join(""));
});

Deno.test("consoleLog().flush() waits for the write under way", async () => {
  const { log, writes, hold } = memory();
  const release = hold();
  log.info("one");
  for (let turn = 0; turn < 8; turn++) await undefined;
  const flushed = log.flush().then(() => [...writes]);
  for (let turn = 0; turn < 8; turn++) await undefined;
  release();
  assert.deepEqual(await flushed, ["[INFO] one\n"]);
});

Deno.test("consoleLog() holds 4 MiB for a slow reader, and says how many lines it left out", async () => {
  const { log, writes, hold } = memory();
  const release = hold();
  log.info("first");
  const flushed = log.flush();
  await Promise.resolve();
  const line = "x".repeat(1023);
  for (let i = 0; i < 5000; i++) log.writeLine(line);
  release();
  await flushed;
  const lines = writes.join("").trimEnd().split("\n");
  assert.equal(lines.length, 1 + 4096 + 1);
  assert.equal(lines.at(-1), "[WARNING] 904 lines left out here: the log's reader is too slow");
});

Deno.test("consoleLog() outlives a reader that has gone", async () => {
  const gone = () => Promise.reject(new Deno.errors.BrokenPipe("Broken pipe"));
  const complain = (message: string) => void complaints.push(message);
  const complaints: string[] = [];
  const log = consoleLog({ colour: false, output: { write: gone, writeSync: () => 0 }, complain });
  log.info("one");
  await log.flush();
  log.info("two");
  await log.flush();
  assert.equal(complaints.length, 1);
  assert.match(complaints[0]!, /The log cannot be written.*: Broken pipe$/);
});

Deno.test("consoleLog() loses nothing that it has room for while nothing can be written, and goes on by itself", async () => {
  let isFull = true;
  const writes: string[] = [], complaints: string[] = [];
  const write = (octets: Uint8Array) => {
    if (isFull && writes.length > 0) return Promise.reject(new Error("No space left on device"));
    // A disk that is nearly full takes a part.
    const part = isFull ? octets.subarray(0, 3) : octets;
    writes.push(new TextDecoder().decode(part));
    return Promise.resolve(part.length);
  };
  const complain = (message: string) => void complaints.push(message);
  const log = consoleLog({ colour: false, output: { write, writeSync: () => 0 }, complain });
  const { room, close } = log.openLines();
  const sink = lineSink(room);
  log.info("one");
  await log.flush();
  sink.writeLine("a query");
  const line = "x".repeat(1023);
  for (let i = 0; i < 2048; i++) sink.writeLine(line);
  log.info("two");
  await log.flush();
  assert.equal(writes.join(""), "[IN");
  isFull = false;
  while (!writes.join("").includes("a query")) await new Promise((resolve) => setTimeout(resolve, 20));
  await log.flush();
  const lines = writes.join("").trimEnd().split("\n");
  assert.deepEqual(lines.slice(0, 4), [
    "[INFO] one",
    "[INFO] two",
    `[WARNING] ${log.dropped} lines left out here: it could not be written: No space left on device`,
    "a query",
  ]);
  assert.ok(log.dropped > 1);
  assert.equal(lines.length, 4 + 2048 - log.dropped);
  assert.equal(complaints.length, 1);
  close();
  await log.flush();
});

Deno.test("consoleLog() writes the lines of workers, those included of one that has gone", async () => {
  const { log, writes } = memory();
  const [one, two] = [log.openLines(), log.openLines()];
  const sink = lineSink(one.room);
  sink.writeLine("one");
  while (writes.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  lineSink(two.room).writeLine("two");
  sink.writeLine("three");
  one.close();
  two.close();
  await log.flush();
  assert.deepEqual(writes.join("").trimEnd().split("\n"), ["one", "three", "two"]);
});

Deno.test("lineSink() makes an object of a line that is none, where the log is JSON", async () => {
  const { log, writes } = memory({ format: "json" });
  const { room, close } = log.openLines();
  lineSink(room).writeLine("[INFO] 192.0.2.1:5353 - 1");
  lineSink(room).writeLine('{"name":"example.org."}');
  close();
  await log.flush();
  const [one, two] = writes.join("").trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(one.message, "192.0.2.1:5353 - 1");
  assert.deepEqual(two, { name: "example.org." });
});

Deno.test("consoleLog() writes what is left at exit", async () => {
  const module = new URL("../../../core/server/log.ts", import.meta.url);
  const program = `
    import { consoleLog } from ${JSON.stringify(module.href)};
    const log = consoleLog();
    log.info("started");
    log.writeLine("a query");
    log.error("the end");
    Deno.exit(3);`;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", program],
    stdout: "piped",
  }).output();
  assert.equal(code, 3);
  assert.equal(new TextDecoder().decode(stdout), "[INFO] started\na query\n[ERROR] the end\n");
});
