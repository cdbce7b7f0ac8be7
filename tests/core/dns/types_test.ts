import assert from "node:assert/strict";
import {
  classFromText,
  classToText,
  isMetaType,
  rcodeToText,
  TYPE,
  typeFromText,
  typeToText,
} from "../../../core/dns/types.ts";

Deno.test("typeFromText() reads mnemonics in any case and numbers, and nothing else", () => {
  assert.equal(typeFromText("AAAA"), 28);
  assert.equal(typeFromText("https"), 65);
  assert.equal(typeFromText("TYPE65280"), 65280);
  assert.equal(typeFromText("type1"), 1);
  for (const wrong of ["", "TYPE", "TYPE65536", "TYPE-1", "TYPE1x", "AAA", "constructor"]) {
    assert.equal(typeFromText(wrong), undefined, wrong);
  }
});

Deno.test("typeToText() gives back every type that typeFromText() reads", () => {
  for (const [mnemonic, type] of Object.entries(TYPE)) assert.equal(typeToText(type), mnemonic);
  assert.equal(typeToText(65280), "TYPE65280");
});

Deno.test("classes and RCODEs without a name have their number", () => {
  assert.equal(classFromText("ch"), 3);
  assert.equal(classFromText("CLASS32"), 32);
  assert.equal(classFromText("XX"), undefined);
  assert.equal(classToText(1), "IN");
  assert.equal(classToText(32), "CLASS32");
  assert.equal(rcodeToText(23), "BADCOOKIE");
  assert.equal(rcodeToText(15), "RCODE15");
});

Deno.test("isMetaType() is true of what no zone can hold", () => {
  for (const type of [0, TYPE.OPT, TYPE.NXNAME, TYPE.TSIG, TYPE.AXFR, TYPE.ANY]) assert.ok(isMetaType(type));
  for (const type of [TYPE.A, TYPE.SPF, TYPE.CAA, 65280]) assert.ok(!isMetaType(type));
});
