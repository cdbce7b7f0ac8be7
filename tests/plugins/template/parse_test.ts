import assert from "node:assert/strict";
import { formatPosition } from "../../../core/corefile/directive.ts";
import { formatName, type Name, Problems } from "../../../core/plugin.ts";
import { parseTemplates } from "../../../plugins/template/parse.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

Deno.test("template says what is wrong, with the place", () => {
  const table: [lines: string, message: string][] = [
    ["template", "2:1 Wrong argument count or unexpected line ending after 'template': template wants CLASS"],
    ["template IN", "2:10 Wrong argument count or unexpected line ending after 'IN': template wants TYPE"],
    ["template XX A", "2:10 template: CLASS must be IN, CH, HS or ANY: got 'XX'"],
    ["template IN XX", "2:13 template: TYPE must be a type such as A, or ANY: got 'XX'"],
    ["template IN A {\n match (a\n}", "3:10 template: a '(' is never closed, at character 3 of '(a'"],
    [
      "template IN A {\n rcode NXDOMIAN\n}",
      "3:8 template: unknown rcode 'NXDOMIAN': wanted a name such as NXDOMAIN; did you mean 'NXDOMAIN'?",
    ],
    ["template IN A {\n ederror x\n}", "3:10 ederror: CODE must be a whole number: got 'x'"],
    [
      "template IN A {\n ederror 1 a b\n}",
      "3:14 Wrong argument count or unexpected line ending after 'b': ederror takes no more here",
    ],
    [
      'template IN A {\n answer "{{ .Nam }} 60 A 192.0.2.1"\n}',
      "3:13 template: there is no .Nam; did you mean 'Name'?",
    ],
    [
      'template IN A {\n match (?P<host>a)\n answer "{{ .Group.hots }}. A 192.0.2.1"\n}',
      "4:13 template: no regular expression has a group 'hots'; did you mean 'host'?",
    ],
    ['template IN A {\n answer "{{ .Var.x }}. A 192.0.2.1"\n}', "3:13 template: there is no variable 'x'"],
    ['template IN A {\n answer "{{ if }}"\n}', "3:16 template: found the end of the action: wanted a value"],
    ['template IN A {\n answer "a\n {{ nope }}"\n}', "4:5 template: there is no function 'nope'"],
    ['template IN A {\n answer "example. 60 IN A 192.0.2"\n}', "3:9 template: Cannot read A:"],
    [
      'template IN A {\n answer "example. 60 IN AAA ::1"\n}',
      "3:9 template: found 'AAA': wanted a type such as A or MX; did you mean 'AAAA'?",
    ],
    ['template IN A {\n answer ""\n}', "3:9 template: found nothing: wanted a record"],
    ["template IN A {\n var 1x 2\n}", "3:6 template: NAME must be of letters, digits and _: got '1x'"],
    ["template IN A {\n var len 2\n}", "3:6 template: NAME must not be 'len', which means something else"],
    [
      "template IN A {\n var client_ip 2\n}",
      "3:6 template: NAME must not be 'client_ip', which means something else",
    ],
    ["template IN A {\n var x 2\n var x 3\n}", "4:6 template: variable 'x' stands twice"],
    ["template IN A {\n expr x == 2\n var x 2\n}", "3:7 expr: there is no 'x'"],
    ["template IN A {\n var x 2\n expr x == 'a'\n}", "4:12 expr: '==' wants a number: found a text"],
    ["template IN A {\n answers x\n}", "3:2 template: unknown property 'answers'; did you mean 'answer'?"],
  ];
  for (const [lines, message] of table) {
    const scope = parseScopeOf({ problems: new Problems() });
    parseTemplates(directivesOf(lines), scope);
    const [error] = scope.problems.errors;
    assert(error, lines);
    const found = `${formatPosition(error.at)} ${error.message}`.replace("Corefile:", "");
    assert(found.startsWith(message), `${found}\nwanted ${message}`);
  }
});

Deno.test("template knows what it looks at before it is asked anything", () => {
  const usesOf = (answer: string) => {
    const scope = parseScopeOf();
    const [rule] = parseTemplates(
      directivesOf(`template IN TXT {\n answer "{{ .Name }} TXT ${answer}"\n}`),
      scope,
    );
    assert.deepEqual(scope.problems.errors, []);
    return rule!.uses;
  };
  assert.deepEqual(usesOf("{{ .Type }}"), { keys: [], labels: [] });
  assert.deepEqual(usesOf("{{ .Remote }}"), { keys: ["source"], labels: [] });
  assert.deepEqual(usesOf("{{ if true }}{{ .Message.Id }}{{ end }}"), { keys: ["port"], labels: [] });
  assert.deepEqual(usesOf("{{ with $.Remote }}{{ . }}{{ end }}"), { keys: ["source"], labels: [] });
  assert.deepEqual(usesOf("{{ .Meta `a/b` }}"), { keys: [], labels: ["a/b"] });
  assert.deepEqual(usesOf("{{ .Meta .Name }}"), { keys: [], labels: [undefined] });
  assert.deepEqual(usesOf("{{ len (printf `%v` .) }}"), { keys: ["source", "port"], labels: [] });
});

Deno.test("template takes the block's zones, or its own", () => {
  const scope = parseScopeOf({ zones: ["\x03org\0" as Name] });
  const rules = parseTemplates(
    directivesOf("template IN A\ntemplate IN A Example.org 10.0.0.0/8 {\n fallthrough\n}"),
    scope,
  );
  assert.deepEqual(rules.map(({ zones }) => zones.map(formatName)), [["org."], [
    "example.org.",
    "10.in-addr.arpa.",
  ]]);
  assert.deepEqual(rules.map(({ fallthrough }) => fallthrough.map(formatName)), [[], ["."]]);
  assert.deepEqual(structuredClone(rules), rules);
});
