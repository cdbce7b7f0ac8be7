import assert from "node:assert/strict";
import {
  type AnswerScope,
  type ControlScope,
  emptyAnswer,
  type ParseScope,
  Problems,
} from "../../../core/plugin.ts";
import { snapshotDigest } from "../../../core/fleet/digest.ts";
import nsid, { type NsidConfig, withNsid } from "../../../plugins/nsid/mod.ts";
import { override } from "../../core/fleet/make.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";

const edns = { version: 0, payloadSize: 1232, dnssecOk: false };
const asking = contextOf({ edns: { ...edns, options: [{ code: 3, data: new Uint8Array() }] } });
const DONE = emptyAnswer(0);

function parse(text: string): { config: NsidConfig; problems: Problems } {
  const problems = new Problems();
  return { config: nsid.parse(directivesOf(text), { problems } as ParseScope), problems };
}

function answererOf(config: NsidConfig, published?: unknown) {
  const plugin = nsid.answerer(config, { published: () => published } as unknown as AnswerScope);
  return (context: typeof asking) => plugin.answer(context, () => DONE);
}

const utf8 = (text: string) => new TextEncoder().encode(text);

Deno.test("nsid adds its option to the reply of a query that has it, and to no other", () => {
  const answer = answererOf({ data: "fra1" });
  assert.deepEqual(answer(asking), { ...DONE, options: [{ code: 3, data: utf8("fra1") }] });
  assert.equal(answer(contextOf()), DONE);
  const { edns: _, ...plain } = contextOf();
  assert.equal(answer(plain), DONE);
});

Deno.test("nsid without DATA tells the host's name, read by the control half", () => {
  const published: unknown[] = [];
  const scope = { publish: (value: unknown) => published.push(value) } as unknown as ControlScope;
  const { config } = parse("nsid");
  nsid.start(config, scope);
  assert.deepEqual(published, [Deno.hostname()]);
  assert.deepEqual(answererOf(config, "host1")(asking), {
    ...DONE,
    options: [{ code: 3, data: utf8("host1") }],
  });
  nsid.start({ data: "fra1" }, scope);
  assert.equal(published.length, 1);
});

Deno.test("nsid takes all its words as DATA", () => {
  assert.deepEqual(parse("nsid fra1 rack  7").config, { data: "fra1 rack 7" });
  assert.deepEqual(parse('nsid "ü  x"').config, { data: "ü  x" });
  assert.deepEqual(parse("nsid").config, {});
});

Deno.test("nsid tells DATA that is too long, and a second nsid", () => {
  assert.match(
    parse(`nsid ${"ü".repeat(65)}`).problems.errors[0]!.message,
    /at most 128 octets: got 130/,
  );
  const { problems } = parse("nsid a\nnsid b");
  assert.deepEqual(problems.errors.map(({ message, at }) => [message, at.line]), [
    ["nsid: stands twice in this server block: want it once", 3],
  ]);
});

Deno.test("nsid adds the digest of what is answered by, where that is wanted", () => {
  const textIn = (config: NsidConfig, context: typeof asking) => {
    const { options } = answererOf(config)(context) as typeof DONE & { options: { data: Uint8Array }[] };
    return new TextDecoder().decode(options[0]!.data);
  };
  const { config } = parse("nsid fra1 {\n digest\n}"), { snapshot } = asking;
  assert.equal(textIn(config, asking), `fra1 ${snapshotDigest(snapshot, 0)}`);
  const other = contextOf({
    ...{ edns: asking.edns!, snapshot: { ...snapshot, overrides: [override("fra1", "drain")] } },
  });
  assert.match(textIn(config, other), /^fra1 [0-9a-f]{32}$/);
  assert.notEqual(textIn(config, other), textIn(config, asking));
  const long = parse(`nsid ${"x".repeat(96)} {\n digest\n}`).problems;
  assert.match(long.errors[0]!.message, /at most 95 octets beside a digest: got 96/);
  assert.equal(parse(`nsid ${"x".repeat(95)} {\n digest\n}`).problems.errors.length, 0);
});

Deno.test("withNsid() replaces an upstream's identifier and keeps other options", () => {
  const cookie = { code: 10, data: Uint8Array.of(1) };
  const answer = { ...DONE, options: [{ code: 3, data: utf8("theirs") }, cookie] };
  assert.deepEqual(withNsid(answer, "ours").options, [cookie, { code: 3, data: utf8("ours") }]);
});
