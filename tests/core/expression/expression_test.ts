import assert from "node:assert/strict";
import { typeOf, type Vocabulary } from "../../../core/expression/check.ts";
import { readExpression } from "../../../core/expression/corefile_expression.ts";
import { evaluate, EvaluationError } from "../../../core/expression/evaluate.ts";
import { parseExpression } from "../../../core/expression/parser.ts";
import {
  callQueryFunction,
  dependenceOf,
  QUERY_FUNCTIONS,
} from "../../../core/expression/query_functions.ts";
import type { Value } from "../../../core/expression/syntax.ts";
import { ExpressionError } from "../../../core/expression/tokens.ts";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { parseAddress } from "../../../core/plugin.ts";
import type { CorefileError, QueryContext } from "../../../core/plugin.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

const vocabulary: Vocabulary = { functions: QUERY_FUNCTIONS, variables: { five: "number", word: "string" } };

function valueOf(source: string, context: QueryContext = contextOf()): Value {
  // As it comes to a worker.
  const expression = structuredClone(parseExpression(source));
  typeOf(expression, vocabulary);
  return evaluate(expression, {
    call: (name, args) => callQueryFunction(context, name, args),
    variable: (name) => name === "five" ? 5 : "word",
  });
}

Deno.test("evaluate() knows the operators of expr-lang, each as tight as there", () => {
  const table: [source: string, value: Value][] = [
    ["1 + 2 * 3", 7],
    ["(1 + 2) * 3", 9],
    ["2 ** 3 ** 2", 512],
    ["2 ^ 3", 8],
    ["7 % 4 - -1", 4],
    ["1 / 2", 0.5],
    ["0x10 + 0b11 + 0o7 + 1_000", 1026],
    ["1.5e2", 150],
    ["'a' + \"b\" + `c\\`", "abc\\"],
    ["'a\\\\.b\\'' + \"\\x41\\u0042\"", "a\\.b'AB"],
    ["1 < 2 && 'a' <= 'b'", true],
    ["true || 1 == 2", true],
    ["true or false and false", true],
    ["not true or true", true],
    ["!(1 == 1)", false],
    ["1 in [1, 2,]", true],
    ["3 not in [1, 2]", true],
    ["'www.example.' matches '^www\\\\.'", true],
    ["'www' not matches '^x'", true],
    ["'abc' contains 'bc' and 'abc' startsWith 'ab' and 'abc' endsWith 'c'", true],
    ["1 > 2 ? 'a' : 2 > 1 ? 'b' : 'c'", "b"],
    ["nil ?? 'x'", "x"],
    ["[1, 2] == [1, 2]", true],
    ["[1, 2] == [2, 1]", false],
    ["1..3", [1, 2, 3]],
    ["[1, 2, 3][-1] + [4][0]", 7],
    ["'abcdef'[1:3] + 'abc'[:1] + 'abc'[2:]", "bcac"],
    ["five + len(word)", 9],
    ["'A,b' | lower() | split(',')", ["a", "b"]],
    ["any([1, 2], # == 2) && all([1, 2], {# > 0}) && none([1], # > 1)", true],
    ["map(filter(1..4, # > 2), # * 2)", [6, 8]],
    ["any([[1, 2], [3]], any(#, # == 3))", true],
    ["count([1, 2, 3], # > 1)", 2],
    ["replace('10-1-2-3', '-', '.')", "10.1.2.3"],
    ["upper(trim(' a ')) + trimPrefix('xay', 'x') + trimSuffix('xay', 'y')", "Aayxa"],
    ["trim('..a.', '.')", "a"],
    ["join(['a', 'b'], '-') + string(1) + join(['x'])", "a-b1x"],
    ["int('12') + float('0.5') + max(1, 3, 2) - min(4, 2)", 13.5],
    ["indexOf('abcabc', 'c') + lastIndexOf('abcabc', 'c')", 7],
    ["first([1, 2]) == 1 and last([1, 2]) == 2 and reverse([1, 2]) == [2, 1] and sum([1, 2]) == 3", true],
  ];
  for (const [source, value] of table) assert.deepEqual(valueOf(source), value, source);
});

Deno.test("evaluate() asks the query", () => {
  const table: [source: string, value: Value][] = [
    ["(type() == 'A' && name() == 'www.example.org.') || client_ip() == '1.2.3.4'", true],
    ["type() in ['A', 'AAAA']", true],
    ["class() + proto() + port()", "INudp50759"],
    ["do()", false],
    ["bufsize() + size() + id() + opcode()", 4096 + 41 + 29008],
    ["server_ip() + ' ' + server_port()", "2001:db8::1 53"],
    ["incidr(client_ip(), '192.0.2.0/24')", true],
    ["incidr(client_ip(), '192.0.2.99/24')", true],
    ["incidr(client_ip(), '2001:0DB8::/32')", false],
    ["incidr(server_ip(), '2001:0DB8::/32')", true],
    ["incidr('[2001:db8::9]', '2001:db8::/32')", true],
    ["metadata('geoip/country/code')", "NL"],
    ["metadata('no/such') == ''", true],
  ];
  const label = (name: string) => name === "geoip/country/code" ? "NL" : undefined;
  for (const [source, value] of table) assert.deepEqual(valueOf(source, contextOf({ label })), value, source);
  assert.equal(valueOf("metadata('geoip/country/code')"), "");
});

Deno.test("parseExpression() and typeOf() say what is wrong and where", () => {
  const table: [source: string, offset: number, message: RegExp][] = [
    ["type() = 'A'", 7, /found '=': equality is written '=='/],
    ["type() == 'A", 10, /never closed/],
    ["'a\\.b'", 2, /found '\\.' in a string: a backslash is written '\\\\'/],
    ["type() ==", 9, /found the end: wanted a value/],
    ["type() 'A'", 7, /found 'A': wanted an operator or the end/],
    ["(1", 2, /found the end: wanted '\)' to close a '\('/],
    ["[1 2]", 3, /wanted ',' or '\]'/],
    ["{a: 1}", 0, /maps are not known here/],
    ["x.y", 1, /values have no fields here/],
    ["typ() == 'A'", 0, /there is no function 'typ'; did you mean 'type'\?/],
    ["type == 'A'", 0, /type is a function: it is written type\(\)/],
    ["fve == 5", 0, /there is no 'fve'; did you mean 'five'\?/],
    ["incidr(client_ip())", 0, /incidr takes 2 arguments: got 1/],
    ["trim()", 0, /trim takes 1 to 2 arguments: got 0/],
    ["type() == 5", 10, /'==' wants a text: found a number/],
    ["do() && client_ip()", 8, /'&&' wants true or false: found a text/],
    ["not client_ip() in ['a']", 4, /'!' wants true or false: found a text/],
    ["name() matches five", 15, /matches wants a regular expression in quotes/],
    ["name() matches '('", 15, /a '\(' is never closed/],
    ["1 in 2", 5, /'in' wants a list: found a number/],
    ["# == 1", 0, /'#' outside a predicate/],
    ["len(len('a'), 1)", 0, /len takes 1 arguments: got 2/],
    ["(".repeat(200) + "1", 100, /at most 100 expressions inside each other/],
    ["-".repeat(200) + "1", 100, /at most 100 expressions inside each other/],
  ];
  for (const [source, offset, message] of table) {
    assert.throws(() => typeOf(parseExpression(source), vocabulary), (error) => {
      assert(error instanceof ExpressionError, String(error));
      assert.match(error.message, message);
      assert.equal(error.offset, offset, source.slice(0, 40));
      return true;
    });
  }
});

Deno.test("evaluate() ends early rather than take all time or memory", () => {
  const table: [source: string, message: RegExp][] = [
    ["len(1..1000000)", /a list of 1000000, more than 10000/],
    ["repeat('x', 1000000000)", /a text or list of 100000, more than 10000/],
    ["count(1..1000, any(1..1000, # == 0))", /more than 100000 steps/],
    ["incidr('no', '192.0.2.0/24')", /'no' is no IP address/],
    ["replace(repeat('x', 9000), '', repeat('y', 9000))", /a text of about 81009000, more than 100000/],
    ["[1][1]", /there is no element 1 of 1/],
    ["first([1]) + 'a'", /wanted a number, got string a/],
    ["int('a')", /wanted a number, got a/],
    ["any([1], 5)", /wanted true or false, got 5/],
  ];
  for (const [source, message] of table) {
    assert.throws(() => valueOf(source), (error) => {
      assert(error instanceof EvaluationError, `${source}: ${error}`);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("dependenceOf() tells what an expression looks at, the question aside", () => {
  const label = (name: string) => name === "geo/network" ? "198.51.100.0/22" : "";
  const of = (source: string) => {
    const { scopePrefixLength, keys } = dependenceOf(parseExpression(source), contextOf({ label }));
    return [scopePrefixLength, ...keys];
  };
  assert.deepEqual(of("type() == 'A' && name() == 'x.'"), [0]);
  assert.deepEqual(of("do() ? proto() == 'udp' : client_ip() == server_ip()"), [
    0,
    "do",
    "transport",
    "source",
    "server",
  ]);
  assert.deepEqual(of("metadata('geoip/country/code') == 'NL'"), [22, "tailored"]);
  assert.deepEqual(of("any(['a/b'], metadata(#) == '')"), [0, "port"]);
  assert.deepEqual(of("metadata('view/name') == 'a'"), [0]);
});

Deno.test("readExpression() points into the Corefile", () => {
  const [view] = directivesOf(
    "view x {\n expr incidr(client_ip(),  '192.0.2.0/33')\n expr \"name() ==   5\"\n expr name()\n}",
  );
  const messages = view!.block!.map(({ args }) => {
    try {
      readExpression(args, vocabulary, "boolean", "expr");
      return "";
    } catch (error) {
      return `${formatPosition((error as CorefileError).at)} ${(error as Error).message}`;
    }
  });
  assert.deepEqual(messages, [
    "Corefile:3:28 expr: incidr wants a network such as 192.0.2.0/24: got '192.0.2.0/33'",
    "Corefile:4:20 expr: '==' wants a text: found a number",
    "Corefile:5:7 expr: expr wants true or false: found a text",
  ]);
});

Deno.test("client_ip() is the packet's source, ECS or not", () => {
  const address = parseAddress("198.51.100.7")!;
  const edns = {
    version: 0,
    payloadSize: 512,
    dnssecOk: true,
    options: [],
    clientSubnet: { address, sourcePrefixLength: 24 },
  };
  assert.equal(valueOf("client_ip()", contextOf({ edns })), "192.0.2.53");
});
