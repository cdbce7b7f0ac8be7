/**
 * forward against unbound: a resolver as people run it.
 */

import assert from "node:assert/strict";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import { type Answer, parseAddress, parseName, type QueryContext, ROOT } from "../../../core/plugin.ts";
import { Forwarder } from "../../../plugins/forward/forwarder.ts";
import { SYSTEM_SOCKETS } from "../../../plugins/forward/sockets.ts";
import { commandPath, havePackages } from "../../../scripts/packages.ts";
import type { TlsFiles } from "../../../plugins/forward/tls.ts";
import type { Upstream } from "../../../plugins/forward/upstream.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { contextOf } from "../../support/context.ts";
import { freePort, startServer } from "../../support/server.ts";
import { ruleTo } from "./rule.ts";

/** unbound on free ports of loopback, plain and over TLS, with data of its own and nobody to ask. */
async function startUnbound(
  { certificate, key }: { certificate: string; key: string },
): Promise<AsyncDisposable & { port: number; tlsPort: number }> {
  const port = freePort(), tlsPort = freePort();
  const folder = await Deno.makeTempDir();
  const texts = Array.from(
    { length: 40 },
    (_, i) => `local-data: 'big.example.org. 60 TXT "${i}${"x".repeat(99)}"'`,
  );
  await Deno.writeTextFile(
    `${folder}/unbound.conf`,
    `
server:
  interface: 127.0.0.1@${port}
  interface: 127.0.0.1@${tlsPort}
  tls-port: ${tlsPort}
  tls-service-pem: "${certificate}"
  tls-service-key: "${key}"
  username: ""
  chroot: ""
  directory: "${folder}"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  num-threads: 1
  module-config: "iterator"
  local-zone: "." static
  local-zone: "example.org." static
  local-data: "example.org. 3600 SOA ns.example.org. admin.example.org. 1 3600 600 86400 300"
  local-data: "www.example.org. 60 A 192.0.2.1"
  local-data: "www.example.org. 60 A 192.0.2.2"
  ${texts.join("\n  ")}
remote-control:
  control-enable: no
`,
  );
  const child = new Deno.Command((await commandPath("unbound"))!, {
    args: ["-d", "-c", `${folder}/unbound.conf`],
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    port,
    tlsPort,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function forwarderTo(port: number, more: Partial<Upstream> = {}, tls: TlsFiles = {}): Forwarder {
  const rule = ruleTo([{ protocol: "dns", address: parseAddress("127.0.0.1")!, port, ...more }], {
    tls,
    healthCheck: { intervalMs: 100, name: ROOT, recursionDesired: true },
    readTimeoutMs: 300,
    attemptsMax: 30,
  });
  return new Forwarder(rule, {
    clock: SYSTEM_CLOCK,
    random: Math.random,
    sockets: SYSTEM_SOCKETS,
    count() {},
    observe() {},
  });
}

function asking(text: string, type: number, more: Partial<QueryContext> = {}): QueryContext {
  return contextOf({ question: { name: parseName(text), type, class: 1 }, ...more }, text);
}

const present = await havePackages(["unbound", "openssl"]);

/** Asks until it listens: tries run out or time does; each query is bounded by five seconds. */
async function askOften(forwarder: Forwarder): Promise<Answer> {
  let answer = await forwarder.answer(asking("WWW.example.org", TYPE.A));
  for (let i = 0; answer.rcode !== 0 && i < 5; i++) {
    answer = await forwarder.answer(asking("WWW.example.org", TYPE.A));
  }
  return answer;
}

Deno.test({ name: "unbound's answers come through whole", ignore: !present }, async (t) => {
  await using certificates = await makeCertificates();
  await using unbound = await startUnbound(certificates.server);
  const forwarder = forwarderTo(unbound.port);

  await t.step("an address, once unbound has started", async () => {
    const answer = await askOften(forwarder);
    assert.deepEqual(answer.answer[0]!.rdata.map((address) => address.join(".")).sort(), [
      "192.0.2.1",
      "192.0.2.2",
    ]);
    assert.deepEqual([answer.recursionAvailable, answer.answer[0]!.ttl], [true, 60]);
  });

  await t.step("more than a datagram holds, by way of TCP", async () => {
    const answer = await forwarder.answer(asking("big.example.org", TYPE.TXT));
    assert.equal(answer.answer[0]!.rdata.length, 40);
  });

  await t.step("a name that does not exist, with its SOA record", async () => {
    const answer = await forwarder.answer(asking("no.example.org", TYPE.A, { transport: "tcp" }));
    assert.deepEqual([answer.rcode, answer.authority[0]!.type], [RCODE.NXDOMAIN, TYPE.SOA]);
  });

  await t.step("a type that does not exist", async () => {
    const answer = await forwarder.answer(asking("www.example.org", TYPE.AAAA));
    assert.deepEqual([answer.rcode, answer.answer.length], [0, 0]);
  });
  forwarder.close();

  await t.step("the same over TLS, many at a time over one connection", async () => {
    const more = { protocol: "tls" as const, serverName: "dns.example.org" };
    const secure = forwarderTo(unbound.tlsPort, more, { authority: certificates.authority });
    assert.equal((await askOften(secure)).answer[0]!.rdata.length, 2);
    const names = Array.from({ length: 100 }, (_, i) => `n${i}.example.org`);
    const answers = await Promise.all(names.map((name) => secure.answer(asking(name, TYPE.A))));
    assert.deepEqual(new Set(answers.map(({ rcode }) => rcode)), new Set([RCODE.NXDOMAIN]));
    const big = await secure.answer(asking("big.example.org", TYPE.TXT));
    assert.equal(big.answer[0]!.rdata.length, 40);
    secure.close();
  });

  await t.step("a whole server, as a Corefile has it", async () => {
    const server = await startServer(`.:1053 {
    cache
    forward . tls://127.0.0.1:${unbound.tlsPort} {
        tls ${certificates.authority}
        tls_servername dns.example.org
    }
}
`);
    try {
      for (let i = 0; i < 2; i++) {
        const { answer, recursionAvailable } = await server.ask("www.example.org");
        assert.deepEqual([answer.length, recursionAvailable], [2, true]);
      }
    } finally {
      await server.close();
    }
  });
});
