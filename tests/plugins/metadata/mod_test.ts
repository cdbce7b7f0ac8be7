import assert from "node:assert/strict";
import { formatName, type Name } from "../../../core/plugin.ts";
import metadata from "../../../plugins/metadata/mod.ts";
import { startBlock } from "../../support/block.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

Deno.test("metadata asks for labels in its zones, the block's where it names none", () => {
  const zones: Name[] = [];
  const scope = parseScopeOf({ zones: ["\x03org\0" as Name], wantLabels: (zone) => void zones.push(zone) });
  metadata.parse(directivesOf("metadata\nmetadata Example.org 10.0.0.0/8"), scope);
  assert.deepEqual(zones.map(formatName), ["org.", "example.org.", "10.in-addr.arpa."]);
  metadata.parse(directivesOf("metadata {\n x\n}"), scope);
  assert.match(scope.problems.errors[0]!.message, /unknown property 'x'/);
});

Deno.test("geo tells where the client is by its labels, under both names", async () => {
  const labels = [
    "country/code",
    "country/name",
    "country/is_in_european_union",
    "continent/code",
    "continent/name",
    "subdivisions/code",
    "latitude",
    "longitude",
    "network",
    "city/name",
  ];
  const format = (prefix: string) => labels.map((label) => `{/${prefix}/${label}}`).join(" ");
  const block = await startBlock(`
example.org:1053 {
  metadata sub.example.org
  geo
  log . "${format("geo")} | ${format("geoip")}"
  whoami
}
`);
  await block.ask("sub.example.org", "A", { subnet: "198.51.100.0/24" });
  await block.ask("sub.example.org", "A", { subnet: "2001:db8::/32" });
  await block.ask("example.org", "A", { subnet: "198.51.100.0/24" });
  const german = "DE Germany true EU Europe HE 50.1109 8.6821 198.51.100.0/24 -";
  const nowhere = `${"- ".repeat(8)}::/0 -`;
  const silent = labels.map(() => "-").join(" ");
  assert.deepEqual(block.lines.map((line) => line.replace("[INFO] ", "")), [
    `${german} | ${german}`,
    `${nowhere} | ${nowhere}`,
    `${silent} | ${silent}`,
  ]);
  await block.close();
});

Deno.test("labels follow the source alone under 'geo { ecs off }'", async () => {
  const block = await startBlock(`
.:1053 {
  metadata
  geo {
    ecs off
  }
  log . "{/geoip/country/code} {/view/name}"
  whoami
}
`);
  await block.ask("example.org", "A", { subnet: "198.51.100.0/24", source: "203.0.113.9" });
  assert.deepEqual(block.lines, ["[INFO] US -"]);
  await block.close();
});
