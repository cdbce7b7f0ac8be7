import assert from "node:assert/strict";
import { startBlock, zoneFile } from "../../support/block.ts";

const ZONE = `$TTL 60
@     SOA ns hostmaster 1 2 3 4 5
@     NS  ns
ns    A   192.0.2.53
@     MX  10 mail
mail  A   192.0.2.25
child NS  ns.child
ns.child A 192.0.2.54
*.wild A 192.0.2.80
wild  NSEC x.example.org. A
`;

Deno.test("minimal leaves the answer section of a positive answer, and all of any other", async () => {
  const path = zoneFile(ZONE);
  const block = await startBlock(`example.org:1053 {\n minimal\n file ${path}\n}\n`);
  const soa = "authority example.org. 5 SOA ns.example.org. hostmaster.example.org. 1 2 3 4 5";
  assert.deepEqual(await block.ask("example.org", "MX"), [
    "NOERROR aa",
    "example.org. 60 MX 10 mail.example.org.",
  ]);
  assert.deepEqual(await block.ask("example.org", "TXT"), ["NOERROR aa", soa]);
  assert.deepEqual(await block.ask("no.example.org"), ["NXDOMAIN aa", soa]);
  assert.deepEqual(await block.ask("x.child.example.org"), [
    "NOERROR",
    "authority child.example.org. 60 NS ns.child.example.org.",
    "additional ns.child.example.org. 60 A 192.0.2.54",
  ]);
  await block.close();
  Deno.removeSync(path);
});

Deno.test("minimal leaves an answer of additional records alone", async () => {
  const block = await startBlock(`example.org:1053 {\n minimal\n whoami\n}\n`);
  assert.equal((await block.ask("example.org")).length, 3);
  await block.close();
});

Deno.test("minimal keeps proofs for those who asked for DNSSEC", async () => {
  const block = await startBlock(`example.org:1053 {
  minimal
  template IN A {
    answer "{{ .Name }} 60 A 192.0.2.1"
    authority "example.org. 60 NS ns.example.org."
    authority "example.org. 60 NSEC x.example.org. A"
    authority "example.org. 60 RRSIG NSEC 8 2 60 20300101000000 20200101000000 1 example.org. AAAA"
    authority "example.org. 60 RRSIG NS 8 2 60 20300101000000 20200101000000 1 example.org. AAAA"
  }
}
`);
  assert.equal((await block.ask("www.example.org")).length, 2);
  const types = (await block.ask("www.example.org", "A", { dnssecOk: true })).map((line) =>
    line.split(" ")[3]
  );
  assert.deepEqual(types.slice(2), ["NSEC", "RRSIG"]);
  await block.close();
});
