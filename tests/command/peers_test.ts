import assert from "node:assert/strict";
import { nodeAt, zoneServer } from "../core/bootstrap/servers.ts";
import { meridian, withFolder } from "./meridian.ts";

const PEERS = {
  peers: [{
    ...{ node: "lon1", addresses: ["2001:db8::1", "192.0.2.1"], overlay: ["10.64.0.1"], region: "eu-west" },
    ...{
      rttMs: 9.25,
      distanceKm: 344,
      health: "up",
      score: 0.9153,
      why: "9.3 ms measured; in entry.example.org.",
    },
  }],
  ttl: 30,
};

/** An API that answers so, and what it was asked. */
function startApi(reply: () => Response) {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url, headers }) => {
    const { pathname, search } = new URL(url);
    asked.push(`${pathname}${search} ${headers.get("authorization")}`);
    return reply();
  });
  return {
    asked,
    url: `http://127.0.0.1:${server.addr.port}`,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("meridian peers shows what the API says, as a table and as JSON", async () => {
  await using api = startApi(() => Response.json(PEERS));
  await withFolder({ token: "secret\n" }, async (folder) => {
    const args = ["peers", "-api", api.url, "-node", "fra1", "-count", "2", "-token-file", "token"];
    const table = await meridian(folder, ...args);
    assert.deepEqual(table, {
      code: 0,
      stderr: "",
      stdout: "NODE  ADDRESSES              OVERLAY    REGION      RTT  DISTANCE  HEALTH   SCORE  WHY\n" +
        "lon1  2001:db8::1 192.0.2.1  10.64.0.1  eu-west  9.3 ms    344 km  up      0.9153  " +
        "9.3 ms measured; in entry.example.org.\n",
    });
    assert.deepEqual(JSON.parse((await meridian(folder, ...args, "-json")).stdout), PEERS);
    assert.deepEqual(api.asked, Array(2).fill("/v1/peers?count=2&node=fra1 Bearer secret"));
  });
});

Deno.test("meridian peers ends with 1 when there are none, or nobody says", async () => {
  await withFolder({}, async (folder) => {
    await using none = startApi(() => Response.json({ peers: [], ttl: 5 }));
    const empty = await meridian(folder, "peers", "-api", none.url);
    assert.deepEqual([empty.stdout, empty.code], ["no peers; to be asked again in 5 s\n", 1]);
    await using no = startApi(() => Response.json({ detail: "who are you?" }, { status: 401 }));
    const refused = await meridian(folder, "peers", "-api", no.url);
    assert.deepEqual([refused.stdout, refused.stderr, refused.code], [
      "",
      `${no.url}: HTTP 401: who are you?\n`,
      1,
    ]);
  });
});

Deno.test("meridian peers NAME goes by DNS", async () => {
  using node = nodeAt("127.0.0.31");
  await using server = await zoneServer(`_formation._tcp IN SRV 1 0 ${node.port} a\na IN A 127.0.0.31`);
  await withFolder({}, async (folder) => {
    const args = ["peers", "fleet.example", "-resolver", `127.0.0.1:${server.port}`];
    assert.match((await meridian(folder, ...args)).stdout, /^127\.0\.0\.31 .* chosen /m);
    const { stdout, code } = await meridian(folder, ...args, "-json");
    const { peers: [peer], ttl } = JSON.parse(stdout);
    assert.deepEqual([peer.node, peer.addresses, peer.port, ttl, code], [
      "a.fleet.example",
      ["127.0.0.31"],
      node.port,
      60,
      0,
    ]);
  });
});

const misunderstood: [args: string[], says: string][] = [
  [[], "peers wants either -api URL or a NAME"],
  [["a.example", "-api", "https://ns1.example"], "peers wants either -api URL or a NAME"],
  [["-api", "ns1.example"], "-api must be a URL such as https://ns1.example.org:8443: got ns1.example"],
  [["-api", "http://ns1.example", "-token-file", "token"], "a token is sent by https alone"],
  [["-api", "https://ns1.example", "-count", "0"], "-count must be a whole number from 1 to 100: got 0"],
  [["-api", "https://127.0.0.1:1", "-token-file", "nowhere"], "nowhere"],
  [["a.example", "-watch"], "-watch goes with -api, not with a NAME"],
];

for (const [args, says] of misunderstood) {
  Deno.test(`meridian peers ${args.join(" ")} says why it cannot`, async () => {
    await withFolder({ token: "secret" }, async (folder) => {
      const { code, stdout, stderr } = await meridian(folder, "peers", ...args);
      assert.ok(stderr.includes(says), stderr);
      assert.doesNotMatch(stderr, /\n\s+at |Uncaught/);
      assert.deepEqual([stdout, code], ["", 2]);
    });
  });
}
