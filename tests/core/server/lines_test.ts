import assert from "node:assert/strict";
import {
  LINE_OCTETS_MAX,
  type LineBuffer,
  LineReader,
  LineWriter,
  makeLineBuffer,
} from "../../../core/server/lines.ts";

const CAPACITY = 1 << 21;

/** Both ends of a ring, in one isolate; nobody is told of lines. */
function ring() {
  const buffer = makeLineBuffer();
  const reader = new LineReader(buffer, () => {});
  return { buffer, writer: new LineWriter(buffer), reader };
}

/** All that there is, drained by so many octets at a time. */
function drained(reader: LineReader, octets = CAPACITY): string {
  let text = "";
  const into = new Uint8Array(octets);
  for (let length; (length = reader.drain(into)) > 0;) {
    text += new TextDecoder().decode(into.subarray(0, length));
  }
  return text;
}

Deno.test("LineReader.drain() gives the lines in the order in which they were written", () => {
  const { writer, reader } = ring();
  const octets = new TextEncoder().encode("-two\n-");
  assert.ok(writer.write("one → 1"));
  assert.ok(writer.writeOctets(octets, 1, 5));
  const at = writer.reserve(10);
  writer.octets.set(new TextEncoder().encode("three\n"), at);
  assert.equal(drained(reader), "one → 1\ntwo\n");
  writer.commit(at + 6);
  assert.equal(drained(reader), "three\n");
  reader.close();
});

Deno.test("LineReader.drain() gives whole lines, however little there is room for", () => {
  const { writer, reader } = ring();
  for (const line of ["one", "two", "three"]) writer.write(line);
  const into = new Uint8Array(9);
  assert.equal(reader.drain(into), 8);
  assert.equal(reader.drain(into.subarray(0, 5)), 0);
  assert.equal(reader.drain(into), 6);
  reader.close();
});

Deno.test("LineReader.drain() moves lines to any place in memory, whole words or not, and touches nothing else", () => {
  const { writer, reader } = ring();
  const memory = new Uint8Array(80);
  for (let i = 0; i < 20_000; i++) {
    const lines = [i % 23, i % 29].map((length, k) =>
      `${"abcdefghijklmnopqrstuvwxyz".slice(k).repeat(2).slice(0, length)}`
    );
    for (const line of lines) writer.write(line);
    const text = lines.map((line) => `${line}\n`).join(""), from = i % 11;
    memory.fill(1);
    const into = memory.subarray(from, from + text.length + i % 13);
    assert.equal(reader.drain(into), text.length);
    assert.equal(new TextDecoder().decode(into.subarray(0, text.length)), text);
    assert.ok(memory.every((octet, at) => octet === 1 || at >= from && at < from + into.length));
  }
  reader.close();
});

Deno.test("lines of every length pass the end of the ring unharmed, many times over", () => {
  const { writer, reader } = ring();
  let written = 0;
  for (let i = 0; written < 5 * CAPACITY; i++) {
    const line = `${i} ${"x".repeat((i * 7919) % 9973)}`;
    assert.ok(writer.write(line));
    assert.equal(drained(reader), line + "\n");
    written += line.length + 1;
  }
  assert.equal(reader.dropped, 0);
  reader.close();
});

Deno.test("a ring's counts pass 2^32", () => {
  const buffer: LineBuffer = makeLineBuffer();
  new Int32Array(buffer, 0, 2).fill(-(CAPACITY / 2));
  const reader = new LineReader(buffer, () => {});
  const writer = new LineWriter(buffer);
  const line = "x".repeat(999);
  for (let i = 0; i < 1500; i++) assert.ok(writer.write(line));
  assert.equal(drained(reader), `${line}\n`.repeat(1500));
  reader.close();
});

Deno.test("a full ring drops whole lines and counts them, and takes lines again once it is drained", () => {
  const { writer, reader } = ring();
  const line = "x".repeat(1023);
  const octets = new TextEncoder().encode(`${line}\n`);
  let taken = 0;
  while (writer.writeOctets(octets, 0, octets.length)) taken++;
  assert.equal(taken, CAPACITY / 1024);
  assert.equal(writer.write("late"), false);
  assert.equal(reader.dropped, 2);
  assert.equal(drained(reader, 300_000), `${line}\n`.repeat(taken));
  assert.ok(writer.write("again"));
  assert.equal(drained(reader), "again\n");
  reader.close();
});

Deno.test("a line longer than any is dropped, and the next is not", () => {
  const { writer, reader } = ring();
  assert.equal(writer.reserve(LINE_OCTETS_MAX + 1), -1);
  assert.equal(writer.write("x".repeat(LINE_OCTETS_MAX)), false);
  assert.ok(writer.write("short"));
  assert.equal(drained(reader), "short\n");
  assert.equal(reader.dropped, 2);
  reader.close();
});

/** Runs in another isolate: writes lines, and goes on only for a while after a full ring. */
const WORKER = `
  import { LineWriter } from ${
  JSON.stringify(new URL("../../../core/server/lines.ts", import.meta.url).href)
};
  self.onmessage = ({ data: { buffer, lines } }) => {
    const writer = new LineWriter(buffer);
    for (let i = 0; i < lines; i++) while (!writer.write(i + " " + "x".repeat(i % 200)));
    self.postMessage("done");
  };
`;

function startWorker(): Worker {
  return new Worker(URL.createObjectURL(new Blob([WORKER], { type: "application/javascript" })), {
    type: "module",
  });
}

Deno.test("a reader is told of lines that another isolate writes without pause, and misses none", async () => {
  const buffer = makeLineBuffer();
  const LINES = 50_000;
  const worker = startWorker();
  const done = Promise.withResolvers<void>();
  const all = new Promise<string>((resolve) => {
    let text = "";
    const reader = new LineReader(buffer, () => {
      text += drained(reader);
      if (text.endsWith(`\n${LINES - 1} ${"x".repeat((LINES - 1) % 200)}\n`)) resolve((reader.close(), text));
    });
  });
  worker.onmessage = () => done.resolve();
  worker.postMessage({ buffer, lines: LINES });
  const lines = (await all).trimEnd().split("\n");
  await done.promise;
  worker.terminate();
  assert.equal(lines.length, LINES);
  assert.ok(
    lines.every((line, i) =>
      line === `${i} ${"x".repeat(i % 200)}`.trimEnd() || line === `${i} ${"x".repeat(i % 200)}`
    ),
  );
});

Deno.test("what a worker wrote survives it", async () => {
  const buffer = makeLineBuffer();
  const worker = startWorker();
  const done = new Promise((resolve) => worker.onmessage = resolve);
  worker.postMessage({ buffer, lines: 3 });
  await done;
  worker.terminate();
  const reader = new LineReader(buffer, () => {});
  assert.equal(drained(reader), "0 \n1 x\n2 xx\n");
  reader.close();
  assert.ok(reader.isDone);
});
