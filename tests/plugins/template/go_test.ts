import assert from "node:assert/strict";
import { executeTemplate } from "../../../plugins/template/go/execute.ts";
import { ExecutionError, type GoValue } from "../../../plugins/template/go/functions.ts";
import { parseTemplate } from "../../../plugins/template/go/parser.ts";
import { TemplateError } from "../../../plugins/template/go/syntax.ts";

const DATA: GoValue = new Map<string, GoValue>([
  ["Name", "www.example.org."],
  ["Match", ["a-b", "a", "b"]],
  ["Group", new Map([["a", "0a"], ["empty", ""]])],
  ["None", []],
  ["Meta", { call: (label = "") => `<${label}>` }],
]);

function run(source: string): string {
  // As it comes to a worker.
  return executeTemplate(structuredClone(parseTemplate(source)), DATA);
}

Deno.test("executeTemplate() writes what Go's text/template writes", () => {
  const table: [source: string, text: string][] = [
    ["plain", "plain"],
    ["{{ .Name }} 60 IN A {{ .Group.a }}", "www.example.org. 60 IN A 0a"],
    ["{{.Name}}", "www.example.org."],
    ["a {{- .Group.a -}} b", "a0ab"],
    ["a {{/* {{ not }} */}}b{{- /* c */ -}} d", "a bd"],
    ['{{ index .Match 1 }}{{ index .Group "a" }}', "a0a"],
    ['{{ parseInt "0x1f" 0 64 }} {{ parseInt "18446744073709551615" 10 64 }}', "31 18446744073709551615"],
    ['{{ .Meta "geoip/country/code" }} {{ .Meta (print "a/" .Group.a) }}', "<geoip/country/code> <a/0a>"],
    ['{{ if .Group.empty }}a{{ else if eq .Name "x" "www.example.org." }}b{{ else }}c{{ end }}', "b"],
    ["{{ if not (and true .Group.empty) }}a{{ end }}{{ if or .None .Name }}b{{ end }}", "ab"],
    [
      "{{ with .Group.a }}{{ . }}{{ $.Name }}{{ else }}x{{ end }}{{ with .None }}y{{ else }}z{{ end }}",
      "0awww.example.org.z",
    ],
    ["{{ range .Match }}[{{ . }}]{{ end }}{{ range .None }}{{ else }}none{{ end }}", "[a-b][a][b]none"],
    ["{{ range $i, $m := .Match }}{{ if $i }}.{{ end }}{{ $m }}{{ end }}", "a-b.a.b"],
    ['{{ range $m := .Match }}{{ if eq $m "b" }}{{ break }}{{ end }}{{ continue }}{{ end }}', ""],
    ["{{ range $k, $v := .Group }}{{ $k }}={{ $v }};{{ end }}", "a=0a;empty=;"],
    ["{{ range 3 }}{{ . }}{{ end }}", "012"],
    ["{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ $y }}{{ end }}{{ $x }}", "32"],
    ["{{ if $x := .Group.empty }}{{ else }}[{{ $x }}]{{ end }}", "[]"],
    ["{{ len .Name }} {{ slice .Name 0 3 }} {{ len .Match }}", "16 www 3"],
    ['{{ printf "%03d-%s-%x-%5.1f-%-3s|%q%%" 7 .Group.a 255 1.25 "a" "b" }}', '007-0a-ff-  1.3-a  |"b"%'],
    [
      '{{ lt 1 2 }} {{ ge "a" "b" }} {{ ne 1 1 }} {{ \'a\' }} {{ `raw\\` }} {{ "\\x41\\n" }}',
      "true false false 97 raw\\ A\n",
    ],
    ["{{ .Match }} {{ .Group.missing }}|", "[a-b a b] |"],
    ['{{ (index .Match 0) | printf "%s!" }}', "a-b!"],
  ];
  for (const [source, text] of table) {
    assert.equal(run(source), text, source);
  }
});

Deno.test("a pipe hands on what it has as the last argument", () => {
  assert.equal(run('{{ "a" | printf "%s-%s" "b" }}'), "b-a");
  assert.equal(run('{{ 8 | parseInt "ff" 16 }}'), "255");
});

Deno.test("parseTemplate() says what is wrong and where", () => {
  const table: [source: string, offset: number, message: RegExp][] = [
    ["a {{ .Name", 2, /found '\{\{' that is never closed/],
    ["{{ .Name }", 0, /found '\{\{' that is never closed/],
    ['{{ "a }}', 3, /the string that begins here is never closed/],
    ["{{ nope .Name }}", 3, /there is no function 'nope'/],
    ["{{ parseInts .Name }}", 3, /did you mean 'parseInt'\?/],
    ["{{ if true }}a", 0, /found no '\{\{end\}\}' to this/],
    ["a{{ end }}", 1, /found 'end' that ends nothing/],
    ["{{ $x }}", 3, /there is no variable '\$x'/],
    ["{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", 38, /there is no variable '\$x'/],
    ["{{ 1 2 }}", 3, /wanted a function: a value takes no arguments/],
    ['{{ . | .Name }} {{ . | "a" }}', 23, /wanted a function/],
    ['{{ template "x" }}', 0, /templates inside templates are not known here/],
    ["{{ break }}", 0, /found 'break' outside a range/],
    ["{{ (print 1 }}", 12, /wanted '\)'/],
    ["{{ ! }}", 3, /found '!' in an action/],
    ["{{ if }}{{ end }}", 6, /wanted a value/],
  ];
  for (const [source, offset, message] of table) {
    assert.throws(() => parseTemplate(source), (error) => {
      assert(error instanceof TemplateError, `${source}: ${error}`);
      assert.match(error.message, message);
      assert.equal(error.offset, offset, source);
      return true;
    });
  }
});

Deno.test("executeTemplate() ends early rather than take all time or memory, and says what it cannot do", () => {
  const table: [source: string, message: RegExp][] = [
    ["{{ range 10000 }}{{ range 10000 }}x{{ end }}{{ end }}", /more than 20000 steps/],
    [`{{ range 19000 }}${"x".repeat(100)}{{ end }}`, /more than 300000 characters/],
    ["{{ index .Match 9 }}", /index 9 of 3/],
    ["{{ .Name.First }}", /has no field First/],
    ['{{ parseInt "zz" 10 8 }}', /'zz' is no number to base 10/],
    ['{{ parseInt "256" 10 8 }}', /'256' has more than 8 bits/],
    ['{{ eq 1 "a" }}', /values of two kinds/],
    ['{{ .Name "x" }}', /is no method/],
    ['{{ printf "%d" }}', /nothing is left for %d/],
    ["{{ range .Name }}{{ end }}", /cannot range over/],
  ];
  for (const [source, message] of table) {
    assert.throws(() => run(source), (error) => {
      assert(error instanceof ExecutionError, `${source}: ${error}`);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("parseTemplate() takes no more brackets inside each other than it can", () => {
  const within = (depth: number) => `{{ ${"(".repeat(depth)}1${")".repeat(depth)} }}`;
  assert.equal(run(within(50) + within(50)), "11");
  for (const depth of [51, 100_000]) {
    assert.throws(() => parseTemplate(within(depth)), { name: "TemplateError", message: /at most 50/ });
  }
});
