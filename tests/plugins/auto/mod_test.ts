import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { TYPE } from "../../../core/dns/types.ts";
import {
  type ControlScope,
  fold,
  formatName,
  type Name,
  type OwnedName,
  parseName,
  type ParseScope,
  Problems,
} from "../../../core/plugin.ts";
import type { ZoneData } from "../../../core/zone/zones.ts";
import { compilePattern } from "../../../core/pattern/pattern.ts";
import { findZoneFiles, originOf } from "../../../plugins/auto/folder.ts";
import auto, { type AutoSource } from "../../../plugins/auto/mod.ts";
import { directivesOf } from "../../support/directives.ts";
import { startServer } from "../../support/server.ts";
import { withFiles, zoneText } from "../file/file_fixture.ts";
import { until } from "../../support/until.ts";

/** What `parse` makes of directives in a block that serves `zone`, paths relative to `folder`. */
function parseBlock(text: string, folder: string, zone = ".") {
  const problems = new Problems();
  const held: string[] = [];
  const scope = {
    problems,
    zones: [fold(parseName(zone))],
    dataPath: ({ text }) => text.startsWith("/") ? text : `${folder}/${text}`,
    holdZone: (zone) => void held.push(formatName(zone)),
  } as Partial<ParseScope> as ParseScope;
  const sources = problems.attempt(() => auto.parse(directivesOf(text), scope)) ?? [];
  const say = (level: string) => ({ at, message }: Problems["errors"][number]) =>
    `${level} ${formatPosition(at)} ${message}`.replaceAll(folder, "…");
  const said = () => [...problems.errors.map(say("error")), ...problems.warnings.map(say("warning"))];
  return { sources, problems, said: said(), sayAgain: said, held };
}

/** The control half under a clock that is turned by hand. */
class Control {
  readonly clock = new ManualClock();
  readonly logged: string[] = [];
  readonly counted: string[] = [];
  readonly published: ZoneData[] = [];
  gauge: number | undefined;
  #resources: { close(): void | Promise<void> }[] = [];

  constructor(sources: readonly AutoSource[], owned: readonly OwnedName[] = []) {
    const say = (level: string) => (message: string) => void this.logged.push(`${level}: ${message}`);
    const scope: Partial<ControlScope> = {
      facts: { key: "1", zones: [], dataZones: [], owned, labelZones: [], plugins: [] },
      clock: this.clock,
      log: { debug: say("debug"), info: say("info"), warn: say("warn"), error: say("error") },
      publish: (value) => void this.published.push(structuredClone(value) as ZoneData),
      own: (resource) => (this.#resources.push(resource), resource),
      count: (name, labels) => void this.counted.push(`${name} ${Object.values(labels ?? {})}`),
      gauge: (_, value) => void (this.gauge = value),
    };
    auto.start(sources, scope as ControlScope);
  }

  /** The zones served, with their serials. */
  get served(): Record<string, number> {
    const entries = [...this.published.at(-1)!.zones].map((
      [origin, { serial }],
    ) => [formatName(origin), serial]);
    return Object.fromEntries(entries.sort());
  }

  close(): void {
    for (const resource of this.#resources) resource.close();
  }
}

/** Starts `auto { directory . ... }` over `files`, and runs `test` with what came of it. */
async function serving(
  files: Record<string, string>,
  options: string,
  test: (control: Control, folder: string) => void,
): Promise<void> {
  await withFiles(files, (folder) => {
    const control = new Control(parseBlock(`auto {\ndirectory .\n${options}\n}`, folder).sources);
    try {
      test(control, folder);
    } finally {
      control.close();
    }
  });
}

Deno.test("originOf() takes the zone from a file's name", () => {
  const table: [file: string, pattern: string, template: string, origin: string | undefined][] = [
    ["db.example.org", "db\\.(.*)", "{1}", "example.org"],
    ["www.db.example.org", "www\\.db\\.(.*)", "{1}", "example.org"],
    ["db.example.org.bak", "db\\.(.*)", "{1}", "example.org.bak"],
    ["example.org.zone.bak", "^(.*)\\.zone$", "{1}", undefined],
    ["org_example", "(.*)_(.*)", "{2}.{1}", "example.org"],
    ["x-example", "(?P<kind>.)-(.*)", "{2}.{kind}", "example.x"],
    ["db.", "db\\.(.*)", "{1}", undefined],
    ["other", "db\\.(.*)", "{1}", undefined],
  ];
  for (const [file, pattern, template, origin] of table) {
    assert.equal(originOf(file, compilePattern(pattern), template), origin, file);
  }
});

Deno.test("findZoneFiles() looks below the folder, in order, and passes over what is hidden", async () => {
  await withFiles({ "db.b": "", "db.a": "", ".db.c": "", "db.a..x": "", "db.A": "" }, async (folder) => {
    await Deno.mkdir(`${folder}/sub/..data`, { recursive: true });
    await Deno.writeTextFile(`${folder}/sub/..data/db.d`, "");
    await Deno.symlink("..data/db.d", `${folder}/sub/db.d`);
    const { found, passed } = findZoneFiles(folder, compilePattern("db\\.(.*)"), "{1}");
    assert.deepEqual(found.map(({ path }) => path.slice(folder.length)), ["/db.A", "/db.b", "/sub/db.d"]);
    assert.deepEqual(passed.map(({ path, why }) => `${path} ${why}`.replaceAll(folder, "…")), [
      "…/db.a …/db.A has the zone a already",
      '…/db.a..x Cannot read name "a..x": it has an empty label',
    ]);
  });
});

Deno.test("auto reads its options", async () => {
  await withFiles({}, (folder) => {
    const [plain] = parseBlock("auto {\ndirectory .\n}", folder).sources;
    assert.deepEqual({ ...plain, pattern: plain!.pattern.source }, {
      at: plain!.at,
      directory: `${folder}/.`,
      pattern: "db\\.(.*)",
      template: "{1}",
      zones: ["\0" as Name],
      reloadMs: 60_000,
      reloadByMtime: false,
      fallthrough: [],
    });
    const text = "auto example.org {\ndirectory / (.*)x {1}\nreload 45s\nreload_by_mtime\nfallthrough\n}";
    const [full] = parseBlock(text, folder).sources;
    assert.deepEqual([full!.directory, full!.pattern.source, full!.reloadMs], ["/", "(.*)x", 45_000]);
    assert.deepEqual([full!.zones.map(formatName), full!.fallthrough.map(formatName)], [["example.org."], [
      ".",
    ]]);
  });
});

Deno.test("auto says what is wrong with its directive, and with each file", async () => {
  const files = {
    "db.example.org": zoneText(1, "a A bad"),
    "db.example.net": zoneText(1),
    "db.example.com": "",
  };
  await withFiles(files, (folder) => {
    const table: [text: string, said: RegExp[]][] = [
      ["auto", [/^error Corefile:2:1 auto: wants a line 'directory DIR/]],
      ["auto {\ndirectory\n}", [/^error Corefile:3:1 .*after 'directory': directory wants DIR$/]],
      ["auto {\ndirectory . (x\n}", [
        /^error Corefile:3:15 auto: a '\(' is never closed, at character 3 of '\(x'$/,
      ]],
      ["auto {\ndirectory . x {1}\n}", [/^error Corefile:3:13 auto: REGEXP must have at least one group/]],
      ["auto {\ndirectory . (x)\n}", [/^error Corefile:3:13 .*directory wants ORIGIN_TEMPLATE$/]],
      ["auto {\ndirectory none\n}", [/^warning Corefile:3:11 auto: the folder '…\/none' does not exist$/]],
      ["auto {\ndirectory . (zzz)(x) {1}\nrelod 1s\n}", [
        /^error Corefile:4:1 auto: unknown property 'relod'/,
      ]],
      ["auto org net {\ndirectory .\n}", [
        /^warning Corefile:3:11 auto: zone example\.com\. in .* lies outside org\., net\.: nobody can ask/,
        /^warning …\/\.\/db\.example\.org:5:5 auto: the zone is left out: .*expected an IPv4 address/,
      ]],
    ];
    for (const [text, expected] of table) {
      const { said } = parseBlock(text, folder);
      assert.equal(said.length, expected.length, `${text}: ${said}`);
      expected.forEach((pattern, i) => assert.match(said[i]!, pattern));
    }
    assert.deepEqual(parseBlock("auto {\ndirectory .\n}", folder).held, ["example.net."]);
  });
});

Deno.test("auto reports the names of pools that a zone has no room for", async () => {
  await withFiles({ "db.example.org": zoneText(1, "www A 192.0.2.1") }, (folder) => {
    const owned = [{ name: fold(parseName("www.example.org")), types: [TYPE.A], pool: "p" }];
    const facts = { key: "1", zones: [], dataZones: [], owned, labelZones: [], plugins: [] };
    const { sources, problems, sayAgain } = parseBlock("auto {\ndirectory .\n}", folder);
    auto.verify(sources, facts, problems);
    const wrong = "www.example.org. is of pool p, but the zone has A there";
    assert.deepEqual(sayAgain(), [`error Corefile:3:11 auto: …/./db.example.org: ${wrong}`]);
    const control = new Control(sources, owned);
    assert.deepEqual(control.served, {});
    assert.match(control.logged[0]!, /^error: auto: .* is not served from it: Corefile:3:11: .*has A there/);
    control.close();
  });
});

Deno.test("zones appear, change and vanish with their files", async () => {
  await serving({ "db.a": zoneText(1), "db.b": zoneText(1) }, "reload 30s", (control, folder) => {
    assert.deepEqual([control.served, control.gauge], [{ "a.": 1, "b.": 1 }, 2]);
    Deno.writeTextFileSync(`${folder}/db.c`, zoneText(7));
    Deno.writeTextFileSync(`${folder}/db.b`, zoneText(22));
    Deno.removeSync(`${folder}/db.a`);
    control.clock.advance(29_999);
    assert.deepEqual(control.served, { "a.": 1, "b.": 1 });
    control.clock.advance(1);
    assert.deepEqual(control.served, { "a.": 1, "b.": 22, "c.": 7 });
    control.clock.advance(1000);
    assert.deepEqual([control.served, control.gauge], [{ "b.": 22, "c.": 7 }, 2]);
    assert.match(control.logged.at(-1)!, /^info: auto: .*db\.a is gone, zone a\. is no longer served$/);
    control.clock.advance(600_000);
    assert.equal(control.published.length, 3);
  });
});

Deno.test("a file that is gone for a moment keeps its zone", async () => {
  await serving({ "db.a": zoneText(1) }, "reload 30s", (control, folder) => {
    Deno.renameSync(`${folder}/db.a`, `${folder}/x`);
    control.clock.advance(30_000);
    Deno.renameSync(`${folder}/x`, `${folder}/db.a`);
    control.clock.advance(120_000);
    assert.deepEqual(control.served, { "a.": 1 });
    assert.equal(control.published.length, 1);
  });
});

Deno.test("what is wrong with one file concerns no other, and mends", async () => {
  await serving({ "db.a": "nonsense\n", "db.b": zoneText(1) }, "reload 30s", (control, folder) => {
    assert.deepEqual(control.served, { "b.": 1 });
    assert.match(
      control.logged[0]!,
      /^error: auto: .*db\.a cannot be taken, zone a\. is not served from it: .*db\.a:1:/,
    );
    control.clock.advance(90_000);
    assert.equal(control.logged.filter((line) => line.startsWith("error")).length, 1);
    Deno.writeTextFileSync(`${folder}/db.a`, zoneText(5));
    Deno.writeTextFileSync(`${folder}/db.b`, "nonsense\n");
    control.clock.advance(30_000);
    assert.deepEqual(control.served, { "a.": 5, "b.": 1 });
    assert.deepEqual(control.counted.slice(-2), [
      "meridian_auto_reloads_total taken",
      "meridian_auto_reloads_total refused",
    ]);
  });
});

Deno.test("a folder that cannot be read changes nothing", async () => {
  await serving({ "db.a": zoneText(1) }, "reload 30s", (control, folder) => {
    Deno.renameSync(folder, `${folder}.away`);
    control.clock.advance(120_000);
    assert.deepEqual(control.served, { "a.": 1 });
    const warnings = control.logged.filter((line) => line.startsWith("warn"));
    assert.deepEqual(warnings.length, 1);
    assert.match(warnings[0]!, /keeping what is served: there is no such folder$/);
    Deno.renameSync(`${folder}.away`, folder);
    Deno.writeTextFileSync(`${folder}/db.b`, zoneText(1));
    control.clock.advance(30_000);
    assert.deepEqual(control.served, { "a.": 1, "b.": 1 });
  });
});

Deno.test("a zone whose file moves is taken from where it is", async () => {
  await serving({ "db.a": zoneText(1) }, "reload 30s", (control, folder) => {
    Deno.mkdirSync(`${folder}/new`);
    Deno.renameSync(`${folder}/db.a`, `${folder}/new/db.a`);
    control.clock.advance(60_000);
    assert.deepEqual(control.served, { "a.": 1 });
    Deno.writeTextFileSync(`${folder}/new/db.a`, zoneText(22));
    control.clock.advance(30_000);
    assert.deepEqual(control.served, { "a.": 22 });
  });
});

Deno.test("auto serves a thousand files, and looks at them in turns with whatever else is due", async () => {
  const files = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`db.z${i}.example`, zoneText(1)]));
  await serving(files, "reload 30s", (control, folder) => {
    assert.equal(control.gauge, 1000);
    Deno.writeTextFileSync(`${folder}/db.z999.example`, zoneText(22));
    let between = 0;
    const lookIn = () => {
      if (control.served["z999.example."] !== 1) return;
      between++;
      control.clock.after(0, lookIn);
    };
    control.clock.after(30_000, lookIn);
    control.clock.advance(30_000);
    assert.equal(control.served["z999.example."], 22);
    assert.ok(between >= 15, String(between));
  });
});

Deno.test("a zone found at run time is answered in the block that it lies in, and only in its ZONES", async () => {
  await withFiles({ "db.a.example.org": zoneText(1) }, async (folder) => {
    const test = await startServer(`example.org:1053 {
    auto a.example.org b.example.org {
        directory ${folder}
        reload 50ms
        fallthrough
    }
    whoami
}`);
    try {
      const isWhoami = async (name: string) => (await test.ask(name, "A")).additional.length === 2;
      assert.equal((await test.ask("ns.a.example.org")).answer.length, 1);
      assert.equal(await isWhoami("none.a.example.org"), true);
      assert.equal(await isWhoami("ns.b.example.org"), true);
      Deno.writeTextFileSync(`${folder}/db.b.example.org`, zoneText(1));
      Deno.writeTextFileSync(`${folder}/db.c.example.org`, zoneText(1));
      await until("the zone to be found", async () => !await isWhoami("ns.b.example.org"));
      assert.equal((await test.ask("ns.b.example.org")).answer.length, 1);
      assert.equal(await isWhoami("ns.c.example.org"), true);
    } finally {
      await test.close();
    }
  });
});

Deno.test("of a zone that reaches beyond ZONES, only names in them are answered", async () => {
  await withFiles({ "db.example.org": zoneText(1, "a A 192.0.2.1", "b A 192.0.2.2") }, async (folder) => {
    const test = await startServer(`example.org:1053 {
    auto a.example.org {
        directory ${folder}
    }
    whoami
}`);
    try {
      assert.equal((await test.ask("a.example.org")).answer.length, 1);
      assert.equal((await test.ask("b.example.org")).answer.length, 0);
      assert.equal((await test.ask("b.example.org")).additional.length, 2);
    } finally {
      await test.close();
    }
  });
});
