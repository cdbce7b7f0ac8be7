import assert from "node:assert/strict";
import { draw, leafHash, nodeHash, rendezvousScore } from "../../../core/fleet/rendezvous.ts";
import { parsePrefix } from "../../../core/net/address.ts";
import { u } from "../../model/selection.ts";

Deno.test("leafHash() is FNV-1a of family, length and address", () => {
  // By hand: FNV-1a of 04 00 00000000 and of 04 18 c0000200.
  const fnv = (octets: number[]) =>
    octets.reduce((hash, octet) => Number(BigInt.asUintN(32, BigInt(hash ^ octet) * 16777619n)), 0x811c9dc5);
  const unsigned = (hash: number) => hash >>> 0;
  assert.equal(leafHash(parsePrefix("0.0.0.0/0")!), unsigned(fnv([4, 0, 0, 0, 0, 0])));
  assert.equal(leafHash(parsePrefix("192.0.2.0/24")!), unsigned(fnv([4, 24, 192, 0, 2, 0])));
  assert.equal(
    leafHash(parsePrefix("2001:db8::/32")!),
    unsigned(fnv([6, 32, 0x20, 1, 0x0d, 0xb8, ...Array(12).fill(0)])),
  );
});

Deno.test("draw() is what the model draws", () => {
  const octets = [198, 51, 100, 0];
  for (const id of ["a", "fra1", "münchen-ü", "x".repeat(63)]) {
    for (const use of ["pick", "ramp"] as const) {
      assert.equal(
        draw(leafHash(parsePrefix("198.51.100.0/24")!), nodeHash(use, "www.example.org.", id)),
        u(use, "www.example.org.", { family: 4, octets, length: 24 }, id),
      );
    }
  }
});

Deno.test("draw() picks nodes in proportion to their weights", () => {
  const weights = { a: 1, b: 2, c: 5 };
  const hashes = Object.entries(weights).map(([id, weight]) => ({
    id,
    weight,
    hash: nodeHash("pick", "p.", id),
  }));
  const wins: Record<string, number> = { a: 0, b: 0, c: 0 };
  for (let i = 0; i < 20_000; i++) {
    const leaf = leafHash({ family: 4, length: 24, octets: Uint8Array.of(i >> 16, i >> 8, i, 0) });
    const scored = hashes.map(({ id, weight, hash }) => ({
      id,
      score: rendezvousScore(weight, draw(leaf, hash)),
    }));
    wins[scored.reduce((a, b) => a.score >= b.score ? a : b).id]!++;
  }
  for (const [id, weight] of Object.entries(weights)) {
    assert.ok(Math.abs(wins[id]! / 20_000 - weight / 8) < 0.015, `${id}: ${wins[id]}`);
  }
});
