import assert from "node:assert/strict";
import { expandTemplate, GENERATE_MAX, parseRange } from "../../../core/zone/generate.ts";

Deno.test("parseRange() reads START-STOP and START-STOP/STEP", () => {
  assert.deepEqual(parseRange("0-0"), { start: 0, stop: 0, step: 1 });
  assert.deepEqual(parseRange("1-127/2"), { start: 1, stop: 127, step: 2 });
});

Deno.test("parseRange() refuses what is no range, runs backwards, stands still or is too long", () => {
  for (const text of ["1", "1-", "-1", "a-b", "2-1", "1-2/0", "1-2/x", "0-4294967296", `0-${GENERATE_MAX}`]) {
    assert.throws(() => parseRange(text), SyntaxError, text);
  }
  assert.equal(parseRange(`1-${GENERATE_MAX}`).stop, GENERATE_MAX);
});

Deno.test("expandTemplate() puts the number where $ stands", () => {
  const table: Record<string, string> = {
    "host-$.x$": "host-17.x17",
    "none": "none",
    "${0}": "17",
    "${-7}": "10",
    "${+3,4}": "0020",
    "${0,4,d}": "0017",
    "${0,0,o}": "21",
    "${100,4,x}": "0075",
    "${0,0,X}": "11",
    "${10,3,X}": "01B",
    "${0,3,n}": "1.1",
    "${239,7,N}": "0.0.1.0",
    "\\$": "\\$",
    "$$": "\\$",
    "\\\\$": "\\\\17",
  };
  for (const [template, expected] of Object.entries(table)) {
    assert.equal(expandTemplate(template, 17), expected, template);
  }
});

Deno.test("expandTemplate() refuses modifiers that it does not know, and numbers below 0", () => {
  for (const template of ["${}", "${a}", "${0,x}", "${0,1,q}", "${0,1,d,2}", "${0", "${-18}"]) {
    assert.throws(() => expandTemplate(template, 17), SyntaxError, template);
  }
});
