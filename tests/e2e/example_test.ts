import assert from "node:assert/strict";
import { formatRecord } from "../../core/explain.ts";
import { decodeClientSubnet, findOption } from "../../core/dns/edns.ts";
import type { Message } from "../../core/dns/message.ts";
import { OPTION, RCODE } from "../../core/dns/types.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const EXAMPLE = await Deno.readTextFile(new URL("../../Corefile.example", import.meta.url));

/** Networks that the country registries have given to the country named, and the node of the example nearest to it. */
const CLIENTS = [
  { country: "Germany", subnet: "80.128.0.0/24", node: "127.0.0.11" },
  { country: "Japan", subnet: "133.11.0.0/24", node: "127.0.0.19" },
  { country: "Australia", subnet: "1.128.0.0/24", node: "127.0.0.20" },
  { country: "Brazil", subnet: "200.160.0.0/24", node: "127.0.0.15" },
  { country: "South Africa", subnet: "196.25.0.0/24", node: "127.0.0.16" },
  { country: "Germany, IPv6", subnet: "2003:e0::/48", node: "127.0.0.11" },
];

Deno.test("the example", async (t) => {
  // All of its nodes are up: while some have been found to be down and some not yet, answers may be of fewer.
  await using nodes = new Nodes();
  const server = await startServer(EXAMPLE.replace("check tcp 8443", `check tcp ${nodes.port}`));
  try {
    for (const { country, subnet, node } of CLIENTS) {
      await t.step(`gives a client in ${country} the nearest node first`, async () => {
        const reply = await server.ask("entry.anycast.example", "A", { subnet });
        assert.equal(reply.rcode, RCODE.NOERROR);
        assert.match(records(reply)[0]!, new RegExp(`^entry.anycast.example. [1-9]\\d* IN A ${node}$`));
        assert.equal(reply.answer.length, 2);
        assert.ok(scope(reply)! > 0 && scope(reply)! <= 128, `scope /${scope(reply)}`);
        await loggedLine(server, subnet);
      });
    }
    await t.step("answers static names with scope 0", async () => {
      const reply = await server.ask("www.anycast.example", "A", { subnet: "80.128.0.0/24" });
      assert.equal(scope(reply), 0);
      assert.deepEqual(records(reply).sort(), [
        "www.anycast.example. 3600 IN A 127.0.0.11",
        "www.anycast.example. 3600 IN A 127.0.0.12",
      ]);
    });
    await t.step(
      "lets the CNAME to a pool stand alone when the query carries ECS, and chases it otherwise",
      async () => {
        const withSubnet = await server.ask("api.anycast.example", "A", { subnet: "80.128.0.0/24" });
        assert.deepEqual(records(withSubnet), ["api.anycast.example. 3600 IN CNAME entry.anycast.example."]);
        const without = await server.ask("api.anycast.example", "A");
        assert.equal(without.answer.length, 3);
      },
    );
    await t.step("answers NODATA for other types of a pool's name, NXDOMAIN beside it", async () => {
      const noData = await server.ask("entry.anycast.example", "TXT", { subnet: "80.128.0.0/24" });
      assert.equal(noData.rcode, RCODE.NOERROR);
      assert.equal(noData.answer.length, 0);
      assert.equal(noData.authority.length, 1);
      assert.equal(scope(noData), 0);
      const absent = await server.ask("absent.anycast.example", "A", { subnet: "80.128.0.0/24" });
      assert.equal(absent.rcode, RCODE.NXDOMAIN);
      assert.equal(scope(absent), 0);
    });
    await t.step("answers the same over TCP", async () => {
      const how = { subnet: "133.11.0.0/24" };
      const udp = await server.ask("entry.anycast.example", "A", how);
      const tcp = await server.ask("entry.anycast.example", "A", { ...how, transport: "tcp" });
      assert.deepEqual(tcp.answer.map(({ rdata }) => rdata), udp.answer.map(({ rdata }) => rdata));
    });
  } finally {
    await server.close();
  }
});

/** Whoever connects to any loopback address at its port is let in, and sent away. */
class Nodes implements AsyncDisposable {
  readonly #listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  readonly port = this.#listener.addr.port;
  readonly #done = this.#serve();

  async #serve(): Promise<void> {
    for await (const connection of this.#listener) connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#done;
  }
}

function records(reply: Message): string[] {
  return reply.answer.map(formatRecord);
}

function scope(reply: Message): number | undefined {
  const option = reply.edns && findOption(reply.edns.options, OPTION.CLIENT_SUBNET);
  return option && decodeClientSubnet(option.data)?.scopePrefixLength;
}

/** The query log's line for a client; it says where the client is and which nodes were chosen. */
async function loggedLine(server: TestServer, subnet: string): Promise<void> {
  // With the chain in a worker the line comes by a message of its own.
  const line = await until(
    `a line about ${subnet} in the query log`,
    () => server.lines.find((line) => line.includes(subnet)),
  );
  assert.match(line, /entry\.anycast\.example.* NOERROR .*→ [a-z]{3}1,[a-z]{3}1/);
}
