import assert from "node:assert/strict";
import { ensurePackages } from "../../scripts/packages.ts";

await ensurePackages(["bind9", "iproute2", "unbound", "util-linux"]);

/** What either resolver logs when an authoritative server is not as it should be. */
const COMPLAINT =
  /lame|formerr|servfail|misconfig|malformed|broken|disabling edns|unexpected|unresolv|fail|error|invalid|mismatch|bad |timed? ?out|refused|wrong|not in|truncated|non-improving|caps-for-id/i;

/** What resolvers are to come to. Both chase the alias and the DNAME. */
const WANTED: Readonly<Record<string, string | RegExp>> = {
  "anycast.example SOA":
    "NOERROR soa ns1.anycast.example. hostmaster.anycast.example. 2026112201 7200 1800 1209600 300",
  "anycast.example NS": "NOERROR ns ns1.anycast.example.; ns ns2.anycast.example.",
  "anycast.example MX": "NOERROR mx 10 mail.anycast.example.",
  "anycast.example TXT": 'NOERROR txt "v=spf1 mx -all"',
  "wWw.AnyCast.example A": "NOERROR a 127.0.0.11; a 127.0.0.12",
  "www.anycast.example AAAA": "NOERROR ",
  "www.anycast.example HTTPS": 'NOERROR https 1 . alpn="h2,h3"',
  "entry.anycast.example A": "NOERROR a 127.0.0.11; a 127.0.0.12",
  "entry.anycast.example AAAA": "NOERROR aaaa ::1",
  "entry.anycast.example MX": "NOERROR ",
  "api.anycast.example A": "NOERROR a 127.0.0.11; a 127.0.0.12; cname entry.anycast.example.",
  "a.b.c.static.anycast.example A": "NOERROR a 127.0.0.11; a 127.0.0.12; cname www.anycast.example.",
  "static.anycast.example A": "NOERROR ",
  "none.anycast.example A": "NXDOMAIN ",
  "a.b.none.anycast.example TXT": "NXDOMAIN ",
  "deep.below.empty.example TXT": 'NOERROR txt "here"',
  "empty.example A": "NOERROR ",
  "big.example TXT": /^NOERROR (txt "x{100} \d+"(; )?){40}$/,
  "old.example A": "NOERROR ",
  "www.old.example A":
    "NOERROR a 127.0.0.11; a 127.0.0.12; cname www.anycast.example.; dname anycast.example.",
};

Deno.test("Unbound and BIND iterate through Meridian without a complaint", async () => {
  const script = new URL("./resolvers/run.ts", import.meta.url).pathname;
  const args = ["-rn", Deno.execPath(), "run", "-A", "--no-check", script];
  const { success, stdout } = await new Deno.Command("unshare", { args, stderr: "inherit" }).output();
  assert.ok(success);
  const { answers, logs, complaints } = JSON.parse(new TextDecoder().decode(stdout));
  for (const [question, wanted] of Object.entries(WANTED)) {
    for (const [resolver, found] of Object.entries<string>(answers[question])) {
      if (typeof wanted === "string") assert.equal(found, wanted, `${resolver}: ${question}`);
      else assert.match(found, wanted, `${resolver}: ${question}`);
    }
  }
  assert.equal(Object.keys(answers).length, Object.keys(WANTED).length);
  assert.deepEqual(complaints, []);
  for (const [resolver, log] of Object.entries<string>(logs)) {
    assert.ok(log.length > 0, resolver);
    assert.deepEqual(
      log.split("\n").filter((line) => COMPLAINT.test(line) && !isOwnAffair(line)),
      [],
      resolver,
    );
  }
});

/** What a resolver says of itself and its surroundings at the start. */
function isOwnAffair(line: string): boolean {
  return /rlimit|GeoIP|managed-keys|dnssec-validation|root key|bind\.keys|built with|compiled|openssl|lmdb|command channel|statistics|listening|random|capabilit|libuv|ENGINE|isc_|sandbox|not in control/i
    .test(line);
}
