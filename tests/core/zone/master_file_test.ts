import assert from "node:assert/strict";
import { parseName } from "../../../core/dns/name.ts";
import { ERRORS_MAX } from "../../../core/zone/lexer.ts";
import {
  LIMITS,
  type MasterFile,
  type MasterFileLimits,
  parseMasterFile,
} from "../../../core/zone/master_file.ts";
import { parseTtl } from "../../../core/zone/words.ts";
import { lines, ORIGIN, showProblems } from "./zone_text.ts";

function parse(text: string, files: Record<string, string> = {}, file = "zones/main.zone"): MasterFile {
  return parseMasterFile(text, {
    file,
    origin: ORIGIN,
    read(path) {
      if (!(path in files)) throw new Error("no such file");
      return files[path]!;
    },
  });
}

/** Records as `NAME TTL TYPE RDATA`. */
function records(parsed: MasterFile): string[] {
  return parsed.records.flatMap((record) => lines("", { ...record, rdata: [record.rdata] })).map((line) =>
    line.slice(1)
  );
}

const GOOD: Readonly<Record<string, readonly [text: string, expected: readonly string[]]>> = {
  "TTL and class in either order": [
    "a 60 IN A 192.0.2.1\na IN 60 A 192.0.2.2\na in 1m a 192.0.2.3",
    ["a 60 A 192.0.2.1", "a 60 A 192.0.2.2", "a 60 A 192.0.2.3"],
  ],
  "the TTL of $TTL, or else of the record before": [
    "a 60 A 192.0.2.1\nb A 192.0.2.2\n$TTL 2h\nc A 192.0.2.3\nd 5 A 192.0.2.4\ne A 192.0.2.5",
    ["a 60 A 192.0.2.1", "b 60 A 192.0.2.2", "c 7200 A 192.0.2.3", "d 5 A 192.0.2.4", "e 7200 A 192.0.2.5"],
  ],
  "the TTL of the last record that states one": [
    "a 60 A 192.0.2.1\nb 30 A 192.0.2.2\nc A 192.0.2.3",
    ["a 60 A 192.0.2.1", "b 30 A 192.0.2.2", "c 30 A 192.0.2.3"],
  ],
  "a blank owner as the one before": [
    "$TTL 1\na A 192.0.2.1\n  A 192.0.2.2\n\n; comment\n\tTXT t",
    ["a 1 A 192.0.2.1", "a 1 A 192.0.2.2", 'a 1 TXT "t"'],
  ],
  "parentheses over lines, with comments in them": [
    "$TTL 1\na MX ( 10 ; preference\n mail ) ; host\nb A 192.0.2.1",
    ["a 1 MX 10 mail", "b 1 A 192.0.2.1"],
  ],
  "a quoted string over lines": [
    '$TTL 1\na TXT "one\ntwo ; ( three" four\nb A 192.0.2.1',
    ['a 1 TXT "one\\010two ; ( three" "four"', "b 1 A 192.0.2.1"],
  ],
  "escapes in names and strings": [
    '$TTL 1\na\\.b A 192.0.2.1\n\\@ A 192.0.2.2\n\\065\\032 A 192.0.2.3\nt TXT "\\"\\\\\\200" \\;x',
    ["a\\.b 1 A 192.0.2.1", "\\@ 1 A 192.0.2.2", "A\\032 1 A 192.0.2.3", 't 1 TXT "\\"\\\\\\200" ";x"'],
  ],
  "$ORIGIN, relative to the one before": [
    "$TTL 1\n$ORIGIN sub\na A 192.0.2.1\n$ORIGIN deep\na CNAME @\n$ORIGIN example.net.\na A 192.0.2.2",
    ["a.sub 1 A 192.0.2.1", "a.deep.sub 1 CNAME deep.sub", "a.example.net. 1 A 192.0.2.2"],
  ],
  "unknown types and generic RDATA": [
    "$TTL 1\na CLASS1 TYPE1 \\# 4 c0000201\na TYPE65280 \\# 2 ( ab\n cd )",
    ["a 1 A 192.0.2.1", "a 1 TYPE65280 \\# 2 ABCD"],
  ],
  "service parameters with quotes": [
    '$TTL 1\na HTTPS 1 . alpn="h2,h3" port=443',
    ['a 1 HTTPS 1 . alpn="h2,h3" port=443'],
  ],
  "glued strings as two, where no parameter is meant": [
    '$TTL 1\na TXT k="v"',
    ['a 1 TXT "k=" "v"'],
  ],
  "lines that end in CR LF": ["$TTL 1\r\na A 192.0.2.1\r\n A 192.0.2.2\r\n", [
    "a 1 A 192.0.2.1",
    "a 1 A 192.0.2.2",
  ]],
  "octets above 127 as they stand": ["$TTL 1\nä TXT ü", ['\\195\\164 1 TXT "\\195\\188"']],
  "a TTL above 2^31 − 1 as 0 (RFC 2181 section 8)": ["a 2147483648 A 192.0.2.1", ["a 0 A 192.0.2.1"]],
  "no TTL anywhere as the SOA's MINIMUM": [
    "@ SOA ns host 1 2 3 4 60\na A 192.0.2.1",
    ["@ 60 SOA ns host 1 2 3 4 60", "a 60 A 192.0.2.1"],
  ],
  "$GENERATE": [
    '$TTL 1\n$GENERATE 1-5/2 h${0,3} 9 MX "$ m${10,2,x}"',
    ["h001 9 MX 1 m0b", "h003 9 MX 3 m0d", "h005 9 MX 5 m0f"],
  ],
  "$GENERATE with RDATA of several words": ["$TTL 1\n$GENERATE 1-2 h$ MX $ m$", [
    "h1 1 MX 1 m1",
    "h2 1 MX 2 m2",
  ]],
};

for (const [what, [text, expected]] of Object.entries(GOOD)) {
  Deno.test(`parseMasterFile() reads ${what}`, () => {
    const parsed = parse(text);
    assert.deepEqual(showProblems(parsed.errors), []);
    assert.deepEqual(records(parsed), expected);
  });
}

const BAD: Readonly<Record<string, readonly string[]>> = {
  "$TTL 1\nwww AAA 192.0.2.1": ["2:5 found 'AAA': wanted a type such as A or MX; did you mean 'AAAA'?"],
  "$TTL 1\nwww CNMAE x": ["2:5 found 'CNMAE': wanted a type such as A or MX; did you mean 'CNAME'?"],
  "$TTL 1\nwww AXFR x": ["2:5 found type 'AXFR', which is asked for, never held: wanted another"],
  "$TTL 1\nwww": ["2:4 found the end of the line: wanted a type such as A or MX"],
  "$TTL 1\nwww IN ; nothing": ["2:7 found the end of the line: wanted a type such as A or MX"],
  '$TTL 1\nwww "A" x': ["2:5 found a quoted string: wanted a type such as A or MX"],
  "$TTL 1\nwww CH A 192.0.2.1": ["2:5 found class 'CH': wanted IN, the class of every zone here"],
  "www 1x A 192.0.2.1": ["1:5 found TTL '1x': wanted seconds, or a span such as 1h30m"],
  "www A 192.0.2.1": ["1:1 found a record without a TTL: wanted one on it, or $TTL above it"],
  "$TTL 1\n A 192.0.2.1": ["2:2 found a record without an owner name: wanted one on this line or above"],
  "$TTL 1\nx A 192.0.2.1\n www A 192.0.2.1": [
    "3:2 found 'www': wanted a type such as A or MX, for a line that begins with a blank has the owner name above",
  ],
  "$TTL": ["1:5 found the end of the line: wanted a TTL after $TTL"],
  "$TTL 1 2": ["1:8 found '2': wanted the end of the line"],
  "$TLL 1": ["1:1 found '$TLL': wanted $GENERATE, $INCLUDE, $ORIGIN, $TTL; did you mean '$TTL'?"],
  "$ORIGIN": ["1:8 found the end of the line: wanted a domain name after $ORIGIN"],
  "$TTL 1\na MX ( 10\nb A 192.0.2.1\nc A bad": [
    "2:6 found '(' that is never closed: wanted ')'",
    '4:5 Cannot read A: address: expected an IPv4 address, got "bad"',
  ],
  "$TTL 1\na A 192.0.2.1 )\nb A 192.0.2.1": ["2:15 found ')' with no '(' before it"],
  '$TTL 1\na TXT "open\nb AAA x': [
    '2:7 found a quoted string that does not end: wanted a closing "',
    "3:3 found 'AAA': wanted a type such as A or MX; did you mean 'AAAA'?",
  ],
  "$TTL 1\na TXT x\\": ["2:8 found '\\' at the end of a line: wanted a character or three digits after it"],
  '$TTL 1\na TXT "over\nlines" x\nb AAA x': [
    "4:3 found 'AAA': wanted a type such as A or MX; did you mean 'AAAA'?",
  ],
  '$TTL 1\na TXT "over\nlines" (': ["3:8 found '(' that is never closed: wanted ')'"],
  "b..c A 192.0.2.2\n 1 A 192.0.2.3": ['1:1 Cannot read name "b..c": it has an empty label'],
  "$INCLUDE absent.zone": ["1:10 cannot read 'zones/absent.zone': no such file"],
  "$INCLUDE main.zone": ["1:10 found 'main.zone', which includes itself"],
  "$TTL 1\n$GENERATE 5-1 h$ A 192.0.2.$": ["2:11 found range '5-1': wanted a start not above its stop"],
  "$TTL 1\n$GENERATE 1-2 h${x} A 192.0.2.$": [
    "2:15 found '${x}': wanted ${OFFSET}, ${OFFSET,WIDTH} or ${OFFSET,WIDTH,BASE}, BASE one of d o x X n N",
  ],
};

Deno.test("parseMasterFile() says of every error where it is, what was found and what was wanted", () => {
  for (const [text, expected] of Object.entries(BAD)) {
    assert.deepEqual(showProblems(parse(text).errors), expected, text);
  }
});

Deno.test("parseMasterFile() goes on after an error, with the owner name it knows", () => {
  const parsed = parse("$TTL 1\na AAA x\n  A 192.0.2.1\nb..c A 192.0.2.2\n  A 192.0.2.3\nd A 192.0.2.4");
  assert.deepEqual(parsed.errors.map(({ at }) => at.line), [2, 4]);
  assert.ok(records(parsed).includes("a 1 A 192.0.2.1"));
  assert.ok(records(parsed).includes("d 1 A 192.0.2.4"));
});

Deno.test("parseMasterFile() stops after too many errors", () => {
  const { errors } = parse("x (\n".repeat(1000));
  assert.equal(errors.length, ERRORS_MAX + 1);
  assert.match(errors.at(-1)!.message, /^stopped reading after/);
});

Deno.test("parseMasterFile() points at the wrong word of the RDATA, on its line", () => {
  const { errors } = parse("$TTL 1\na SOA ns host (\n  1\n  2 three\n  4 5 )");
  assert.deepEqual(errors.map(({ at }) => `${at.file}:${at.line}:${at.column}`), ["zones/main.zone:4:5"]);
});

Deno.test("parseMasterFile() includes files beside the including one, and returns to origin and owner", () => {
  const parsed = parse(
    "$TTL 1\na A 192.0.2.1\n$INCLUDE sub/one.zone sub\n  A 192.0.2.9\nz CNAME @",
    {
      "zones/sub/one.zone": "b A 192.0.2.2\n$ORIGIN far.example.org.\n$INCLUDE two.zone",
      "zones/sub/two.zone": "  A 192.0.2.3\n@ A 192.0.2.4\n",
    },
  );
  assert.deepEqual(showProblems(parsed.errors), []);
  assert.deepEqual(records(parsed), [
    "a 1 A 192.0.2.1",
    "b.sub 1 A 192.0.2.2",
    "b.sub 1 A 192.0.2.3",
    "far 1 A 192.0.2.4",
    "a 1 A 192.0.2.9",
    "z 1 CNAME @",
  ]);
  assert.deepEqual(parsed.files, ["zones/main.zone", "zones/sub/one.zone", "zones/sub/two.zone"]);
});

Deno.test("parseMasterFile() names the included file in its errors", () => {
  const { errors } = parse("$TTL 1\n$INCLUDE /abs.zone", { "/abs.zone": "\nx A bad" });
  assert.deepEqual(errors.map(({ at }) => at), [{ file: "/abs.zone", line: 2, column: 5 }]);
});

Deno.test("parseMasterFile() ends a chain of includes that is too deep", () => {
  const files = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`${i}.zone`, `$INCLUDE ${i + 1}.zone\n`]),
  );
  const { errors } = parse("$INCLUDE 0.zone", files, "main.zone");
  assert.equal(errors.length, 1);
  assert.match(errors[0]!.message, /included through 17 files: wanted at most 16/);
});

Deno.test("parseMasterFile() ends includes that fan out, and reads nothing more", () => {
  const six = (i: number) => `$INCLUDE ${i}.zone\n`.repeat(6);
  const files = Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`${i}.zone`, six(i + 1)]));
  files["5.zone"] = "x 1 A 192.0.2.1\n";
  const parsed = parse(six(0) + "y AAA bad\n", files, "main.zone");
  assert.equal(parsed.files.length, LIMITS.includes + 1);
  assert.equal(parsed.errors.length, 1);
  assert.equal(parsed.errors[0]!.at.file, "4.zone");
  assert.match(parsed.errors[0]!.message, /^found more than 1000 files included: wanted at most that many/);
});

Deno.test("parseMasterFile() ends at too many records, generated or all together", () => {
  const table: [text: string, limits: Partial<MasterFileLimits>, kept: number, error: string][] = [
    ["$GENERATE 1-3 a$ A 192.0.2.$\n", { generated: 5 }, 5, "3:11 found more than 5 records by $GENERATE"],
    ["a A 192.0.2.1\nb A 192.0.2.2\n", { records: 3 }, 3, "5:1 found more than 3 records"],
    ["$GENERATE 1-3 a$ A 192.0.2.$\n", { records: 4 }, 4, "3:15 found more than 4 records"],
  ];
  for (const [text, limits, kept, error] of table) {
    const twice = "$TTL 1\n" + text.repeat(2) + "z AAA bad\n";
    const { records, errors } = parseMasterFile(twice, { file: "f", origin: ORIGIN, limits });
    assert.equal(records.length, kept);
    assert.deepEqual(showProblems(errors), [`${error}: wanted at most that many in a zone`]);
  }
});

Deno.test("parseMasterFile() includes nothing when it was given no reader", () => {
  const { errors } = parseMasterFile("$INCLUDE x", { file: "f", origin: parseName("example.org.") });
  assert.deepEqual(showProblems(errors), ["1:10 found $INCLUDE: files cannot be included here"]);
});

Deno.test("parseMasterFile() warns of a TTL that the SOA had to give, and of one too large", () => {
  const { warnings } = parse("@ SOA ns host 1 2 3 4 60\na 4294967295 A 192.0.2.1");
  assert.deepEqual(showProblems(warnings), [
    "1:1 found no TTL and no $TTL: taking the SOA's last field, 60, for both",
    "2:3 found TTL 4294967295, above 2147483647: taking 0 (RFC 2181)",
  ]);
});

Deno.test("parseTtl() reads seconds and spans", () => {
  const table: Record<string, number | undefined> = {
    "0": 0,
    "3600": 3600,
    "1h30m": 5400,
    "1W1D1H1M1S": 694861,
    "4294967295": 4294967295,
    "4294967296": undefined,
    "1h30": undefined,
    "h": undefined,
    "-1": undefined,
    "1.5h": undefined,
    "": undefined,
  };
  for (const [text, seconds] of Object.entries(table)) assert.equal(parseTtl(text), seconds, text);
});
