import assert from "node:assert/strict";
import fc from "fast-check";
import {
  compilePattern,
  matchPattern,
  PatternError,
  substituteGroups,
  testPattern,
} from "../../../core/pattern/pattern.ts";

Deno.test("matchPattern() gives the groups that RE2 gives", () => {
  const table: [source: string, text: string, groups: string[] | undefined][] = [
    ["(.*)-(us-west-1)\\.example\\.org", "ftp-us-west-1.example.org.", [
      "ftp-us-west-1.example.org",
      "ftp",
      "us-west-1",
    ]],
    ["^abc\\..*\\.example\\.com\\.$", "abc.x.y.example.com.", ["abc.x.y.example.com."]],
    ["^abc\\..*\\.example\\.com\\.$", "xabc.x.example.com.", undefined],
    ["(^|[.])ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)[.]example[.]$", "x.ip-10-95.example.", [
      ".ip-10-95.example.",
      ".",
      "10",
      "95",
    ]],
    ["a|ab", "ab", ["a"]],
    ["(?:a|ab)$", "ab", ["ab"]],
    ["(a+)(b?)(c)?", "xaab", ["aab", "aa", "b", ""]],
    ["a{2,3}?", "aaaa", ["aa"]],
    ["a{2,3}", "aaaa", ["aaa"]],
    ["a{,3}", "a{,3}", ["a{,3}"]],
    ["(a*)*b", "aaab", ["aaab", "aaa"]],
    ["(?i)WWW\\.[A-C]", "www.b", ["www.b"]],
    ["(?i:w)w", "Ww", ["Ww"]],
    ["(?i:w)w", "WW", undefined],
    ["[[:digit:]-]+", "a1-2", ["1-2"]],
    ["[^a-z.]+", "ab.1C", ["1C"]],
    ["[]a]+", "]a", ["]a"]],
    ["\\bfoo\\b", "a foo.", ["foo"]],
    ["\\Qa.b\\E+", "a.bb", ["a.bb"]],
    ["\\x2e\\x{2e}\\056", "...", ["..."]],
    ["(?s).", "\n", ["\n"]],
    [".", "\n", undefined],
    ["(?m)^b$", "a\nb", ["b"]],
    ["b$", "b\n", undefined],
    ["(?U)a+", "aaa", ["a"]],
    ["", "abc", [""]],
  ];
  for (const [source, text, groups] of table) {
    assert.deepEqual(matchPattern(compilePattern(source), text), groups, `${source} on ${text}`);
    assert.equal(testPattern(compilePattern(source), text), groups !== undefined, source);
  }
});

Deno.test("compilePattern() names groups in both spellings", () => {
  assert.deepEqual(compilePattern("(?P<a>x)(?<b>y)(z)").groupNames, ["", "a", "b", ""]);
});

Deno.test("compilePattern() says what is wrong and where", () => {
  const table: [source: string, offset: number, message: RegExp][] = [
    ["a(b", 3, /a '\(' is never closed, at character 4 of 'a\(b'/],
    ["a)b", 1, /'\)' closes nothing/],
    ["[a", 2, /a '\[' is never closed/],
    ["*a", 0, /nothing to repeat before '\*'/],
    ["a**", 2, /'\*' repeats a repetition/],
    ["(?=a)", 2, /no looking ahead or behind/],
    ["(?<!a)", 2, /no looking ahead or behind/],
    ["(a)\\1", 4, /no back references/],
    ["\\pL", 1, /no Unicode classes/],
    ["[[:foo:]]", 1, /there is no class \[:foo:\]/],
    ["[z-a]", 4, /must run upwards/],
    ["a{2,1}", 1, /'\{2,1\}' must be from 0 to 1000, the smaller number first/],
    ["a{1001}", 1, /'\{1001\}' must be from 0 to 1000/],
    ["(?P<a>x)(?P<a>y)", 12, /group 'a' stands twice/],
    ["\\", 1, /found the end/],
    ["\\y", 2, /'\\y' means nothing/],
    ["((a{1000}){1000}){1000}", 0, /more than 5000 steps/],
    ["(".repeat(200) + ")".repeat(200), 100, /more than 100 groups inside each other/],
    ["a".repeat(10_001), 0, /10001 characters, more than 10000/],
  ];
  for (const [source, offset, message] of table) {
    assert.throws(() => compilePattern(source), (error) => {
      assert(error instanceof PatternError, String(error));
      assert.match(error.message, message);
      assert.equal(error.offset, offset, source.slice(0, 30));
      return true;
    });
  }
});

Deno.test("matchPattern() stays linear where backtracking would never end", () => {
  // 2^255 ways for one that tries each.
  const text = "a".repeat(255);
  for (const source of ["(a*)*b", "(a|a)*b", "(a+)+$b", "(.*)(.*)(.*)(.*)(.*)x"]) {
    assert.equal(matchPattern(compilePattern(source), text), undefined, source);
  }
});

Deno.test("a pattern survives a structured clone", () => {
  const pattern = structuredClone(compilePattern("(?P<a>x+)"));
  assert.deepEqual(matchPattern(pattern, "axx"), ["xx", "xx"]);
});

Deno.test("matchPattern() agrees with a backtracking matcher on small patterns", () => {
  const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "^", "$", "\\b", "(?:a|b)", "(a|)", "(b)");
  const piece = fc.tuple(atom, fc.constantFrom("", "", "*", "+", "?", "??", "{1,2}")).map(([a, q]) =>
    // What takes no character is left unrepeated: there the two may differ in what an empty round captures.
    /^[\^$\\(]/.test(a) && !/^\(\?:|^\(b/.test(a) ? a : a + q
  );
  const source = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(""));
  const either = fc.tuple(source, source, fc.boolean()).map(([a, b, two]) => two ? `${a}|${b}` : a);
  fc.assert(
    fc.property(either, fc.stringMatching(/^[abc]{0,8}$/), (source, text) => {
      const expected = new RegExp(source).exec(text);
      assert.deepEqual(
        matchPattern(compilePattern(source), text),
        expected ? Array.from(expected, (group) => group ?? "") : undefined,
      );
    }),
    { seed: 7, numRuns: 3000 },
  );
});

Deno.test("substituteGroups() fills in what there is", () => {
  assert.equal(substituteGroups("{1}.service.{2}.{0}.{3}", ["w", "a", "b"]), "a.service.b.w.{3}");
});
