import assert from "node:assert/strict";
import { emptyAnswer, INDEPENDENT, type RRset, withTarget } from "../../core/answer.ts";
import { parseName } from "../../core/dns/name.ts";
import { RCODE, TYPE } from "../../core/dns/types.ts";

const rrset = (type: number): RRset => ({ name: parseName("x."), type, ttl: 60, rdata: [new Uint8Array(4)] });
const [CNAME, A, SOA] = [TYPE.CNAME, TYPE.A, TYPE.SOA].map(rrset);
const ALIAS = emptyAnswer(RCODE.NOERROR, { authoritative: true, answer: [CNAME!] });
const DEPENDENT = { ...INDEPENDENT, scopePrefixLength: 24 };

Deno.test("withTarget() puts what the target has behind the alias, and depends on it", () => {
  const target = emptyAnswer(RCODE.NOERROR, { answer: [A!], dependence: DEPENDENT });
  const followed = { ...ALIAS, answer: [CNAME, A], dependence: DEPENDENT };
  assert.deepEqual(withTarget(ALIAS, target), followed);
});

Deno.test("withTarget() has the RCODE of the target, and its denial", () => {
  const { rcode, answer, authority, authoritative } = withTarget(
    ALIAS,
    emptyAnswer(RCODE.NXDOMAIN, { authority: [SOA!] }),
  );
  assert.deepEqual([rcode, answer, authority, authoritative], [RCODE.NXDOMAIN, [CNAME], [SOA], true]);
});

Deno.test("withTarget() leaves the alias alone where nobody answers for the target", () => {
  const refused = emptyAnswer(RCODE.REFUSED, { dependence: DEPENDENT });
  assert.deepEqual(withTarget(ALIAS, refused), { ...ALIAS, dependence: DEPENDENT });
});

Deno.test("withTarget() loses nothing that was said of the target", () => {
  const fault = { plugin: "forward", message: "timed out" };
  const extendedErrors = [{ infoCode: 22 }];
  const said = { silent: true, truncated: true, momentary: true, fault, extendedErrors } as const;
  const followed = withTarget(ALIAS, emptyAnswer(RCODE.SERVFAIL, said));
  assert.deepEqual(followed, { ...ALIAS, rcode: RCODE.SERVFAIL, ...said });
  const deferred = emptyAnswer(RCODE.NOERROR, { deferred: true });
  assert.equal(withTarget(ALIAS, deferred), deferred);
});

Deno.test("withTarget() is authentic only where both are", () => {
  const authentic = { ...ALIAS, authenticData: true };
  assert.equal(withTarget(authentic, emptyAnswer(0)).authenticData, false);
  assert.equal(withTarget(authentic, emptyAnswer(0, { authenticData: true })).authenticData, true);
  assert.equal(withTarget(ALIAS, emptyAnswer(0, { authenticData: true })).authenticData, undefined);
});
