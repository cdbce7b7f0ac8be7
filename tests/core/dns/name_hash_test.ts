import assert from "node:assert/strict";
import { hashName, hashNameText, hashNextCloser } from "../../../core/dns/name_hash.ts";
import { type Name, nextCloser, parseName } from "../../../core/dns/name.ts";

const ENCLOSERS = [".", "org.", "example.org.", "b.example.org."].map((text) => parseName(text));

const NAMES = ["a.b.example.org.", "z.a.b.example.org.", "c.b.example.org.", "xy.b.example.org."]
  .map((text) => parseName(text));

Deno.test("hashNextCloser() is the hash of the next closer name, whatever was asked for before", () => {
  const pairs = ENCLOSERS.flatMap((encloser) => NAMES.map((name) => [name, encloser] as const));
  for (const [before, beforeEncloser] of pairs) {
    for (const [name, encloser] of pairs) {
      hashNextCloser(before, beforeEncloser);
      assert.equal(hashNextCloser(name, encloser), hashNameText(nextCloser(name, encloser)));
    }
  }
});

Deno.test("hashNameText() of a part of a name, going on from the rest of it, is the whole name's hash", () => {
  const name = parseName("a.b.Example.org."), rest = parseName("example.org.") as Name;
  const hash = hashNameText(name, hashNameText(rest), name.length - rest.length);
  assert.equal(hash, hashNameText(name));
  assert.equal(hash, hashName(Uint8Array.from(name, (octet) => octet.charCodeAt(0)), 0, name.length));
  assert.equal(
    hashNameText(name, hashNameText(rest), 4, 2),
    hashNameText(parseName("b.example.org.")),
  );
});
