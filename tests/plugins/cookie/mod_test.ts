import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { type Answer, emptyAnswer, parseAddress, Problems, type QueryContext } from "../../../core/plugin.ts";
import cookie, { answerer, type CookieConfig, judge, parse } from "../../../plugins/cookie/mod.ts";
import { makeServerCookie } from "../../../plugins/cookie/server_cookie.ts";
import { ownSecret } from "../../../plugins/cookie/secrets.ts";
import { contextOf } from "../../support/context.ts";
import { directivesOf } from "../../support/directives.ts";
import { answerScopeOf, controlScopeOf, parseScopeOf, SILENT } from "../../support/scopes.ts";

const SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf", OTHER = "445536bcd2513298075a5d379663c962";
const CLIENT = "2464c4abcf10c957";
/** What appendix A.1 of RFC 9018 gives this client at that second. */
const NOW_MS = 1559731985_000, A1 = `${CLIENT}010000005cf79f111f8130c3eee29480`;
const secrets = [Uint8Array.fromHex(SECRET)];
const ADDRESS = parseAddress("198.51.100.100")!;

function asking(cookies: string[], more: Partial<QueryContext> = {}): QueryContext {
  const options = cookies.map((text) => ({ code: 10, data: Uint8Array.fromHex(text) }));
  return contextOf({
    edns: { version: 0, payloadSize: 1232, dnssecOk: false, options },
    source: { address: parseAddress("198.51.100.100")!, port: 5353 },
    nowMs: NOW_MS,
    ...more,
  });
}

/** What comes back for a query, and what the plugin below was told of its cookie. */
function ask(context: QueryContext, config: Partial<CookieConfig> = {}) {
  const plugin = answerer(
    { secrets: [], require: false, ...config },
    answerScopeOf({ published: () => secrets }),
  );
  let told: QueryContext | undefined;
  const answer = plugin.answer(context, (below) => (told = below, emptyAnswer(0)));
  assert.ok(!(answer instanceof Promise));
  const option = answer.options?.find(({ code }) => code === 10);
  return { told, rcode: answer.rcode, keys: answer.dependence.keys, cookie: option?.data.toHex() };
}

function parsed(text: string) {
  const problems = new Problems();
  const scope = parseScopeOf({ problems });
  const config = problems.attempt(() => parse(directivesOf(text), scope));
  return {
    config,
    errors: problems.errors.map(({ message, at }) => `${at.line}:${at.column} ${message}`),
  };
}

Deno.test("cookie gives a client that has none the cookie of RFC 9018 appendix A.1, and takes it back as valid", () => {
  const first = ask(asking([CLIENT]));
  assert.equal(first.cookie, A1);
  assert.equal(first.told?.cookie, "client");
  const second = ask(asking([A1], { nowMs: NOW_MS + 60_000 }));
  assert.equal(second.told?.cookie, "valid");
  assert.equal(second.cookie, A1, "not renewed within half an hour");
  const late = ask(asking([A1], { nowMs: 1559734385_000 }));
  assert.equal(late.told?.cookie, "valid");
  assert.equal(late.cookie, `${CLIENT}010000005cf7a871d4a564a1442aca77`);
});

Deno.test("cookie counts what was sent, and once: where it is answered", () => {
  const counted: unknown[] = [];
  const scope = answerScopeOf({
    published: () => secrets,
    series: (_, labels) => ({ record: () => void counted.push(labels?.state) }),
  });
  const plugin = answerer({ secrets: [], require: false }, scope);
  plugin.answer(asking([CLIENT], { rehearsed: true }), () => emptyAnswer(0));
  plugin.answer(asking([CLIENT]), () => emptyAnswer(0, { deferred: true }));
  assert.deepEqual(counted, []);
  plugin.answer(asking([CLIENT], { record() {} }), () => emptyAnswer(0));
  plugin.answer(asking(["00"]), () => emptyAnswer(0));
  assert.deepEqual(counted, ["client", "malformed"]);
});

Deno.test("cookie gives a new cookie for one that is not ours", () => {
  const { told, cookie, rcode } = ask(asking([`${CLIENT}0100000000000000aaaaaaaaaaaaaaaa`]));
  assert.deepEqual([told?.cookie, cookie, rcode], ["invalid", A1, 0]);
});

Deno.test("cookie passes on queries without the option as they are", () => {
  for (const context of [contextOf({ nowMs: NOW_MS }), asking([])]) {
    const { told, cookie, keys } = ask(context);
    assert.equal(told, context);
    assert.equal(cookie, undefined);
    assert.deepEqual(keys, []);
  }
});

Deno.test("cookie says that a reply has a cookie of one client's own, and that a refusal is not worth remembering", () => {
  assert.deepEqual(ask(asking([CLIENT])).keys, ["cookie"]);
  assert.deepEqual(ask(asking([CLIENT]), { require: true }).keys, ["source", "port", "cookie"]);
  assert.deepEqual(ask(asking(["ab"])).keys, ["source", "port"]);
});

Deno.test("cookie judges and writes for repeated replies what the chain would, and counts it", () => {
  const counted: string[] = [];
  const scope = answerScopeOf({
    published: () => [Uint8Array.fromHex(SECRET), Uint8Array.fromHex(OTHER)],
    series: (_name, labels) => ({ record: () => void counted.push(labels!.state!) }),
  });
  const renewed = makeServerCookie(
    Uint8Array.fromHex(OTHER),
    Uint8Array.fromHex(CLIENT),
    ADDRESS,
    NOW_MS / 1000,
  );
  const texts = [
    CLIENT,
    A1,
    `${CLIENT}${renewed.toHex()}`,
    `${A1.slice(0, -2)}00`,
    `${CLIENT}${"ab".repeat(32)}`,
  ];
  for (const config of [{ secrets: [], require: false }, { secrets: [], require: true }]) {
    const plugin = answerer(config, scope), again = plugin.cookies!(asking([CLIENT]))!;
    for (const text of texts) {
      for (const nowMs of [NOW_MS, NOW_MS + 1_799_000, NOW_MS + 1_801_000, NOW_MS + 3_601_000]) {
        let told: QueryContext | undefined;
        const answer = plugin.answer(asking([text], { nowMs }), (below) => (told = below, emptyAnswer(0)));
        const octets = new Uint8Array(64), data = Uint8Array.fromHex(text);
        octets.set(data, 5);
        const state = again.judge(octets, 5, data.length, ADDRESS, nowMs);
        assert.equal(state, told?.cookie, `${text}, ${nowMs - NOW_MS} ms later`);
        if (state === undefined) continue;
        again.write(octets, 11);
        assert.equal(octets.toHex().slice(22, 70), (answer as Answer).options![0]!.data.toHex());
        assert.deepEqual(counted.slice(-2), [state, state]);
      }
    }
  }
});

Deno.test("cookie has nothing to repeat a reply with while there is no secret", () => {
  assert.equal(
    answerer({ secrets: [], require: false }, answerScopeOf({})).cookies!(asking([CLIENT])),
    undefined,
  );
});

Deno.test("cookie answers FORMERR to lengths that the option cannot have, and looks at the first option only", () => {
  const valid = new Set([8, ...Array.from({ length: 25 }, (_, i) => 16 + i)]);
  for (let length = 0; length <= 48; length++) {
    const { rcode, told } = ask(asking(["ab".repeat(length)]));
    assert.equal(rcode, valid.has(length) ? 0 : 1, `${length} octets`);
    assert.equal(told !== undefined, valid.has(length));
  }
  assert.equal(ask(asking([CLIENT, "ab"])).rcode, 0);
  assert.equal(ask(asking(["ab", CLIENT])).rcode, 1);
});

Deno.test("cookie with require answers BADCOOKIE over UDP to clients that do cookies, and to no others", () => {
  const config = { require: true };
  for (const text of [CLIENT, `${CLIENT}0100000000000000aaaaaaaaaaaaaaaa`]) {
    const { rcode, cookie, told } = ask(asking([text]), config);
    assert.deepEqual([rcode, cookie, told], [23, A1, undefined]);
    assert.equal(ask(asking([text], { transport: "tcp" }), config).rcode, 0);
  }
  assert.equal(ask(asking([A1]), config).rcode, 0);
  assert.equal(ask(contextOf(), config).rcode, 0);
});

Deno.test("cookie takes the place of an upstream's cookie", () => {
  const plugin = answerer({ secrets: [], require: false }, answerScopeOf({ published: () => secrets }));
  const theirs = { code: 10, data: new Uint8Array(24) }, nsid = { code: 3, data: new Uint8Array(1) };
  const answer = plugin.answer(asking([CLIENT]), () => emptyAnswer(0, { options: [theirs, nsid] }));
  assert.ok(!(answer instanceof Promise));
  assert.deepEqual(answer.options, [{ code: 10, data: Uint8Array.fromHex(A1) }, nsid]);
});

Deno.test("judge() takes cookies of an older secret, and renews them", () => {
  const rolled = [Uint8Array.fromHex(OTHER), ...secrets];
  const judged = judge(asking([A1]), rolled);
  assert.ok(judged?.state === "valid" && judged.reply.toHex() !== A1);
});

Deno.test("parse() reads secrets in use and still good, and points at what is none", () => {
  const { config } = parsed(`cookie {\n secret ${SECRET} ${OTHER}\n require\n}`);
  assert.deepEqual(config, {
    secrets: [SECRET, OTHER].map((text) => Uint8Array.fromHex(text)),
    require: true,
  });
  assert.deepEqual(parsed("cookie").config, { secrets: [], require: false });
  assert.deepEqual(parsed(`cookie {\n secret ${SECRET} abc\n}`).errors, [
    "3:42 cookie: a secret must be 32 hexadecimal digits: got 3 characters",
  ]);
  assert.match(parsed("cookie {\n secret\n}").errors[0]!, /^3:2 .*wants HEX, or file PATH$/);
  assert.match(parsed("cookie\ncookie").errors[0]!, /^3:1 cookie: stands twice/);
  assert.match(parsed("cookie on").errors[0]!, /^2:8 /);
  assert.match(parsed("cookie {\n secrte a\n}").errors[0]!, /did you mean 'secret'/);
  assert.match(parsed("cookie {\n secret file nowhere\n}").errors[0]!, /^3:14 .*there is no such file/);
});

Deno.test("cookie reads a file of secrets again when it has changed, and keeps the former when it is wrong", async () => {
  const path = await Deno.makeTempFile();
  const write = (text: string, second: number) => {
    Deno.writeTextFileSync(path, text);
    Deno.utimeSync(path, second, second);
  };
  try {
    write(`# in use since May\n${SECRET}\n`, 1);
    const { config } = parsed(`cookie {\n secret file ${path}\n}`);
    assert.equal(config?.path, path);
    const clock = new ManualClock(), published: string[] = [], errors: string[] = [];
    const publish = (value: unknown) =>
      void published.push((value as Uint8Array[]).map((secret) => secret.toHex()).join(" "));
    const log = { ...SILENT, error: (message: string) => void errors.push(message) };
    cookie.start(config!, controlScopeOf({ clock, publish, log }));
    clock.advance(60_000);
    assert.deepEqual(published, [SECRET]);
    write(`${OTHER} # since June\n\n${SECRET}\n`, 2);
    clock.advance(5000);
    assert.deepEqual(published, [SECRET, `${OTHER} ${SECRET}`]);
    write("nonsense", 3);
    clock.advance(5000);
    assert.equal(published.length, 2);
    assert.match(errors[0]!, /line 1: wanted a secret of 32 hexadecimal digits/);
    assert.doesNotMatch(errors[0]!, /nonsense/);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("ownSecret() keeps its secret for the next start, readable by its owner alone", async () => {
  const stateDirectory = await Deno.makeTempDir();
  try {
    const scope = controlScopeOf({ stateDirectory: `${stateDirectory}/state` });
    const secret = ownSecret(scope);
    const path = `${stateDirectory}/state/cookie_secret`;
    assert.equal(Deno.readTextFileSync(path), `${secret.toHex()}\n`);
    assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    Deno.writeTextFileSync(path, SECRET);
    assert.equal(ownSecret(scope).toHex(), SECRET);
    Deno.writeTextFileSync(path, "spoilt");
    assert.equal(ownSecret(scope).toHex(), secret.toHex());
    assert.equal(Deno.readTextFileSync(path), `${secret.toHex()}\n`);
    const explaining = controlScopeOf({ stateDirectory: `${stateDirectory}/none`, probing: false });
    assert.equal(ownSecret(explaining).toHex(), secret.toHex());
    assert.throws(() => Deno.statSync(`${stateDirectory}/none`), Deno.errors.NotFound);
  } finally {
    await Deno.remove(stateDirectory, { recursive: true });
  }
});
