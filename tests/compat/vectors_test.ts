/**
 * What CoreDNS does with small Corefiles and queries, one by one; where ours differs on purpose, the line says so.
 *
 * @module
 */

import assert from "node:assert/strict";
import { loadCorefile } from "../../core/command/load.ts";
import { formatPosition } from "../../core/corefile/directive.ts";
import { decodeMessage, encodeMessage, makeQuery } from "../../core/dns/message.ts";
import { formatName, parseName } from "../../core/dns/name.ts";
import { CLASS, rcodeToText, TYPE } from "../../core/dns/types.ts";
import { parseAddress } from "../../core/net/address.ts";
import { plugins } from "../../plugins/mod.ts";
import { startServer } from "../support/server.ts";

/** What is wrong with a Corefile, warnings marked, and the zones that it serves. */
async function read(text: string): Promise<{ said: string[]; zones: string[] }> {
  const { problems, configuration } = await loadCorefile({ file: "Corefile", text }, plugins, 53);
  const said = [
    ...problems.errors.map(({ at, message }) => `${formatPosition(at)} ${message}`),
    ...problems.warnings.map(({ at, message }) => `warning ${formatPosition(at)} ${message}`),
  ];
  const zones = configuration.blocks.flatMap(({ endpoints }) =>
    endpoints.map(({ zone }) => formatName(zone))
  );
  return { said, zones };
}

Deno.test("a Corefile that CoreDNS refuses is refused in its words, with a column and a hint", async () => {
  const table: [text: string, said: RegExp][] = [
    [". { whoami }", /^Corefile:1:12 Unexpected '}' because no matching opening brace/],
    [".{\nwhoami\n}", /^Corefile:1:1 zone is not a valid domain name: \.\{/],
    [". {\nfoo\n}", /^Corefile:2:1 Unknown directive 'foo'/],
    [
      "(a) {\nlog\n}\n(a) {\nlog\n}\n. {\nwhoami\n}",
      /^Corefile:4:1 redeclaration of previously declared snippet a/,
    ],
    [". {\nimport nope\n}", /^Corefile:2:8 File to import not found: nope/],
    [". {\nwhoami extra\n}", /^Corefile:2:8 Wrong argument count or unexpected line ending after 'extra'/],
    [
      "example.org {\nwhoami\n}\nexample.org {\nwhoami\n}",
      /^Corefile:4:1 cannot serve dns:\/\/example\.org\.:53 - it is already defined/,
    ],
    // There a comment hides only up to the next blank: the upstreams would be 127.0.0.1 and `text`. An error here.
    [". {\nforward . 127.0.0.1#note text\n}", /^Corefile:2:11 forward: .*got '127\.0\.0\.1#note'/],
    // There `{/a/b}` is the format, and `{combined}` a name that nobody asks for.
    [
      ". {\nlog . {combined} {/a/b}\nwhoami\n}",
      /^Corefile:2:7 zone is not a valid domain name: \{combined\}/,
    ],
    // There the port is empty, and metrics are nowhere.
    [". {\nprometheus localhost:{$NOWHERE_AT_ALL}\n}", /^Corefile:2:12 prometheus: /],
  ];
  for (const [text, expected] of table) {
    const { said } = await read(text);
    assert.match(said[0] ?? "", expected, text);
  }
});

Deno.test("a Corefile that CoreDNS takes is taken", async () => {
  const reverse = Array.from({ length: 32 }, (_, i) => `${i}.0.0.10.in-addr.arpa.`);
  const table: [text: string, zones: string[], said?: RegExp][] = [
    [".", ["."]],
    ["example.org:1053\n{\nwhoami\n}", ["example.org."]],
    ["example.org, example.net {\nwhoami\n}", ["example.org.", "example.net."]],
    ["example.org,\nexample.net {\nwhoami\n}", ["example.org.", "example.net."]],
    [". {\nimport conf/*.nope\nwhoami\n}", ["."], /^warning Corefile:2:8 /],
    ["10.0.0.0/27 {\nwhoami\n}", reverse],
    ["10.0.0.0/24. {\nwhoami\n}", ["10.0.0.0/24."]],
  ];
  for (const [text, zones, expected = /^$/] of table) {
    const found = await read(text);
    assert.deepEqual(found.zones, zones, text);
    assert.match(found.said.join("\n"), expected, text);
  }
});

Deno.test("what no plugin takes is REFUSED, and EDNS of another version BADVERS, as in CoreDNS", async () => {
  const test = await startServer(".:1053 {\n}\nexample.org:1053 {\nwhoami\n}");
  const ask = async (name: string, dnsClass: number, version?: number) => {
    const query = makeQuery(1, parseName(name), TYPE.A, version === undefined ? {} : { edns: {} });
    const questions = query.questions.map((question) => ({ ...question, class: dnsClass }));
    const octets = encodeMessage({ ...query, questions });
    // The version is the second octet of the OPT record's TTL (RFC 6891 section 6.1.3).
    if (version !== undefined) octets[octets.length - 5] = version;
    const endpoint = { address: parseAddress("127.0.0.1")!, port: test.port };
    const outcome = await test.server.answering.examine(octets, {
      source: endpoint,
      server: endpoint,
      transport: "udp",
    });
    return rcodeToText(decodeMessage(outcome.octets!).rcode);
  };
  try {
    assert.equal(await ask("www.example.net", CLASS.IN), "REFUSED");
    assert.equal(await ask("www.example.org", CLASS.IN), "NOERROR");
    assert.equal(await ask("www.example.org", CLASS.CH), "REFUSED");
    assert.equal(await ask("www.example.org", CLASS.IN, 0), "NOERROR");
    assert.equal(await ask("www.example.org", CLASS.IN, 1), "BADVERS");
  } finally {
    await test.close();
  }
});
