import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { TYPE } from "../../../core/dns/types.ts";
import {
  type Answer,
  type AnswerScope,
  type Decision,
  emptyAnswer,
  formatName,
  parseAddress,
  parseName,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import { fallsThrough, type LoadedZone, zoneFor } from "../../../core/zone/zones.ts";
import file from "../../../plugins/file/mod.ts";
import { contextOf } from "../../support/context.ts";
import { Control, nameOf, parseBlock, withFiles, zoneText } from "./file_fixture.ts";
import { factsOf } from "../../support/scopes.ts";

Deno.test("file takes its zones from its arguments, or else from the block", async () => {
  await withFiles({ db: zoneText(1) }, (folder) => {
    const table: [text: string, zones: string[]][] = [
      ["file db", ["example.org."]],
      ["file db example.NET 2.0.192.in-addr.arpa.", ["example.net.", "2.0.192.in-addr.arpa."]],
      ["file db 192.0.2.0/23", ["2.0.192.in-addr.arpa.", "3.0.192.in-addr.arpa."]],
      ["file db .", ["."]],
    ];
    for (const [text, zones] of table) {
      const { sources, problems, held } = parseBlock(text, folder);
      assert.deepEqual(problems.errors, [], text);
      assert.deepEqual(sources[0]!.zones.map(formatName), zones, text);
      assert.deepEqual(held.map(formatName), zones, text);
    }
  });
});

Deno.test("file reads its options", async () => {
  await withFiles({ db: zoneText(1) }, (folder) => {
    const [plain] = parseBlock("file db", folder).sources;
    assert.deepEqual([plain!.reloadMs, plain!.reloadByMtime, plain!.fallthrough], [60_000, false, []]);
    const [full] =
      parseBlock("file db {\nreload 90s\nreload_by_mtime\nfallthrough a.example.org b\n}", folder).sources;
    assert.deepEqual([full!.reloadMs, full!.reloadByMtime], [90_000, true]);
    assert.deepEqual(full!.fallthrough.map(formatName), ["a.example.org.", "b."]);
    const [off] = parseBlock("file db {\nreload 0\nfallthrough\n}", folder).sources;
    assert.deepEqual([off!.reloadMs, off!.fallthrough.map(formatName)], [0, ["."]]);
  });
});

Deno.test("file says what is wrong with its directive", async () => {
  await withFiles({ db: zoneText(1) }, (folder) => {
    const table: Record<string, RegExp> = {
      "file": /^Corefile:2:1 .*after 'file': file wants DBFILE/,
      "file db a..b": /^Corefile:2:9 zone is not a valid domain name: a\.\.b; it has an empty label/,
      "file db {\nreload soon\n}": /^Corefile:3:8 reload: DURATION must be a duration/,
      "file db {\nrelod 1m\n}": /^Corefile:3:1 file: unknown property 'relod'; did you mean 'reload'\?/,
      "file db {\nreload_by_mtime yes\n}": /^Corefile:3:17 .*reload_by_mtime takes no more here/,
      "file db\nfile db": /^Corefile:3:1 file: zone example.org. stands twice in this block/,
    };
    for (const [text, expected] of Object.entries(table)) {
      const { errors } = parseBlock(text, folder).problems;
      assert.equal(errors.length, 1, text);
      assert.match(`${formatPosition(errors[0]!.at)} ${errors[0]!.message}`, expected);
    }
  });
});

Deno.test("file reports every error in a zone file, where it stands", async () => {
  await withFiles({ db: zoneText(1, "a AAA x", "b A bad"), nozone: "$TTL 1\nx A 192.0.2.1\n" }, (folder) => {
    const at = (text: string) =>
      parseBlock(text, folder).problems.errors.map((error) =>
        formatPosition(error.at).replace(`${folder}/`, "")
      );
    assert.deepEqual(at("file db"), ["db:5:3", "db:6:5"]);
    assert.deepEqual(at("file nozone"), ["nozone:1:1", "nozone:1:1"]);
    assert.deepEqual(at("file absent"), ["Corefile:2:6"]);
  });
});

Deno.test("file reports what is odd in a zone file as a warning", async () => {
  await withFiles({ db: zoneText(1, "x.example.net. A 192.0.2.1") }, (folder) => {
    const { problems } = parseBlock("file db", folder);
    assert.deepEqual(problems.errors, []);
    assert.equal(problems.warnings.length, 1);
    assert.match(problems.warnings[0]!.message, /outside the zone/);
  });
});

Deno.test("file reports every name of a pool that its zone has no room for, at the record in its way", async () => {
  const lines = ["a A 192.0.2.1", "a A 192.0.2.2", "C CNAME a", "d DNAME a", "s NS ns"];
  await withFiles({ db: zoneText(1, ...lines), bad: "nonsense\n" }, (folder) => {
    const owned = ["a", "c", "x.d", "s", "x.s", "free", "free", "a.example.net."].map((text) => (
      { name: parseName(text, nameOf("example.org.")), types: [TYPE.A], pool: "p" }
    ));
    const facts = factsOf({ owned });
    const { sources, problems } = parseBlock("file db", folder);
    // Once with what was read while parsing, once after it has been let go.
    for (const said of [problems, new Problems()]) {
      file.verify(sources, facts, said);
      assert.deepEqual(
        said.errors.map(({ at, message }) => `${formatPosition(at).replace(`${folder}/`, "")} ${message}`),
        [
          "db:5:1 a.example.org. is of pool p, but the zone has A there",
          "db:7:1 c.example.org. is of pool p, but the zone has CNAME there",
          "db:8:1 x.d.example.org. is of pool p, but the zone has a DNAME at d.example.org.",
          "db:9:1 s.example.org. is of pool p, but the zone delegates s.example.org.",
          "db:9:1 x.s.example.org. is of pool p, but the zone delegates s.example.org.",
        ],
      );
    }
    const bad = parseBlock("file bad", folder);
    const before = bad.problems.errors.length;
    file.verify(bad.sources, facts, bad.problems);
    assert.equal(bad.problems.errors.length, before);
  });
});

Deno.test("file says that a zone file is not UTF-8", async () => {
  await withFiles({}, async (folder) => {
    await Deno.writeFile(`${folder}/db`, new Uint8Array([0x78, 0xe4, 0x0a]));
    const { errors } = parseBlock("file db", folder).problems;
    assert.match(errors[0]!.message, /not UTF-8/);
  });
});

/** Asks the plugin over zone files; `next` answers with RCODE 23. */
async function answerOf(
  files: Record<string, string>,
  block: string,
  question: string,
  more: Partial<QueryContext> = {},
): Promise<Answer> {
  const control = new Control();
  await withFiles(files, (folder) =>
    control.start(parseBlock(block, folder).sources, [
      { name: nameOf("pool.example.org"), types: [TYPE.A], pool: "p" },
      { name: nameOf("elsewhere.example"), types: [TYPE.A], pool: "p" },
    ]));
  control.close();
  const plugin = file.answerer([], { published: () => control.data } as Partial<AnswerScope> as AnswerScope);
  const [text, type] = question.split(" ");
  const name = parseName(text!);
  const context = contextOf(
    { question: { name, type: TYPE[type as keyof typeof TYPE], class: 1 }, ...more },
    text,
  );
  return plugin.answer(context, () => emptyAnswer(23));
}

const FILES = {
  db: zoneText(
    1,
    "www A 192.0.2.1",
    "sub NS ns",
    "api CNAME pool",
    "gone CNAME absent",
    "sub DS 1 13 2 " + "00".repeat(32),
  ),
  child: zoneText(7, "x A 192.0.2.7"),
};

Deno.test("file answers from the longest of its zones, and passes on the rest", async () => {
  const block = "file db\nfile child sub.example.org";
  const table: Record<string, [rcode: number, answers: number]> = {
    "www.example.org A": [0, 1],
    "absent.example.org A": [3, 0],
    "x.sub.example.org A": [0, 1],
    "www.sub.example.org A": [3, 0],
    "sub.example.org DS": [0, 1],
    "example.org DS": [0, 0],
    "www.example.net A": [23, 0],
    "elsewhere.example A": [23, 0],
    "org A": [23, 0],
  };
  for (const [question, [rcode, answers]] of Object.entries(table)) {
    const answer = await answerOf(FILES, block, question);
    assert.deepEqual([answer.rcode, answer.answer.length], [rcode, answers], question);
  }
});

Deno.test("file passes on what is not of class IN", async () => {
  const question = { name: parseName("www.example.org"), type: TYPE.A, class: 3 };
  assert.equal((await answerOf(FILES, "file db", "www.example.org A", { question })).rcode, 23);
});

Deno.test("file falls through for names that do not exist, where it was told to", async () => {
  const table: [block: string, question: string, rcode: number][] = [
    ["file db", "absent.example.org A", 3],
    ["file db {\nfallthrough\n}", "absent.example.org A", 23],
    ["file db {\nfallthrough\n}", "www.example.org TXT", 0],
    ["file db {\nfallthrough\n}", "gone.example.org A", 3],
    ["file db {\nfallthrough dev.example.org\n}", "absent.example.org A", 3],
    ["file db {\nfallthrough dev.example.org\n}", "x.dev.example.org A", 23],
  ];
  for (const [block, question, rcode] of table) {
    assert.equal((await answerOf(FILES, block, question)).rcode, rcode, `${block} ${question}`);
  }
});

Deno.test("file follows a CNAME to a pool's name, unless the query carried ECS", async () => {
  const chased = await answerOf(FILES, "file db", "api.example.org A");
  assert.deepEqual(chased.answer.map(({ pool }) => pool), [undefined, "p"]);
  const clientSubnet = { address: parseAddress("192.0.2.0")!, sourcePrefixLength: 24 };
  const edns = { version: 0, payloadSize: 1232, dnssecOk: false, options: [], clientSubnet };
  const alone = await answerOf(FILES, "file db", "api.example.org A", { edns });
  assert.deepEqual(alone.answer.map(({ pool }) => pool), [undefined]);
  const ignored = await answerOf(FILES, "file db", "api.example.org A", { edns, ecs: false });
  assert.equal(ignored.answer.length, 2);
});

Deno.test("file records what it found, and where", async () => {
  const table: Record<string, string> = {
    "www.example.org A": "zone example.org. serial 1: 1 RRset",
    "www.example.org TXT": "zone example.org. serial 1: NODATA",
    "absent.example.org A": "zone example.org. serial 1: NXDOMAIN",
    "x.sub.example.org A": "zone example.org. serial 1: referral to sub.example.org.",
    "api.example.org A": "zone example.org. serial 1: 2 RRsets",
  };
  for (const [question, what] of Object.entries(table)) {
    const decisions: Decision[] = [];
    await answerOf(FILES, "file db", question, { record: (decision) => void decisions.push(decision) });
    assert.deepEqual(decisions, [{ plugin: "file", what }]);
  }
});

Deno.test("zoneFor() gives the DS of an apex to the zone above, if that is here", () => {
  const zones = new Map(["org", "example.org"].map((text) => [nameOf(text), { path: text } as LoadedZone]));
  assert.equal(zoneFor(zones, nameOf("example.org"), TYPE.DS)?.path, "org");
  assert.equal(zoneFor(zones, nameOf("example.org"), TYPE.A)?.path, "example.org");
  assert.equal(zoneFor(zones, nameOf("org"), TYPE.DS)?.path, "org");
  assert.equal(zoneFor(zones, nameOf("x.example.org"), TYPE.DS)?.path, "example.org");
  assert.equal(zoneFor(zones, nameOf("example.net"), TYPE.DS), undefined);
});

Deno.test("fallsThrough() is false without zones, and for an alias to nowhere", () => {
  const name = nameOf("x.example.org");
  assert.equal(fallsThrough(emptyAnswer(3), name, []), false);
  assert.equal(fallsThrough(emptyAnswer(3), name, [nameOf("example.org")]), true);
  assert.equal(fallsThrough(emptyAnswer(0), name, [nameOf("example.org")]), false);
  const alias = { name, type: TYPE.CNAME, ttl: 1, rdata: [] };
  assert.equal(fallsThrough(emptyAnswer(3, { answer: [alias] }), name, [nameOf(".")]), false);
});
