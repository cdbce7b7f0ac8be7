import assert from "node:assert/strict";
import { type Answer, emptyAnswer, parseName, Problems, type RRset } from "../../../core/plugin.ts";
import { TYPE } from "../../../core/dns/types.ts";
import any, { shortened } from "../../../plugins/any/mod.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { answerScopeOf, factsOf, parseScopeOf } from "../../support/scopes.ts";
import { startServer } from "../../support/server.ts";

const NAME = parseName("WWW.example.org");
const rrset = (type: number): RRset => ({ name: NAME, type, ttl: 300, rdata: [new Uint8Array(4)] });

Deno.test("shortened() puts one HINFO in place of what there is, and leaves everything else", () => {
  const full = emptyAnswer(0, {
    authoritative: true,
    answer: [rrset(TYPE.A), rrset(TYPE.TXT)],
    authority: [rrset(TYPE.NS)],
    additional: [rrset(TYPE.A)],
  });
  const text = new TextEncoder();
  const hinfo = Uint8Array.of(13, ...text.encode("ANY obsoleted"), 12, ...text.encode("See RFC 8482"));
  assert.deepEqual(shortened(full, NAME), {
    ...full,
    answer: [{ name: NAME, type: TYPE.HINFO, ttl: 8482, rdata: [hinfo] }],
    authority: [],
    additional: [],
  });
  for (const rest of [emptyAnswer(3), emptyAnswer(2), emptyAnswer(0, { authority: [rrset(TYPE.NS)] })]) {
    assert.equal(shortened(rest, NAME), rest);
  }
  const alias = emptyAnswer(0, { answer: [rrset(TYPE.CNAME)] });
  assert.equal(shortened(alias, NAME), alias);
});

Deno.test("any leaves queries for other types alone, and asks nobody where no zone is held", () => {
  let asked = 0;
  const next = (): Answer => (asked++, emptyAnswer(3));
  const question = { name: NAME, type: TYPE.ANY, class: 1 };
  const forwarding = any.answerer({}, answerScopeOf());
  assert.equal((forwarding.answer(contextOf(), next) as Answer).rcode, 3);
  const answer = forwarding.answer(contextOf({ question }), next) as Answer;
  assert.deepEqual([answer.answer[0]?.type, answer.authoritative, asked], [TYPE.HINFO, true, 1]);
  const holding = any.answerer(
    {},
    answerScopeOf({ facts: factsOf({ dataZones: [parseName("example.org")] }) }),
  );
  assert.equal((holding.answer(contextOf({ question }), next) as Answer).rcode, 3);
});

Deno.test("any answers HINFO for names that exist, also a pool's, NXDOMAIN for those that do not, and CNAME for aliases", async () => {
  const server = await startServer(`anycast.example:1053 {
    bind 127.0.0.1
    geo
    any
    anycast entry.anycast.example {
        nodes nodes.yaml
    }
    file zones/anycast.example.zone
}`);
  try {
    for (const name of ["mail", "entry"]) {
      const { rcode, answer, authority } = await server.ask(`${name}.anycast.example`, "ANY");
      assert.deepEqual([rcode, answer.map(({ type }) => type), authority], [0, [TYPE.HINFO], []]);
    }
    const nowhere = await server.ask("nowhere.anycast.example", "ANY");
    assert.deepEqual([nowhere.rcode, nowhere.answer.length], [3, 0]);
    assert.ok((await server.ask("mail.anycast.example", "A")).answer.length > 0);
  } finally {
    await server.close();
  }
});

Deno.test("any takes no arguments, and stands once", () => {
  const errorsOf = (text: string) => {
    const problems = new Problems();
    problems.attempt(() => any.parse(directivesOf(text), parseScopeOf({ problems })));
    return problems.errors.map(({ message, at }) => `${at.line}:${at.column} ${message}`);
  };
  assert.deepEqual(errorsOf("any"), []);
  assert.match(errorsOf("any example.org")[0]!, /^2:5 /);
  assert.match(errorsOf("any\nany")[0]!, /^3:1 any: stands twice/);
  assert.match(errorsOf("any {\n minimal\n}")[0]!, /^3:2 .*unknown property/);
});
