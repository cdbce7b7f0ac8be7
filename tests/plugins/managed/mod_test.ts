import assert from "node:assert/strict";
import { formatRdata } from "../../../core/dns/rdata.ts";
import { rcodeToText, typeToText } from "../../../core/dns/types.ts";
import { importZone } from "../../../core/management/zone_transfer.ts";
import { Zones } from "../../../core/management/zones.ts";
import { Records } from "../../../core/management/records.ts";
import type { ZoneChanges } from "../../../core/membership/zone_view.ts";
import { formatMetrics } from "../../../core/server/exposition.ts";
import { ANNA, emptyWorld } from "../../core/management/support.ts";
import { until } from "../../support/until.ts";
import { type StartOptions, startServer, type TestServer } from "../../support/server.ts";
import { followed, linkTo } from "./shared_zones.ts";

const zoneText = (serial: number, ...lines: string[]) =>
  `$TTL 300\n@ SOA ns host ${serial} 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n${lines.join("\n")}\n`;

const GLOBALS = "{\n    state off\n    state sqlite nowhere/fleet.db\n}\n";

/** The zones of a store that has these, as they are told. */
async function told(texts: Readonly<Record<string, string>>): Promise<ZoneChanges> {
  const world = emptyWorld();
  for (const [name, text] of Object.entries(texts)) await importZone(world, name, text, ANNA);
  return followed(world.store);
}

const metricsOf = ({ server }: TestServer) => formatMetrics(server.metrics.read());

interface Stage {
  readonly server: TestServer;
  tell(zones: ZoneChanges): Promise<void>;
  /** `NOERROR A 192.0.2.1`: what comes back. */
  say(name: string, type?: "A" | "AAAA" | "TXT" | "SOA" | "CNAME" | "NS"): Promise<string>;
}

async function serving(
  corefile: string,
  zones: ZoneChanges,
  run: (stage: Stage) => Promise<void>,
  options: StartOptions = {},
): Promise<void> {
  const link = linkTo(zones), server = await startServer(GLOBALS + corefile, { fleet: link, ...options });
  try {
    await run({
      server,
      async tell(zones) {
        link.tell(zones);
        await new Promise((resolve) => setTimeout(resolve, 0));
      },
      async say(name, type = "A") {
        const { rcode, answer } = await server.ask(name, type);
        return [
          rcodeToText(rcode),
          ...answer.map(({ type, rdata }) => `${typeToText(type)} ${formatRdata(type, rdata)}`),
        ].join(" ");
      },
    });
  } finally {
    await server.close();
  }
}

Deno.test("zones within those of the block are served as they come, change and go, others never", async () => {
  const zones = await told({
    "example.org": zoneText(1, "www A 192.0.2.1"),
    "sub.example.org": zoneText(1, "www A 192.0.2.2"),
    "example.net": zoneText(1, "www A 192.0.2.3"),
  });
  await serving("example.org:1053 {\n    managed\n}\n", zones, async ({ say, tell, server }) => {
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.1");
    assert.equal(await say("www.sub.example.org"), "NOERROR A 192.0.2.2");
    assert.equal(await say("www.example.net"), "REFUSED");
    assert.match(metricsOf(server), /^meridian_managed_zones 2$/m);
    assert.equal(await say("absent.example.org"), "NXDOMAIN");
    await tell(await told({ "example.org": zoneText(2, "www A 192.0.2.9", "absent A 192.0.2.4") }));
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.9");
    assert.equal(await say("absent.example.org"), "NOERROR A 192.0.2.4");
    assert.equal(await say("www.sub.example.org"), "NOERROR A 192.0.2.2");
    await tell({ "sub.example.org.": null });
    assert.equal(await say("www.sub.example.org"), "NXDOMAIN");
    await tell({ "example.org.": null });
    assert.equal(await say("www.example.org"), "REFUSED");
    await tell(await told({ "example.org": zoneText(1, "www A 192.0.2.5") }));
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.5");
    assert.ok(server.logged.some((line) => /^info: managed: zone example\.org\. is gone/.test(line)));
  });
});

Deno.test("named zones alone are served, and what is in none is left to the plugins that follow", async () => {
  const zones = await told({
    "example.org": zoneText(1, "www A 192.0.2.1"),
    "example.net": zoneText(1, "www A 192.0.2.3"),
  });
  const corefile =
    ".:1053 {\n    managed example.org {\n        fallthrough f.example.org\n    }\n    whoami\n}\n";
  await serving(corefile, zones, async ({ say }) => {
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.1");
    assert.equal(await say("www.example.net"), "NOERROR");
    assert.equal(await say("a.f.example.org"), "NOERROR");
    assert.equal(await say("b.example.org"), "NXDOMAIN");
  });
});

Deno.test("of a zone that has a named one as a part, that part alone is served", async () => {
  const zones = await told({ "example.org": zoneText(1, "www A 192.0.2.1", "www.part A 192.0.2.2") });
  await serving(".:1053 {\n    managed part.example.org\n    whoami\n}\n", zones, async ({ say }) => {
    assert.equal(await say("www.part.example.org"), "NOERROR A 192.0.2.2");
    assert.equal(await say("absent.part.example.org"), "NXDOMAIN");
    assert.equal(await say("www.example.org"), "NOERROR");
  });
});

Deno.test("a zone that cannot be taken stays as it was, loudly, and is taken once it can be", async () => {
  const zones = await told({ "example.org": zoneText(1, "www A 192.0.2.1") });
  await serving("example.org:1053 {\n    managed\n}\n", zones, async ({ say, tell, server }) => {
    const zone = zones["example.org."]!;
    await tell({ "example.org.": { ...zone, refused: "a bad record" } });
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.1");
    const complaints = () => server.logged.filter((line) => line.startsWith("error"));
    assert.equal(complaints().length, 1);
    assert.match(
      complaints()[0]!,
      /zone example\.org\. cannot be taken .*serving serial 1 of 20.*: a bad record$/,
    );
    // Another isolate, which never knew it sound: what is served stays.
    await tell({ "example.org.": { origin: zone.origin, serial: 0, refused: "a bad record" } });
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.1");
    assert.equal(complaints().length, 1);
    assert.match(metricsOf(server), /^meridian_managed_refused_zones 1$/m);
    await tell(await told({ "example.org": zoneText(2, "www A 192.0.2.2") }));
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.2");
    assert.match(metricsOf(server), /^meridian_managed_refused_zones 0$/m);
    assert.match(metricsOf(server), /^meridian_managed_zones 1$/m);
  });
});

const POOL = `
    anycast entry.example.org {
        nodes nodes.yaml
        answers 1
        unknown nearest 50 8
    }
`;

Deno.test("pools in a managed zone are answered, whatever is put in their way", async () => {
  const zones = await told({ "example.org": zoneText(1, "alias CNAME entry") });
  await serving(`example.org:1053 {${POOL}    managed\n}\n`, zones, async ({ say, tell, server }) => {
    const pool = await say("entry.example.org");
    assert.match(pool, /^NOERROR A 127\./);
    assert.match(await say("alias.example.org"), /^NOERROR CNAME entry\.example\.org\. A 127\./);
    assert.equal(await say("entry.example.org", "TXT"), "NOERROR");
    await tell(
      await told({ "example.org": zoneText(2, "entry A 192.0.2.66", "entry TXT t", "www A 192.0.2.1") }),
    );
    assert.equal(await say("entry.example.org"), pool);
    assert.equal(await say("entry.example.org", "TXT"), 'NOERROR TXT "t"');
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.1");
    const complaints = () => server.logged.filter((line) => line.startsWith("error"));
    assert.match(
      complaints()[0]!,
      /entry\.example\.org\. is of pool .*the zone has A there.*: the pool is answered instead/,
    );
    await tell(await told({ "example.org": zoneText(3, "entry CNAME www") }));
    assert.equal(await say("entry.example.org"), pool);
    await tell(await told({ "example.org": zoneText(4, "entry NS ns.example.net.") }));
    assert.equal(await say("entry.example.org"), "NOERROR");
    assert.match(complaints().at(-1)!, /delegates entry\.example\.org\.: the pool is not answered there$/);
  });
});

Deno.test("pools are answered before their zone is there, and everything else is left alone", async () => {
  await serving(`example.org:1053 {${POOL}    managed\n}\n`, {}, async ({ say, tell, server }) => {
    assert.match(await say("entry.example.org"), /^NOERROR A 127\./);
    assert.equal(await say("www.example.org"), "REFUSED");
    assert.ok(server.logged.some((line) => /^warn: managed: example\.org\. is not in the store/.test(line)));
    await tell(await told({ "example.org": zoneText(1, "www A 192.0.2.1") }));
    assert.match(await say("entry.example.org"), /^NOERROR A 127\./);
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.1");
    assert.equal(await say("absent.example.org"), "NXDOMAIN");
    await tell({ "example.org.": null });
    assert.match(await say("entry.example.org"), /^NOERROR A 127\./);
    assert.equal(await say("www.example.org"), "REFUSED");
  });
});

Deno.test("what stands in for a zone goes when that is there", async () => {
  await serving(`.:1053 {${POOL}    managed\n}\n`, {}, async ({ say, tell }) => {
    assert.equal(await say("org"), "NOERROR", "it has a pool's name below it");
    await tell(await told({ "example.org": zoneText(1) }));
    assert.equal(await say("org"), "REFUSED");
    assert.match(await say("entry.example.org"), /^NOERROR A 127\./);
  });
});

Deno.test("data workers answer by the zone that was told last", async () => {
  const zones = await told({ "example.org": zoneText(1, "www A 192.0.2.1") });
  const { makeWorker } = await import("../../support/server.ts");
  await serving("example.org:1053 {\n    managed\n}\n", zones, async ({ say, tell }) => {
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.1");
    for (let serial = 2; serial < 40; serial++) {
      await tell(await told({ "example.org": zoneText(serial, `www A 192.0.2.${serial}`) }));
      await until(
        `serial ${serial}`,
        async () => await say("www.example.org") === `NOERROR A 192.0.2.${serial}`,
      );
    }
  }, { workers: 1, makeWorker });
});

Deno.test("without a store it says what it wants", async () => {
  await assert.rejects(
    startServer("example.org:1053 {\n    managed\n}\n"),
    /managed: wants a store: `state sqlite FILE` or `state etcd URL\.\.\.`/,
  );
});

Deno.test("servers that answer from other zones are told apart by their digests", async () => {
  const { snapshotDigest } = await import("../../../core/fleet/digest.ts");
  const world = emptyWorld();
  await new Zones(world).create({ name: "example.org", nameServers: ["ns.example.net"] }, ANNA);
  const before = followed(world.store), records = new Records(world);
  await serving("example.org:1053 {\n    managed\n}\n", before, async ({ tell, server: { server } }) => {
    const digest = () => snapshotDigest(server.publisher.snapshot, 0), first = digest();
    await tell(followed(world.store));
    assert.equal(digest(), first);
    await records.put("example.org.", "www.example.org", "A", { ttl: 60, rdata: ["192.0.2.1"] }, ANNA);
    await tell(followed(world.store));
    const second = digest();
    assert.notEqual(second, first);
    await tell(await told({ "sub.example.org": zoneText(1) }));
    assert.notEqual(digest(), second);
    // In whatever order they came and went.
    await tell({ "example.org.": null });
    await tell(followed(world.store));
    assert.notEqual(digest(), second);
    await tell({ "sub.example.org.": null });
    assert.equal(digest(), second);
  });
});

Deno.test("a zone that was taken away and made anew is another one for its digest, whatever its serial", async () => {
  const { snapshotDigest } = await import("../../../core/fleet/digest.ts");
  const world = emptyWorld(), zones = new Zones(world), records = new Records(world);
  const make = async (address: string) => {
    await zones.create({ name: "example.org", nameServers: ["ns.example.net"] }, ANNA);
    await records.put("example.org.", "www.example.org", "A", { ttl: 60, rdata: [address] }, ANNA);
    return followed(world.store);
  };
  const first = await make("192.0.2.1");
  await zones.remove("example.org.", ANNA);
  const second = await make("192.0.2.2");
  assert.equal(first["example.org."]!.serial, second["example.org."]!.serial);
  await serving("example.org:1053 {\n    managed\n}\n", first, async ({ tell, say, server: { server } }) => {
    const digest = () => snapshotDigest(server.publisher.snapshot, 0), before = digest();
    await tell(second);
    assert.equal(await say("www.example.org"), "NOERROR A 192.0.2.2");
    assert.notEqual(digest(), before);
    await tell(first);
    assert.equal(digest(), before);
  });
});
