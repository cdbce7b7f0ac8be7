import assert from "node:assert/strict";
import fc from "fast-check";
import { fold, type Name, parseName } from "../../../core/dns/name.ts";
import { octetString, WireError, WireReader, WireWriter } from "../../../core/dns/wire.ts";
import { octets } from "./records.ts";

const www = parseName("www.example.org."), mail = parseName("mail.example.org.");

function nameAt(hex: string, at: number): Name {
  return new WireReader(octets(hex), at).name();
}

Deno.test("name() follows pointers backwards and stops behind the first", () => {
  const reader = new WireReader(octets("07'example'03'org'00 | 03'www'c000 | ff"), 13);
  assert.equal(reader.name(), www);
  assert.equal(reader.at, 19);
  assert.equal(reader.u8(), 0xff);
});

Deno.test("name() refuses pointers that loop, point forwards, or at themselves", () => {
  const refuses = (hex: string, at: number) =>
    assert.throws(() => nameAt(hex, at), /not point backwards/, hex);
  refuses("c000", 0);
  refuses("c002 01'a'00", 0);
  refuses("01'a'c000", 0);
  refuses("01'a'c004 01'b'c000", 4);
  // Two pointers at each other, entered from either side.
  refuses("c002 c000", 0);
  refuses("c002 c000", 2);
});

Deno.test("name() refuses labels that run into the pointer that led to them", () => {
  assert.throws(() => nameAt("02'a'c000", 2), WireError);
});

Deno.test("name() refuses what runs past the end and the reserved label types", () => {
  for (const hex of ["", "03'ww'", "03'www'", "c0", "40'a'00", "80'a'00"]) {
    assert.throws(() => nameAt(hex, 0), WireError, hex);
  }
});

Deno.test("name() takes 255 octets and refuses 256, in one run or through a pointer", () => {
  const label = "3f" + "61".repeat(63);
  assert.equal(nameAt(label.repeat(3) + "3d" + "62".repeat(61) + "00", 0).length, 255);
  assert.throws(() => nameAt(label.repeat(3) + "3e" + "62".repeat(62) + "00", 0), /over 255/);
  assert.equal(nameAt(label.repeat(3) + "00" + "3d" + "62".repeat(61) + "c000", 193).length, 255);
  assert.throws(() => nameAt(label.repeat(3) + "00" + "3e" + "62".repeat(62) + "c000", 193), /over 255/);
});

Deno.test("name() follows 127 pointers, as many as a name may have labels, and no more", () => {
  const chain = (count: number) => {
    const pointers = Array.from({ length: count }, (_, i) => (0xc000 + Math.max(0, 2 * i - 1)).toString(16));
    return nameAt("00" + pointers.join(""), 2 * count - 1);
  };
  assert.equal(chain(127), "\0");
  assert.throws(() => chain(128), /too many compression pointers/);
});

Deno.test("plainName() refuses a pointer", () => {
  assert.throws(() => new WireReader(octets("00 c000"), 1).plainName(), /compression pointer/);
});

Deno.test("a reader gives nothing past its end", () => {
  const reader = new WireReader(octets("0102030405"), 1, 4);
  assert.equal(reader.u16(), 0x0203);
  assert.throws(() => reader.u16(), WireError);
  assert.equal(reader.u8(), 4);
  assert.throws(() => reader.take(1), WireError);
  assert.equal(new WireReader(octets("ffffffff")).u32(), 0xffffffff);
});

Deno.test("a writer points to the longest suffix that stands before, whatever its case", () => {
  const writer = new WireWriter(4);
  writer.name(www);
  writer.name(mail);
  writer.name(parseName("WWW.Example.ORG."));
  writer.name(parseName("org."));
  assert.deepEqual(writer.finish(), octets("03'www'07'example'03'org'00 | 04'mail'c004 | c000 | c00c"));
});

Deno.test("a writer does not take octets above 127 for letters", () => {
  const writer = new WireWriter();
  writer.name("\x01\xc0\0" as Name);
  writer.name("\x01\xe0\0" as Name);
  assert.deepEqual(writer.finish(), octets("01c000 01e000"));
});

Deno.test("a writer never points past offset 16383", () => {
  const writer = new WireWriter();
  writer.bytes(new Uint8Array(16380));
  writer.name(www);
  const start = writer.at;
  writer.name(mail);
  writer.name(www);
  const reader = new WireReader(writer.finish(), start);
  assert.equal(reader.name(), mail);
  assert.equal(reader.name(), www);
  // `www` itself starts at 16380 and may be pointed to; `example` at 16384 may not.
  assert.equal(writer.at - start, 18 + 2);
});

Deno.test("rewind() forgets the names behind it, and only these", () => {
  const writer = new WireWriter();
  writer.name(parseName("org."));
  const mark = writer.at;
  writer.name(www);
  writer.rewind(mark);
  writer.name(www);
  writer.name(www);
  assert.deepEqual(writer.finish(), octets("03'org'00 | 03'www'07'example'c000 | c005"));
});

Deno.test("remember() makes a name known that was written otherwise", () => {
  const writer = new WireWriter();
  writer.plainName(www);
  writer.remember(www, 0);
  writer.name(www);
  writer.name(mail);
  writer.name(www);
  assert.deepEqual(writer.finish(), octets("03'www'07'example'03'org'00 | c000 | 04'mail'c004 | c000"));
});

const label = fc.uint8Array({ minLength: 1, maxLength: 12 }).map((some) =>
  String.fromCharCode(some.length) + octetString(some)
);
const name = fc.array(label, { maxLength: 4 }).map((labels) => (labels.join("") + "\0") as Name);

Deno.test("names written one after the other are read back, case aside, and take no more room", () => {
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 12 }), fc.nat(16400), (names, before) => {
      const writer = new WireWriter(16);
      writer.bytes(new Uint8Array(before));
      for (const one of [...names, ...names]) writer.name(one);
      const reader = new WireReader(writer.finish(), before);
      for (const one of [...names, ...names]) assert.equal(fold(reader.name()), fold(one));
      assert.equal(reader.left, 0);
      assert.ok(writer.at - before <= 2 * names.join("").length);
    }),
    { seed: 1, numRuns: 300 },
  );
});

Deno.test("octetString() takes more octets than a call takes arguments", () => {
  const many = new Uint8Array(300_000).fill(0x61);
  assert.equal(octetString(many), "a".repeat(300_000));
});

Deno.test("name() compresses a name alike whatever names of its length were written before", () => {
  const write = (...texts: readonly string[]) => {
    const writer = new WireWriter();
    for (const text of texts) writer.name(parseName(text));
    return writer.finish();
  };
  for (
    const other of ["b.example.org.", "a.example.net.", "aexample.o.rg.", "A.EXAMPLE.ORG.", "a.b.c.d.e.fg."]
  ) {
    write("example.org.", other);
    assert.deepEqual(
      write("example.org.", "a.example.org."),
      octets("07'example'03'org'00 01'a'c000"),
      other,
    );
  }
});
