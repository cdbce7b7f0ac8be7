import assert from "node:assert/strict";
import { FakeUpstream, replyWith } from "../forward/fake_upstream.ts";
import { ROOT, withFolder } from "../../command/meridian.ts";
import { askServer, freePort } from "../../support/server.ts";
import { until } from "../../support/until.ts";

/** A span as OTLP's JSON has it, as far as it is looked at here. */
interface Span {
  readonly name: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { key: string; value: Record<string, unknown> }[];
  readonly events: readonly { name: string }[];
}

interface Exported {
  readonly resourceSpans: readonly {
    readonly scopeSpans: readonly { readonly scope: { name: string }; readonly spans: readonly Span[] }[];
  }[];
}

/** Takes spans as a collector would. */
function collector() {
  const spans: Span[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    if (new URL(request.url).pathname === "/v1/traces") {
      const { resourceSpans } = await request.json() as Exported;
      const ours = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans)
        .filter(({ scope }) => scope.name === "meridian");
      spans.push(...ours.flatMap(({ spans }) => spans));
    } else await request.body?.cancel();
    return new Response("{}", { headers: { "content-type": "application/json" } });
  });
  return { spans, port: server.addr.port, close: () => server.shutdown() };
}

function valueOf({ attributes }: Span, key: string): unknown {
  const value = attributes.find((attribute) => attribute.key === key)?.value;
  return value && Object.values(value)[0];
}

for (const flags of [["-workers", "0"], ["-workers", "2"]]) {
  Deno.test(`${["serve", ...flags].join(" ")} exports spans to a collector`, async () => {
    await using upstream = new FakeUpstream(replyWith("@ 60 A 192.0.2.1"));
    const taken = collector(), port = freePort();
    const corefile = `{\n state off\n}\n.:${port} {
    bind 127.0.0.1
    trace
    geo
    forward . 127.0.0.1:${upstream.upstream.port}
}
anycast.example:${port} {
    bind 127.0.0.1
    trace
    geo
    anycast entry.anycast.example {
        nodes ${ROOT}nodes.yaml
        answers 1
    }
}
`;
    await withFolder({ Corefile: corefile }, async (folder) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          "--quiet",
          `--config=${ROOT}deno.json`,
          `${ROOT}main.ts`,
          "serve",
          ...flags,
        ],
        cwd: folder,
        env: {
          OTEL_DENO: "true",
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${taken.port}`,
          OTEL_BSP_SCHEDULE_DELAY: "100",
          OTEL_LOGS_EXPORTER: "none",
          OTEL_METRICS_EXPORTER: "none",
        },
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      try {
        await until("an answer", async () => {
          try {
            return (await askServer(port, "entry.anycast.example", "A", {
              subnet: "80.128.0.0/24",
              timeoutMs: 200,
            })).rcode === 0;
          } catch {
            return false;
          }
        });
        await askServer(port, "www.example.org", "A");
        await until(
          "the spans",
          () =>
            ["DNS A", "forward"].every((name) => taken.spans.some((span) => span.name === name)) &&
            taken.spans.some((span) => valueOf(span, "meridian.zone") === "anycast.example.") &&
            // What is within it ends before it does, and may be sent before.
            taken.spans.some((span) => valueOf(span, "dns.question.name") === "www.example.org."),
        );
      } finally {
        child.kill("SIGTERM");
        await child.status;
        await taken.close();
      }
    });
    const chosen = taken.spans.find((span) => valueOf(span, "meridian.zone") === "anycast.example.")!;
    assert.equal(valueOf(chosen, "dns.question.name"), "entry.anycast.example.");
    assert.equal(valueOf(chosen, "dns.response.code"), "NOERROR");
    assert.equal(chosen.parentSpanId, "");
    assert.deepEqual(chosen.events.map(({ name }) => name.split(":")[0]), ["geo", "anycast"]);
    assert.match(String(valueOf(chosen, "meridian.client")), /^80\.\d+\.\d+\.0\/\d+$/);
    const forwarded = taken.spans.find((span) => valueOf(span, "dns.question.name") === "www.example.org.")!;
    const below = taken.spans.find(({ name }) => name === "forward")!;
    assert.equal(below.parentSpanId, forwarded.spanId);
    assert.ok(BigInt(forwarded.startTimeUnixNano) <= BigInt(below.startTimeUnixNano) + 1_000_000n);
    assert.ok(BigInt(below.endTimeUnixNano) <= BigInt(forwarded.endTimeUnixNano) + 1_000_000n);
  });
}
