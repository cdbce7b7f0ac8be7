import assert from "node:assert/strict";
import { INDEPENDENT, type Name, parseAddress } from "../../../core/plugin.ts";
import { DEFAULT_FORMAT, formatLine, parseFormat, printable } from "../../../plugins/log/format.ts";
import { LOCATION, replyOf, SELECTION } from "./reply_fixture.ts";
import { contextOf } from "../../support/context.ts";

const COMMON =
  '192.0.2.53:50759 - 29008 "A IN www.example.org. udp 41 false 4096" NOERROR qr,aa,rd,ra 68 0.037990251s';

function line(format: string, reply = replyOf()): string {
  return formatLine(parseFormat(format), reply);
}

Deno.test("{common} is CoreDNS's, character for character", () => {
  assert.equal(line("{common}"), COMMON);
  assert.equal(
    line("{common}", replyOf({ context: contextOf({ source: { address: parseAddress("::1")!, port: 5 } }) }))
      .slice(0, 9),
    "[::1]:5 -",
  );
});

Deno.test("{combined} adds the opcode", () => {
  assert.equal(line("{combined}"), `${COMMON} "0"`);
});

Deno.test("a query without EDNS takes 512 octets over UDP, and 65535 over TCP", () => {
  const { edns: _, ...plain } = contextOf();
  assert.equal(line("{>do} {>bufsize}", replyOf({ context: plain })), "false 512");
  assert.equal(
    line("{>bufsize} {proto}", replyOf({ context: { ...plain, transport: "tcp" } })),
    "65535 tcp",
  );
});

Deno.test("placeholders stand for what their names say", () => {
  const subnet = { address: parseAddress("198.51.100.0")!, sourcePrefixLength: 24 };
  const reply = replyOf({
    context: contextOf({ edns: { ...contextOf().edns!, clientSubnet: subnet } }),
    answer: { selections: [SELECTION], dependence: { ...INDEPENDENT, scopePrefixLength: 20 } },
  });
  const table: [format: string, expected: string][] = [
    ["{local}", "[2001:db8::1]"],
    ["{rflags}|{>rflags}", "qr,aa,rd,ra|qr,aa,rd,ra"],
    ["{zone} {ttl} {plugin}", "example.org. 60 file"],
    ["{location}", "DE/HE/city"],
    ["{ecs} {scope}", "198.51.100.0/24 20"],
    ["{pool} {nodes} {why} {distance}", "entry.example.org. fra1,ams1 nearest 12"],
    ["{/log/class} {/log/type} {/forward/upstream}", "success NOERROR -"],
    ["a{rcode}b}", "aNOERRORb}"],
  ];
  for (const [format, expected] of table) assert.equal(line(format, reply), expected, format);
  assert.equal(
    line("{meridian}", reply),
    `${COMMON} DE/HE/city 198.51.100.0/24→/20 entry.example.org. fra1,ams1 "nearest"`,
  );
});

Deno.test("what is not there is a dash", () => {
  const reply = replyOf({
    answer: { answer: [] },
    sent: { octets: 0, flags: 0, plugin: "" },
    location: undefined,
  });
  assert.equal(
    line("{rcode} {plugin} {>rflags} {rsize} {ttl} {location} {ecs} {pool} {nodes} {why} {distance}", reply),
    "- - - 0 - - - - - - -",
  );
});

Deno.test("without a format a line is {common}, and the pools' reasons where a pool chose", () => {
  assert.equal(formatLine(DEFAULT_FORMAT, replyOf()), COMMON);
  const subnet = { address: parseAddress("192.0.2.0")!, sourcePrefixLength: 24 };
  const answer = { selections: [SELECTION], dependence: { ...INDEPENDENT, scopePrefixLength: 20 } };
  const reply = replyOf({
    context: contextOf({ edns: { ...contextOf().edns!, clientSubnet: subnet } }),
    answer,
  });
  assert.equal(
    formatLine(DEFAULT_FORMAT, reply),
    `${COMMON} entry.example.org. → fra1,ams1 (nearest, 12 km; DE/HE/city; 192.0.2.0/24 → /20)`,
  );
  assert.ok(formatLine(DEFAULT_FORMAT, replyOf({ answer })).endsWith("(nearest, 12 km; DE/HE/city; /20)"));
});

Deno.test("a pool that led to another is told with it", () => {
  const spill = { pool: "far.example.org.", nodes: [], why: "all-down nodata" };
  const answer = { selections: [{ ...SELECTION, why: "spill to far" }, spill] };
  assert.equal(
    line("{pool}|{nodes}|{distance}", replyOf({ answer })),
    "entry.example.org.; far.example.org.|fra1,ams1; -|12; -",
  );
});

Deno.test("a special-use address is told by its block's name", () => {
  const { place: _, precision: _p, ...rest } = LOCATION;
  assert.equal(
    line("{location}", replyOf({ location: { ...rest, special: true, source: "loopback" } })),
    "special:loopback",
  );
});

Deno.test("no name and no text of the data can forge a line", () => {
  const name = '\x07a"\n[INFO\x00\x00' as Name;
  const evil = contextOf({ name: '\x04a"\n\x1b\x00' as Name });
  assert.equal(line("{name}", replyOf({ context: evil })), 'a\\"\\010\\027.');
  const place = { ...LOCATION.place!, subdivision: 'X"\n\u2028é' };
  assert.equal(
    line("{location}", replyOf({ location: { ...LOCATION, place } })),
    'DE/X\\"\\u000a\\u2028\\u00e9/city',
  );
  assert.match(printable(name), /^[ -~]*$/);
});

Deno.test("an unknown placeholder is an error with the nearest known one", () => {
  assert.throws(() => parseFormat("{remote} {tpye}"), {
    name: "SyntaxError",
    message: "unknown placeholder '{tpye}'; did you mean '{type}'?",
  });
  assert.throws(() => parseFormat("{}"), /unknown placeholder '\{\}'/);
  assert.throws(() => parseFormat("{constructor}"), /unknown placeholder/);
});
