import assert from "node:assert/strict";
import { checkLayers, importsOf, readSources } from "../../scripts/check_layers.ts";
import { formatViolation } from "../../scripts/violation.ts";

/** Why a file at `path` may not import `specifier`, if it may not. */
function verdict(path: string, specifier: string): string | undefined {
  const text = ["", `import { x } from "${specifier}";`].join("\n");
  const [violation] = checkLayers([{ path, text }]);
  return violation && formatViolation(violation);
}

const allowed: [path: string, specifier: string][] = [
  ["core/net/table.ts", "./address.ts"],
  ["core/corefile/arguments.ts", "../net/address.ts"],
  ["core/corefile/imports.ts", "node:path/posix"],
  ["core/server/server.ts", "../corefile/parser.ts"],
  ["core/fleet/hub.ts", "yaml"],
  ["plugins/shelf.ts", "./geo/mod.ts"],
  ["plugins/shelf.ts", "../core/plugin.ts"],
  ["plugins/mod.ts", "./shelf.ts"],
  ["plugins/geo/mod.ts", "../../core/plugin.ts"],
  ["plugins/geo/mod.ts", "./database.ts"],
  ["plugins/health/probes/dns.ts", "../check.ts"],
  ["plugins/geo/database.ts", "mmdb-lib"],
  ["tests/model/select.ts", "./geometry.ts"],
  ["tests/model/select.ts", "node:assert/strict"],
  ["tests/plugins/geo_test.ts", "../../plugins/geo/mod.ts"],
  ["scripts/check_docs.ts", "../plugins/mod.ts"],
  ["main.ts", "./plugins/shelf.ts"],
  ["main.ts", "./core/command/mod.ts"],
  ["demo.ts", "./core/plugin.ts"],
];

for (const [path, specifier] of allowed) {
  Deno.test(`${path} may import ${specifier}`, () => {
    assert.equal(verdict(path, specifier), undefined);
  });
}

const refused: [path: string, specifier: string, target: string][] = [
  ["core/net/table.ts", "../dns/name.ts", "core/dns/name.ts"],
  ["core/net/table.ts", "../corefile/directive.ts", "core/corefile/directive.ts"],
  ["core/net/table.ts", "dns-packet", "dns-packet"],
  ["core/corefile/keys.ts", "../dns/name.ts", "core/dns/name.ts"],
  ["core/corefile/keys.ts", "../plugin.ts", "core/plugin.ts"],
  ["core/corefile/keys.ts", "node:dns", "node:dns"],
  ["core/corefile/keys.ts", "node:dns/promises", "node:dns/promises"],
  ["core/server/server.ts", "../../plugins/mod.ts", "plugins/mod.ts"],
  ["core/server/server.ts", "../../main.ts", "main.ts"],
  ["core/chain.ts", "../tests/model/select.ts", "tests/model/select.ts"],
  ["plugins/geo/mod.ts", "../health/mod.ts", "plugins/health/mod.ts"],
  ["plugins/geo/mod.ts", "../geographic/mod.ts", "plugins/geographic/mod.ts"],
  ["plugins/geo/mod.ts", "../shelf.ts", "plugins/shelf.ts"],
  ["plugins/geo/mod.ts", "../../scripts/packages.ts", "scripts/packages.ts"],
  ["plugins/shelf.ts", "./geo/database.ts", "plugins/geo/database.ts"],
  ["tests/model/select.ts", "../../core/net/address.ts", "core/net/address.ts"],
  ["tests/model/select.ts", "../../plugins/geo/mod.ts", "plugins/geo/mod.ts"],
  ["main.ts", "./tests/model/select.ts", "tests/model/select.ts"],
  ["demo.ts", "./plugins/mod.ts", "plugins/mod.ts"],
];

for (const [path, specifier, target] of refused) {
  Deno.test(`${path} must not import ${specifier}`, () => {
    assert.equal(verdict(path, specifier), `${path}:2: error: ${path} must not import ${target}`);
  });
}

for (const specifier of ["npm:yaml@2", "jsr:@std/assert", "https://example.org/x.ts", "file:///x.ts"]) {
  Deno.test(`no file may import ${specifier}`, () => {
    for (
      const path of ["main.ts", "core/chain.ts", "plugins/geo/mod.ts", "tests/x_test.ts", "tests/model/x.ts"]
    ) {
      assert.match(verdict(path, specifier) ?? "", /must not import .*: packages are named in deno\.json/);
    }
  });
}

Deno.test("importsOf() finds every form of import, with its line", () => {
  const call = ["import", '("./dynamic.ts")'].join("");
  const text = [
    'import "./effect.ts";',
    "import {",
    "  a,",
    '} from "./several.ts";',
    'import type { B } from "./type.ts";',
    'import c, * as d from "./default.ts";',
    'export * from "./all.ts";',
    'export { e } from "./one.ts";',
    `const f = await ${call};`,
    `type G = ${call.replace("dynamic", "of_type")}.G;`,
    'const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });',
  ].join("\n");
  assert.deepEqual(importsOf(text).map(({ specifier, line }) => `${line} ${specifier}`), [
    "1 ./effect.ts",
    "4 ./several.ts",
    "5 ./type.ts",
    "6 ./default.ts",
    "7 ./all.ts",
    "8 ./one.ts",
    "9 ./dynamic.ts",
    "10 ./of_type.ts",
    "11 ./worker.ts",
  ]);
});

Deno.test("importsOf() passes over what only looks like an import", () => {
  const call = ["import", '("./x.ts")'].join("");
  const text = [
    `// ${call}`,
    ` * ${call}`,
    'export const from = "./x.ts";',
    'export function load(path = "./x.ts") {}',
    'const words = ["import", "from", "./x.ts"];',
    '  text("import x from ./x.ts");',
    'new URL("./zones/", import.meta.url);',
  ].join("\n");
  assert.deepEqual(importsOf(text), []);
});

Deno.test("the repository keeps its layers", () => {
  const sources = readSources(".");
  assert.ok(sources.some(({ path }) => path === "core/corefile/parser.ts"));
  assert.deepEqual(checkLayers(sources).map(formatViolation), []);
});
