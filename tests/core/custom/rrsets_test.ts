import assert from "node:assert/strict";
import { formatRRset, parseRRsets } from "../../../core/custom/rrsets.ts";
import { parseName } from "../../../core/dns/name.ts";

const ORIGIN = parseName("example.org");

Deno.test("parseRRsets() puts records of one name and type together, and formatRRset() writes them", () => {
  const rrsets = parseRRsets(
    `www 300 A 192.0.2.1
@ 60 TXT "a; b" c
www 300 A 192.0.2.2
www 300 AAAA 2001:db8::1
`,
    ORIGIN,
  );
  assert.deepEqual(rrsets.map(formatRRset), [
    ["www.example.org. 300 IN A 192.0.2.1", "www.example.org. 300 IN A 192.0.2.2"],
    ['example.org. 60 IN TXT "a; b" "c"'],
    ["www.example.org. 300 IN AAAA 2001:db8::1"],
  ]);
});

Deno.test("parseRRsets() says where a line is wrong", () => {
  assert.throws(() => parseRRsets("www 300 A 192.0.2.1\nwww 300 A 192.0.2.256\n", ORIGIN), {
    name: "SyntaxError",
    message: /^line 2, column 11: .*192\.0\.2\.256/,
  });
});

Deno.test("parseRRsets() takes names as absolute without an origin", () => {
  assert.deepEqual(parseRRsets("www.example 1 A 192.0.2.1").map(formatRRset), [[
    "www.example. 1 IN A 192.0.2.1",
  ]]);
});
