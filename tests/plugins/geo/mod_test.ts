import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import type { Geography, Location } from "../../../core/fleet/place.ts";
import {
  type Decision,
  emptyAnswer,
  formatPrefix,
  parseAddress,
  parsePrefix,
  type ParseScope,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import { GeographyBuilder } from "../../../plugins/geo/geography.ts";
import { answerLocated } from "../../../plugins/geo/answering.ts";
import geo, { parse } from "../../../plugins/geo/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { writeMmdb } from "../../support/mmdb_writer.ts";

const folder = Deno.makeTempDirSync();
Deno.writeFileSync(`${folder}/a.mmdb`, writeMmdb({ "8.8.0.0/16": { latitude: 1, longitude: 2 } }));
Deno.writeTextFileSync(`${folder}/n.yaml`, "networks: [{ prefix: 8.8.0.0/16, country: DE }]");
Deno.writeTextFileSync(`${folder}/bad.yaml`, "networks: [{ prefix: 8.8.0.0/16, country: de }]");
Deno.test.afterAll(() => Deno.removeSync(folder, { recursive: true }));

function read(text: string) {
  const problems = new Problems();
  const used: Partial<ParseScope> = { problems, path: (token) => `${folder}/${token.text}` };
  const directives = directivesOf(text);
  let config;
  problems.attempt(() => config = parse(directives, used as ParseScope));
  return {
    config: config as ReturnType<typeof parse> | undefined,
    errors: problems.errors.map(({ at, message }) => `${formatPosition(at)}: ${message}`),
  };
}

for (
  const [text, databases, ecs, networks] of [
    ["geo", ["geo-whois-asn-country.mmdb"], true, undefined],
    ["geo a.mmdb a.mmdb {\n ecs off\n networks n.yaml\n}", ["a.mmdb", "a.mmdb"], false, "n.yaml"],
    ["geoip a.mmdb {\n edns-subnet\n}", ["a.mmdb"], true, undefined],
  ] as const
) {
  Deno.test(`parse() reads ${JSON.stringify(text)}`, () => {
    const { config, errors } = read(text);
    assert.deepEqual(errors, []);
    assert.deepEqual(config!.databases.map((path) => path.split("/").at(-1)), databases);
    assert.equal(config!.ecs, ecs);
    assert.equal(config!.networks?.split("/").at(-1), networks);
    assert.deepEqual(structuredClone(config), config);
  });
}

for (
  const [text, ...expected] of [
    ["geo b.mmdb", "Corefile:2:5: geo: cannot use 'b.mmdb': no such file"],
    [
      "geoip a.mmdb n.yaml",
      "Corefile:2:14: geoip: cannot use 'n.yaml': it is no MaxMind DB file, or is cut short: its metadata is missing",
    ],
    ["geo {\n networks m.yaml\n}", "Corefile:3:11: geo: cannot read 'm.yaml': no such file"],
    [
      "geo {\n networks bad.yaml\n}",
      `${folder}/bad.yaml:1:43: country must be an ISO 3166-1 code of two capital letters, such as DE: got 'de'`,
    ],
    ["geo {\n ecs yes\n}", "Corefile:3:6: ecs: ecs must be on or off: got 'yes'"],
    ["geo {\n network n.yaml\n}", "Corefile:3:2: geo: unknown property 'network'; did you mean 'networks'?"],
    ["geo {\n ecs off\n edns-subnet\n}", "Corefile:2:1: geo: edns-subnet contradicts ecs off"],
    ["geo\ngeoip a.mmdb", "Corefile:3:1: geoip: stands twice in this server block: want it once"],
  ] as const
) {
  Deno.test(`parse() points at what is wrong in ${JSON.stringify(text)}`, () => {
    assert.deepEqual(read(text).errors, expected);
  });
}

const geography: Geography = (() => {
  const builder = new GeographyBuilder(0);
  const octets = writeMmdb({
    "8.8.0.0/16": { latitude: 1, longitude: 2, country_code: "US", state1: "CA" },
    "9.9.0.0/16": { latitude: 3, longitude: 4 },
  });
  builder.addDatabase({ name: "a.mmdb", octets });
  return builder.finish(1);
})();

const RESOLVER = { address: parseAddress("8.8.8.8")!, port: 53 };

function subnet(text: string): Partial<QueryContext> {
  const { family, octets, length } = parsePrefix(text)!;
  const clientSubnet = { address: { family, octets }, sourcePrefixLength: length };
  return { edns: { version: 0, payloadSize: 1232, dnssecOk: false, options: [], clientSubnet } };
}

/** What the plugin below sees. */
function seen(
  more: Partial<QueryContext>,
  ecs = true,
  known: Geography | undefined = geography,
): QueryContext {
  let below: QueryContext | undefined;
  answerLocated(known, ecs, contextOf({ source: RESOLVER, ...more }), (context) => {
    below = context;
    return emptyAnswer(0);
  });
  return below!;
}

const networkOf = (location: Location | undefined) => location && formatPrefix(location.network);

Deno.test("answerLocated() locates by client subnet, else by source", () => {
  assert.equal(networkOf(seen({}).locate?.()), "8.8.0.0/16");
  assert.equal(networkOf(seen(subnet("9.9.9.0/24")).locate?.()), "9.9.0.0/16");
});

Deno.test("answerLocated() locates by source when the client does not want to be located", () => {
  assert.equal(networkOf(seen(subnet("0.0.0.0/0")).locate?.()), "8.8.0.0/16");
});

Deno.test("answerLocated() locates by source where ECS is off, and tells those below", () => {
  const context = seen(subnet("9.9.9.0/24"), false);
  assert.equal(networkOf(context.locate?.()), "8.8.0.0/16");
  assert.equal(context.ecs, false);
});

Deno.test("answerLocated() locates any address, and the client once", () => {
  const { locate, locateAddress } = seen({});
  assert.equal(networkOf(locateAddress?.(parseAddress("9.9.9.9")!)), "9.9.0.0/16");
  assert.equal(locate?.(), locate?.());
});

Deno.test("answerLocated() looks nothing up unless asked", () => {
  const unread = new Proxy(geography, {
    get: () => {
      throw new Error("looked up");
    },
  });
  const { locate } = seen({}, true, unread);
  assert.throws(() => locate?.(), /looked up/);
});

Deno.test("answerLocated() passes on without a location while there is no geography", () => {
  const context = contextOf();
  const below: QueryContext[] = [];
  answerLocated(undefined, true, context, (given) => {
    below.push(given);
    return emptyAnswer(0);
  });
  assert.equal(below[0]!.locate, undefined);
});

Deno.test("answerLocated() records where the client is when someone wants to know", () => {
  const decisions: Decision[] = [];
  seen({ ...subnet("8.8.4.0/24"), record: (decision) => decisions.push(decision) });
  assert.deepEqual(decisions, [{
    plugin: "geo",
    what:
      "8.8.4.0 (by client subnet) is in 8.8.0.0/16, US CA, 1.00 2.00, city precision, from Test-City a.mmdb",
    facts: {
      address: "8.8.4.0",
      bySubnet: true,
      network: "8.8.0.0/16",
      place: { latitude: 1, longitude: 2, country: "US", subdivision: "CA" },
      precision: "city",
      source: "Test-City a.mmdb",
      special: false,
    },
  }]);
});

Deno.test("geo answers to the name that CoreDNS has for it too", () => {
  assert.deepEqual([geo.name, ...geo.aliases], ["geo", "geoip"]);
});
