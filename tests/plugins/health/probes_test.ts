import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer, type Server as TlsServer } from "node:tls";
import type { AddressInfo } from "node:net";
import type { Check, HttpCheck } from "../../../plugins/health/check.ts";
import { configOf } from "./support.ts";
import { answers, encodeQuery } from "../../../plugins/health/probes/dns.ts";
import { dechunked, parseHead, requestText } from "../../../plugins/health/probes/http.ts";
import { probe } from "../../../plugins/health/probes/probe.ts";
import { parseName } from "../../../core/plugin.ts";
import { freePort } from "../../support/server.ts";
import { until } from "../../support/until.ts";

const LOCAL = "127.0.0.1";

/** The check of a line such as `tcp 80`. */
function check(line: string): Check {
  return configOf(`health {\ncheck ${line}\n}`).checks[0]!.check;
}

/** Probes 127.0.0.1; `ok REASON` or `failed REASON`. */
async function ask(line: string | Check, timeoutMs = 60_000, address = LOCAL): Promise<string> {
  const found = await probe({ address, check: typeof line === "string" ? check(line) : line }, { timeoutMs });
  assert.ok(found.latencyMs >= 0);
  return `${found.ok ? "ok" : found.local ? "local" : "failed"} ${found.reason}`;
}

/** A server that sends each connection `reply` once it has read something, and tells what it read. */
function serve(reply: string | Uint8Array, { hangs = false } = {}) {
  const listener = Deno.listen({ hostname: LOCAL, port: 0 });
  const requests: string[] = [];
  const octets = typeof reply === "string" ? new TextEncoder().encode(reply) : reply;
  const serving = (async () => {
    for await (const connection of listener) {
      const buffer = new Uint8Array(4096);
      const count = await connection.read(buffer).catch(() => null);
      if (count) requests.push(new TextDecoder().decode(buffer.subarray(0, count)));
      for (let at = 0; at < octets.length;) {
        at += await connection.write(octets.subarray(at)).catch(() => octets.length);
      }
      if (hangs) await connection.read(buffer).catch(() => null);
      connection.close();
    }
  })();
  return {
    port: listener.addr.port,
    requests,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

Deno.test("tcp: a connection that is accepted, one that is refused, over IPv4 and IPv6", async () => {
  await using server = serve("");
  assert.equal(await ask(`tcp ${server.port}`), "ok connected");
  assert.equal(await ask(`tcp ${freePort()}`), "failed connection refused");
  const listener = Deno.listen({ hostname: "::1", port: 0 });
  assert.equal(await ask(`tcp ${listener.addr.port}`, 5000, "::1"), "ok connected");
  listener.close();
});

const responses: [string, string, string, string][] = [
  ["a good status", "HTTP/1.1 204 No Content\r\n\r\n", "", "ok HTTP 204"],
  ["a redirect, which is not followed", "HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", "", "ok HTTP 302"],
  ["a bad status", "HTTP/1.1 503 Busy\r\n\r\n", "", "failed HTTP 503"],
  ["a status outside the wanted ones", "HTTP/1.1 302 Found\r\n\r\n", "status 200-299,401", "failed HTTP 302"],
  ["one of the wanted statuses", "HTTP/1.1 401 No\r\n\r\n", "status 200-299,401", "ok HTTP 401"],
  [
    "a status after an interim one",
    "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 500 Bad\r\n\r\n",
    "",
    "failed HTTP 500",
  ],
  ["a status without a phrase", "HTTP/1.1 200\r\n\r\n", "", "ok HTTP 200"],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\nwell", 'body "well"', "ok HTTP 200"],
  ["the text", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall well", 'body "l w"', "ok HTTP 200"],
  [
    "another text",
    "HTTP/1.1 200 OK\r\n\r\nnot so",
    'body "well"',
    "failed HTTP 200 without the text in its body",
  ],
  [
    "the text across chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nall\r\n5;x=y\r\n well\r\n0\r\n\r\n",
    'body "all well"',
    "ok HTTP 200",
  ],
  ["no answer at all", "", "", "failed closed without an answer"],
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n", "", "failed no HTTP in the answer"],
  ["a head that breaks off", "HTTP/1.1 200 OK\r\nA: b\r\n", "", "failed no HTTP in the answer"],
  ["a status that is no number", "HTTP/1.1 abc OK\r\n\r\n", "", "failed no HTTP/1.1 status in the answer"],
];

for (const [name, reply, more, expected] of responses) {
  Deno.test(`http: ${name}`, async () => {
    await using server = serve(reply);
    assert.equal(await ask(`http ${server.port} /up ${more}`), expected);
  });
}

Deno.test("http: the text counts only in the first 64 KiB", async () => {
  const head = "HTTP/1.1 200 OK\r\n\r\n";
  for (
    const [padding, expected] of [[65_532, "ok HTTP 200"], [
      65_533,
      "failed HTTP 200 without the text in its body",
    ]]
  ) {
    await using server = serve(`${head}${"x".repeat(padding as number)}well`);
    assert.equal(await ask(`http ${server.port} / body well`), expected);
  }
});

Deno.test("http: a body of known length is not waited for beyond its end", async () => {
  await using server = serve("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell", { hangs: true });
  assert.equal(await ask(`http ${server.port} / body well`), "ok HTTP 200");
});

Deno.test("http: the request names the host, and the port unless it is the scheme's own", async () => {
  await using server = serve("HTTP/1.1 200 OK\r\n\r\n");
  await ask(`http ${server.port} /up?a=b host api.example.org`);
  const lines = server.requests[0]!.split("\r\n");
  assert.deepEqual(lines.slice(0, 2), ["GET /up?a=b HTTP/1.1", `Host: api.example.org:${server.port}`]);
  const hostOf = (line: string, address: string) =>
    requestText(address, check(line) as HttpCheck).split("\r\n")[1];
  assert.equal(hostOf("http 80 /", "192.0.2.1"), "Host: 192.0.2.1");
  assert.equal(hostOf("https 443 / host a.example", "192.0.2.1"), "Host: a.example");
  assert.equal(hostOf("http 8080 /", "2001:db8::1"), "Host: [2001:db8::1]:8080");
});

Deno.test("parseHead() and dechunked() stand any cut", () => {
  const octets = new TextEncoder().encode(
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n4\r\nwell\r\n0\r\n\r\n",
  );
  for (let length = 0; length <= octets.length; length++) {
    const head = parseHead(octets.subarray(0, length));
    assert.equal(head !== undefined, length >= 53, `${length} octets`);
    if (head) {
      assert.ok("well".startsWith(new TextDecoder().decode(dechunked(octets.subarray(head.octets, length)))));
    }
  }
});

Deno.test("a probe that gets no answer ends at its timeout, and lets go of its connection", async () => {
  await using server = serve("", { hangs: true });
  for (const line of [`http ${server.port} /`, `https ${server.port} /`, `https ${server.port} / insecure`]) {
    assert.equal(await ask(line, 50), "failed timed out after 50 ms");
  }
});

Deno.test("a probe can be stopped from outside", async () => {
  await using server = serve("", { hangs: true });
  const controller = new AbortController();
  const target = { address: LOCAL, check: check(`http ${server.port} /`) };
  const probing = probe(target, { timeoutMs: 60_000, signal: controller.signal });
  controller.abort();
  assert.deepEqual({ ...await probing, latencyMs: 0 }, { ok: false, latencyMs: 0, reason: "stopped" });
});

Deno.test("https: server name, private authority, and what goes wrong with either", async () => {
  const folder = await Deno.makeTempDir();
  await makeCertificates(folder);
  const names: (string | false | undefined)[] = [];
  const server = await tlsServer(folder, names);
  const { port } = server.address() as AddressInfo;
  try {
    const ca = `ca ${folder}/ca.pem`;
    assert.equal(await ask(`https ${port} /up host api.example.org ${ca}`), "ok HTTP 200");
    assert.equal(names.at(-1), "api.example.org");
    assert.equal(await ask(`https ${port} / ${ca} body well`), "ok HTTP 200");
    assert.equal(names.at(-1), false);
    assert.match(
      await ask(`https ${port} / host www.example.org ${ca}`),
      /^failed hostname\/IP does not match certificate's altnames/,
    );
    assert.match(
      await ask(`https ${port} / host api.example.org`),
      /^failed unable to verify the first certificate/,
    );
    assert.equal(await ask(`https ${port} / host www.example.org insecure status 200`), "ok HTTP 200");
    assert.equal(names.at(-1), "www.example.org");
    assert.match(await ask(`https ${freePort()} / insecure`), /^failed .*ECONNREFUSED/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
    await Deno.remove(folder, { recursive: true });
  }
});

/** An authority and a certificate of it for api.example.org and 127.0.0.1. */
async function makeCertificates(folder: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await Deno.writeTextFile(`${folder}/names`, "subjectAltName=DNS:api.example.org,IP:127.0.0.1\n");
  for (
    const args of [
      ["req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test", "-days", "2"],
      ["req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"],
      [
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        "server.pem",
      ],
    ]
  ) {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  }
}

function tlsServer(folder: string, names: (string | false | undefined)[]): Promise<TlsServer> {
  const [key, cert] = ["server.key", "server.pem"].map((file) => Deno.readTextFileSync(`${folder}/${file}`));
  const server = createServer({ key: key!, cert: cert! }, (socket) => {
    names.push((socket as unknown as { servername?: string | false }).servername || false);
    socket.on("error", () => {});
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall well"));
  });
  server.on("tlsClientError", () => {});
  return new Promise((resolve) => server.listen(0, LOCAL, () => resolve(server)));
}

/** A responder that answers each query with the octets that `reply` makes of it. */
async function dnsResponder(reply: (query: Uint8Array) => Uint8Array[]) {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    for (const octets of reply(new Uint8Array(query))) socket.send(octets, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, LOCAL, resolve));
  return { port: socket.address().port, [Symbol.dispose]: () => void socket.close() };
}

/** `query` as a reply with an RCODE. */
function replyTo(
  query: Uint8Array,
  rcode: number,
  change: (octets: Uint8Array) => void = () => {},
): Uint8Array {
  const octets = query.slice();
  octets[2]! |= 0x80;
  octets[3] = rcode;
  change(octets);
  return octets;
}

const replies: [string, (query: Uint8Array) => Uint8Array[], string][] = [
  ["NOERROR", (query) => [replyTo(query, 0)], "ok NOERROR"],
  ["SERVFAIL", (query) => [replyTo(query, 2)], "failed SERVFAIL"],
  ["NXDOMAIN", (query) => [replyTo(query, 3)], "failed NXDOMAIN"],
  ["silence", () => [], "failed timed out after 100 ms"],
  ["the query itself", (query) => [query], "failed timed out after 100 ms"],
  [
    "another ID",
    (query) => [replyTo(query, 0, (octets) => octets[1]! ^= 1)],
    "failed timed out after 100 ms",
  ],
  [
    "another name",
    (query) => [replyTo(query, 0, (octets) => octets[13]! ^= 1)],
    "failed timed out after 100 ms",
  ],
  [
    "rubbish before the reply",
    (query) => [new Uint8Array(3), replyTo(query, 2).slice(0, 12), replyTo(query, 0)],
    "ok NOERROR",
  ],
  ["the name in capitals", (query) => [replyTo(query, 0, (octets) => octets[13]! -= 32)], "ok NOERROR"],
];

for (const [name, reply, expected] of replies) {
  Deno.test(`dns: ${name}`, async () => {
    using responder = await dnsResponder(reply);
    const timeoutMs = expected.includes("timed out") ? 100 : 60_000;
    assert.equal(await ask(`dns ${responder.port} www.example.org type AAAA`, timeoutMs), expected);
  });
}

Deno.test("encodeQuery() is RFC 1035's layout, with RD set", () => {
  const query = encodeQuery({ name: parseName("a.example"), type: 28 }, 0x1234);
  assert.equal(
    query.toHex(),
    "1234" + "0100" + "0001" + "0000".repeat(3) + "0161076578616d706c6500" + "001c" + "0001",
  );
  assert.equal(answers(query, query), false);
});

Deno.test("icmp: an echo reply with the latency that ping measured", async () => {
  const { ok, reason, latencyMs, local } = await probe({ address: LOCAL, check: { kind: "icmp" } }, {
    timeoutMs: 5000,
  });
  if (local) return assert.match(reason, /^cannot run ping/);
  assert.deepEqual([ok, reason], [true, "echo reply"]);
  assert.ok(latencyMs < 5000);
});

Deno.test("exec: the exit code decides, the first line is the reason, the address is handed over", async () => {
  const script = 'exec /bin/sh -c "echo $0 $MERIDIAN_ADDRESS; echo more; exit $1" {address}';
  assert.equal(await ask(`${script} 0`), "ok exit code 0: 127.0.0.1 127.0.0.1");
  assert.equal(await ask(`${script} 3`), "failed exit code 3: 127.0.0.1 127.0.0.1");
  assert.equal(await ask("exec /bin/true"), "ok exit code 0");
});

Deno.test("a reason cannot forge a line of the log", async () => {
  assert.equal(await ask("exec /usr/bin/printf a\\033b\\rc"), "ok exit code 0: a?b?c");
});

Deno.test("exec: no shell reads the arguments", async () => {
  assert.equal(await ask('exec /bin/echo "$HOME; exit 3"'), "ok exit code 0: $HOME; exit 3");
});

Deno.test("exec: a command that cannot be started says nothing of the target", async () => {
  assert.match(await ask("exec /nowhere/probe"), /^local cannot run \/nowhere\/probe/);
});

Deno.test("exec: endless output is read and dropped, and its length bounded", async () => {
  assert.match(
    await ask(`exec /bin/sh -c "head -c 3000000 /dev/zero | tr '[:cntrl:]' x"`),
    /^ok exit code 0: x{160}$/,
  );
});

Deno.test("exec: at the timeout the command dies with all it has started", async () => {
  const folder = await Deno.makeTempDir();
  const script = `/bin/sh -c "echo $$ > ${folder}/pid; sleep 61 & wait"`;
  // Where the machine stood still for all that time it had not begun.
  let group = "";
  for (let timeoutMs = 1000; group === "";) {
    timeoutMs *= 2;
    assert.equal(await ask(`exec ${script}`, timeoutMs), `failed timed out after ${timeoutMs} ms`);
    group = (await Deno.readTextFile(`${folder}/pid`).catch(() => "")).trim();
  }
  await until("all to be dead", () => membersOf(group) === 0);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("exec: a process that is left behind with the pipe open is not waited for", async () => {
  const folder = await Deno.makeTempDir();
  assert.equal(
    await ask(`exec /bin/sh -c "echo well; sleep 62 & echo $! > ${folder}/pid"`),
    "ok exit code 0: well",
  );
  Deno.kill(Number((await Deno.readTextFile(`${folder}/pid`)).trim()), "SIGKILL");
  await Deno.remove(folder, { recursive: true });
});

/** Living processes of a process group. */
function membersOf(group: string): number {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name)).filter(({ name }) => {
    try {
      const fields = Deno.readTextFileSync(`/proc/${name}/stat`).replace(/^.*\) /, "").split(" ");
      return fields[0] !== "Z" && fields[2] === group;
    } catch {
      return false;
    }
  }).length;
}
