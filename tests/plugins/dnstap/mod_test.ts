import assert from "node:assert/strict";
import { decodeMessage } from "../../../core/dns/message.ts";
import { type CorefileError, emptyAnswer, parseAddress } from "../../../core/plugin.ts";
import dnstap, { eventsOf } from "../../../plugins/dnstap/mod.ts";
import { encodeFrame } from "../../../plugins/dnstap/message.ts";
import { FakeUpstream, replyWith } from "../forward/fake_upstream.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";
import { startServer } from "../../support/server.ts";
import { until } from "../../support/until.ts";
import { Collector, dataFrames, decodeFields, type Fields } from "./collector.ts";

const parse = (text: string) => dnstap.parse(directivesOf(text), parseScopeOf());

Deno.test("parse() reads sockets and what a message says of the server", () => {
  assert.deepEqual(
    parse("dnstap /run/a.sock full\ndnstap tcp://[::1]:6000 {\n identity ns1\n version 9\n extra x\n}"),
    [
      { collector: { transport: "unix", path: "/run/a.sock" }, full: true },
      {
        collector: { transport: "tcp", hostname: "::1", port: 6000 },
        full: false,
        identity: "ns1",
        version: "9",
        extra: "x",
      },
    ],
  );
  assert.deepEqual(parse("dnstap unix:///run/a.sock")[0]!.collector, {
    transport: "unix",
    path: "/run/a.sock",
  });
});

Deno.test("parse() points at a socket that it cannot read", () => {
  for (const socket of ["tls://127.0.0.1:6000", "tcp://127.0.0.1", "tcp://127.0.0.1:0", "unix://"]) {
    const scope = parseScopeOf();
    dnstap.parse(directivesOf(`dnstap ${socket}`), scope);
    const [error] = scope.problems.errors as readonly CorefileError[];
    assert.ok(error && error.at.column === 8 && error.message.includes(`got '${socket}'`), socket);
  }
});

const sent = {
  octets: 5,
  flags: 0x8400,
  plugin: "file",
  durationMs: 1.5,
  message: Uint8Array.of(1, 2, 3, 4, 5),
};
const origin = {
  identity: new TextEncoder().encode("ns1"),
  version: new Uint8Array(0),
  extra: new Uint8Array(0),
};

Deno.test("a frame has the fields of dnstap.proto, and its length in front", () => {
  const context = contextOf({ octets: Uint8Array.of(9, 9), transport: "tcp", nowMs: 1_700_000_000_123.25 });
  const [query, response] = eventsOf(context, emptyAnswer(0), sent, true).map((event) => {
    const [frame] = dataFrames(encodeFrame(origin, event));
    const outer = decodeFields(frame!);
    assert.deepEqual([...outer.keys()], [1, 14, 15]);
    assert.equal(new TextDecoder().decode(outer.get(1) as Uint8Array), "ns1");
    assert.equal(outer.get(15), 1);
    return Object.fromEntries(decodeFields(outer.get(14) as Uint8Array));
  });
  const common = {
    2: 1,
    3: 2,
    4: parseAddress("192.0.2.53")!.octets,
    5: parseAddress("2001:db8::1")!.octets,
    6: 50759,
    7: 53,
    8: 1_700_000_000,
    9: 123_250_000,
  };
  assert.deepEqual(query, { 1: 1, ...common, 10: Uint8Array.of(9, 9) });
  assert.deepEqual(response, { 1: 2, ...common, 12: 1_700_000_000, 13: 124_750_000, 14: sent.message });
});

Deno.test("a query that was resolved elsewhere is a client's, and silence has no reply", () => {
  const types = (answer: Parameters<typeof eventsOf>[1], octets = 5) =>
    eventsOf(contextOf(), answer, { ...sent, octets }, false).map(({ type }) => type);
  assert.deepEqual(types(emptyAnswer(0)), [1, 2]);
  assert.deepEqual(types(emptyAnswer(0, { recursionAvailable: true })), [5, 6]);
  assert.deepEqual(types(emptyAnswer(0, { silent: true }), 0), [1]);
  assert.ok(
    eventsOf(contextOf(), emptyAnswer(0), sent, false).every((event) => !event.query && !event.response),
  );
});

for (const workers of [0, 1]) {
  const where = workers ? "in a data worker" : "in the control isolate";

  Deno.test(`queries answered ${where} reach the collector, messages octet for octet`, async () => {
    await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
    const folder = await Deno.makeTempDir();
    const collector = new Collector(`${folder}/tap.sock`);
    const server = await startServer(
      `anycast.example:1053 {
    bind 127.0.0.1
    dnstap unix://${folder}/tap.sock full {
        identity ns1
    }
    file zones/anycast.example.zone
}
.:1053 {
    bind 127.0.0.1
    dnstap ${folder}/tap.sock full
    forward . 127.0.0.1:${upstream.upstream.port}
}
`,
      { workers },
    );
    try {
      const replies = [await server.ask("anycast.example", "SOA"), await server.ask("www.example.org")];
      await until("the messages", () => collector.frames.length === 4);
      const again = await server.ask("anycast.example", "SOA");
      await until("those of a repeated reply", () => collector.frames.length === 6);
      const messages = collector.frames.map((frame) =>
        decodeFields(decodeFields(frame).get(14) as Uint8Array)
      );
      const told = (type: number) => messages.find((fields) => fields.get(1) === type)!;
      const wire = (fields: Fields, field: number) => decodeMessage(fields.get(field) as Uint8Array);
      for (const [i, type] of [1, 5].entries()) {
        assert.equal(wire(told(type), 10).id, replies[i]!.id);
        assert.deepEqual(wire(told(type + 1), 14), replies[i]);
      }
      assert.deepEqual(messages.slice(4).map((fields) => fields.get(1)), [1, 2]);
      assert.deepEqual(wire(messages[5]!, 14), again);
    } finally {
      await server.close();
      await collector.close();
      await Deno.remove(folder, { recursive: true });
    }
    assert.deepEqual(collector.controls.sort(), [2, 2, 3, 3, 4, 4]);
    const counts = server.server.metrics.snapshot();
    assert.equal(counts[`meridian_dnstap_sent_total{to="unix://${folder}/tap.sock"}`], 6);
  });
}
