import assert from "node:assert/strict";
import type { Option } from "../../core/plugin.ts";
import { checkReadme, type Documented } from "../../scripts/check_docs.ts";
import { formatViolation } from "../../scripts/violation.ts";

const option: Option<boolean> = { usage: "", read: () => true };

const plugin: Documented = {
  name: "geo",
  aliases: ["geoip"],
  usage: "geo [FILES...]",
  options: { networks: option, ecs: option, city: option, country: option },
};

const readme = `# geo

## Name

_geo_ - finds out where clients are.

## Description

It looks them up.

## Syntax

\`\`\`
geo [FILES...] {
    networks FILE       # prefixes and places
    [ecs on|off]
    city|country FILE {
        nested
    }
}
\`\`\`

- **FILES** the databases. \`geoip\` means the same.
- \`networks\` the operator's networks.

## Bounds

## Examples

\`\`\`corefile
# a comment, not a heading
.:1053 {
    geo
}
\`\`\`
`;

/** What is wrong with the README after a change. */
function check(change: (text: string) => string, of: Documented = plugin): string[] {
  return checkReadme(of, "README.md", change(readme)).map(formatViolation);
}

Deno.test("checkReadme() accepts a README that says what the plugin reads", () => {
  assert.deepEqual(check((text) => text), []);
});

Deno.test("checkReadme() takes an option from a list item of the syntax", () => {
  const bySyntax = (text: string) => text.replace("    [ecs on|off]\n", "");
  assert.deepEqual(check(bySyntax), ["README.md:14: error: option 'ecs' of geo is not in the syntax"]);
  assert.deepEqual(
    check((text) => bySyntax(text).replace("- `networks`", "- `ecs on|off` answers ECS.\n$&")),
    [],
  );
});

const wrong: [title: string, change: (text: string) => string, expected: string[]][] = [
  ["another title", (text) => text.replace("# geo\n", "# Geo\n"), [
    "1: error: the first heading must be '# geo'",
  ]],
  ["no Description", (text) => text.replace("## Description", "Description"), [
    "1: error: section '## Description' is missing",
  ]],
  ["no Syntax", (text) => text.replace("## Syntax", "## Grammar"), [
    "1: error: section '## Syntax' is missing",
  ]],
  [
    "sections in another order",
    (text) => text.replace("## Name", "## X").replace("## Bounds", "## Name"),
    ["7: error: section '## Description' must come after '## Name'"],
  ],
  ["no fenced block", (text) => text.replace(/```\ngeo[^]*?```\n/, ""), [
    "12: error: section '## Syntax' has no fenced block",
  ]],
  ["an unclosed brace", (text) => text.replace("    }\n}\n```", "    }\n```"), [
    "13: error: cannot read the syntax: Unexpected EOF: the '{' that opens here is never closed",
  ]],
  ["an option that does not exist", (text) => text.replace("    networks", "    networcs FILE\n$&"), [
    "15: error: geo has no option 'networcs'",
  ]],
  ["one of several that does not exist", (text) => text.replace("city|country", "city|county|country"), [
    "17: error: geo has no option 'county'",
  ]],
  ["an option not told", (text) => text.replace("city|country", "city"), [
    "14: error: option 'country' of geo is not in the syntax",
  ]],
  ["an alias not told", (text) => text.replace("geoip", "another word"), [
    "12: error: alias 'geoip' of geo is not mentioned",
  ]],
  ["another usage", (text) => text.replace("geo [FILES...] {", "geo FILE {"), [
    "14: error: the syntax has no line 'geo [FILES...]', which is what geo says of itself",
  ]],
  ["a form under another name", (text) => text.replace("```\ngeo", "```\ngeos off\ngeo"), [
    "14: error: the syntax of geo begins with 'geos'",
  ]],
];

for (const [title, change, expected] of wrong) {
  Deno.test(`checkReadme() refuses ${title}`, () => {
    assert.deepEqual(check(change), expected.map((violation) => `README.md:${violation}`));
  });
}

Deno.test("checkReadme() accepts a plugin without options", () => {
  const plain = { name: "geo", usage: "geo", options: {} };
  assert.deepEqual(check((text) => text.replace(/geo \[[^]*?\n}\n/, "geo\n"), plain), []);
});

Deno.test("checkReadme() holds the section Metrics against what is declared, labels in order", () => {
  const counted: Documented = {
    ...plugin,
    metrics: {
      a_total: { kind: "counter", help: "A." },
      b_total: { kind: "counter", help: "B.", labels: ["zone", "proto"] },
    },
  };
  const told = (items: string) => check((text) => `${text}\n## Metrics\n\n${items}\n`, counted);
  assert.deepEqual(told("- `a_total`,\n  `b_total{zone, proto}`: both."), []);
  assert.deepEqual(told("- `a_total`: A.\n- `b_total{zone,proto}` B, not `c_total`."), []);
  assert.deepEqual(told("- `a_total`: A.\n- `b_total{proto, zone}`: B.\n- `c_total`: C."), [
    "README.md:40: error: geo does not declare the metric 'b_total{proto, zone}'",
    "README.md:41: error: geo does not declare the metric 'c_total'",
    "README.md:37: error: metric 'b_total{zone, proto}' of geo is not in a section '## Metrics'",
  ]);
  assert.deepEqual(check((text) => text, counted).length, 2);
  assert.deepEqual(check((text) => `${text}\n## Metrics\n\n- \`a_total\`: A.\n`), [
    "README.md:39: error: geo does not declare the metric 'a_total'",
  ]);
});
