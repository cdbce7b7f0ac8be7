import assert from "node:assert/strict";
import fc from "fast-check";
import { type Answer, emptyAnswer, INDEPENDENT, type RRset } from "../../core/answer.ts";
import { decodeExtendedError, encodeClientSubnet, findOption } from "../../core/dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery, type Message } from "../../core/dns/message.ts";
import { fold, parseName } from "../../core/dns/name.ts";
import { type DecodedQuery, decodeQuery, type QueryError } from "../../core/dns/query.ts";
import { OPTION, RCODE, TYPE } from "../../core/dns/types.ts";
import { parseAddress } from "../../core/net/address.ts";
import { respond, respondError, type ResponseLimits } from "../../core/responder.ts";
import { lineOf, octets, rrset } from "./dns/records.ts";

const WWW = parseName("www.example.org.");
const UDP: ResponseLimits = { transport: "udp" }, TCP: ResponseLimits = { transport: "tcp" };
const ECS = encodeClientSubnet({ address: parseAddress("198.51.100.0")!, sourcePrefixLength: 24 });

type Asking = Parameters<typeof makeQuery>[3];

function ask(options: Asking = {}, name = WWW, type: number = TYPE.A): DecodedQuery {
  const query = decodeQuery(encodeMessage(makeQuery(0xbeef, name, type, options)));
  assert.equal(query.kind, "query");
  return query as DecodedQuery;
}

function answerOf(more: Partial<Answer>): Answer {
  return emptyAnswer(RCODE.NOERROR, { authoritative: true, ...more });
}

function reply(query: DecodedQuery, answer: Answer, limits = UDP): Message {
  return decodeMessage(respond(query, answer, limits));
}

/** `count` TXT RRsets of one record each, 100 octets of text. */
function texts(count: number, owner = "www"): RRset[] {
  return Array.from({ length: count }, (_, i) => rrset(`${owner}${i} 60 TXT ${"x".repeat(97)}${100 + i}`));
}

const ADDRESSES = rrset("www 300 A 192.0.2.1", "www 300 A 192.0.2.2");

Deno.test("respond() writes an answer octet for octet, the question in the case it was asked in", () => {
  const query = ask({ recursionDesired: true }, parseName("wWw.Example.ORG."));
  assert.deepEqual(
    respond(query, answerOf({ answer: [ADDRESSES] }), UDP),
    octets(`beef 8500 0001 0002 0000 0000 | 03'wWw'07'Example'03'ORG'00 0001 0001
      c00c 0001 0001 0000012c 0004 c0000201
      c00c 0001 0001 0000012c 0004 c0000202`),
  );
});

Deno.test("respond() echoes every octet of the question's name", () => {
  const packet = octets("0001 0000 0001 0000 0000 0000 | 05 00 2e c0 ff 5c 00 0010 0001");
  const query = decodeQuery(packet) as DecodedQuery;
  assert.deepEqual(respond(query, answerOf({}), UDP).subarray(12), packet.subarray(12));
});

Deno.test("respond() copies RD and CD, and sets AA, RA and AD as the answer says", () => {
  const flags = (options: Asking, more: Partial<Answer>) => {
    const {
      recursionDesired,
      checkingDisabled,
      authoritative,
      recursionAvailable,
      authenticData,
      truncated,
      isResponse,
    } = reply(ask(options), answerOf(more));
    assert.ok(isResponse && !truncated);
    return { recursionDesired, checkingDisabled, authoritative, recursionAvailable, authenticData };
  };
  assert.deepEqual(flags({}, {}), {
    recursionDesired: false,
    checkingDisabled: false,
    authoritative: true,
    recursionAvailable: false,
    authenticData: false,
  });
  assert.deepEqual(
    flags({ recursionDesired: true, checkingDisabled: true, edns: { dnssecOk: true } }, {
      authoritative: false,
      recursionAvailable: true,
      authenticData: true,
    }),
    {
      recursionDesired: true,
      checkingDisabled: true,
      authoritative: false,
      recursionAvailable: true,
      authenticData: true,
    },
  );
  // RFC 6840 section 5.8: AD only to those who say that they understand it.
  assert.equal(flags({}, { authenticData: true }).authenticData, false);
});

Deno.test("respond() sends OPT if and only if the query had one, DO copied and Z clear", () => {
  const full = answerOf({
    extendedErrors: [{ infoCode: 1 }],
    options: [{ code: OPTION.NSID, data: octets("aa") }],
  });
  assert.equal(reply(ask(), full).edns, undefined);
  assert.deepEqual(reply(ask({ edns: { payloadSize: 4096, dnssecOk: true } }), answerOf({})).edns, {
    version: 0,
    payloadSize: 1232,
    dnssecOk: true,
    options: [],
  });
  assert.equal(reply(ask({ edns: {} }), answerOf({ payloadSize: 1400 })).edns?.payloadSize, 1400);
  const noisy = octets("beef 0000 0001 0000 0000 0001 00 0001 0001 00 0029 1000 00 00 7fff 0000");
  const written = respond(decodeQuery(noisy) as DecodedQuery, answerOf({}), UDP);
  assert.deepEqual(written.subarray(-11), octets("00 0029 04d0 00 00 0000 0000"));
});

Deno.test("respond() splits an extended RCODE, and says SERVFAIL where there is no OPT to hold it", () => {
  assert.equal(reply(ask({ edns: {} }), answerOf({ rcode: RCODE.BADCOOKIE })).rcode, RCODE.BADCOOKIE);
  assert.equal(reply(ask(), answerOf({ rcode: RCODE.BADCOOKIE })).rcode, RCODE.SERVFAIL);
});

Deno.test("respond() echoes ECS with the answer's scope", () => {
  const scope = (asked: typeof ECS, more: Partial<Answer>) => {
    const { edns } = reply(ask({ edns: { options: [asked] } }), answerOf(more));
    return findOption(edns!.options, OPTION.CLIENT_SUBNET)?.data;
  };
  const dependence = { ...INDEPENDENT, scopePrefixLength: 20 };
  assert.deepEqual(scope(ECS, { dependence }), octets("0001 18 14 c63364"));
  assert.deepEqual(scope(ECS, {}), octets("0001 18 00 c63364"));
  assert.equal(scope(ECS, { dependence, ecs: false }), undefined);
  // Source 0 is the client's wish for privacy: scope 0, whatever its own address brought about.
  const optedOut = encodeClientSubnet({ address: parseAddress("::")!, sourcePrefixLength: 0 });
  assert.deepEqual(scope(optedOut, { dependence }), octets("0002 00 00"));
  assert.deepEqual(scope({ code: 8, data: octets("0000 00 00") }, { dependence }), octets("0000 00 00"));
  assert.deepEqual(reply(ask({ edns: {} }), answerOf({ dependence })).edns?.options, []);
});

Deno.test("respond() sends extended errors and the answer's options", () => {
  const { edns } = reply(
    ask({ edns: {} }),
    answerOf({
      options: [{ code: OPTION.NSID, data: octets("'fra1'") }],
      extendedErrors: [{ infoCode: 22, text: "all down" }, { infoCode: 0 }],
    }),
  );
  assert.deepEqual(edns?.options.map(({ code }) => code), [OPTION.NSID, OPTION.EDE, OPTION.EDE]);
  assert.deepEqual(decodeExtendedError(edns!.options[1]!.data), { infoCode: 22, text: "all down" });
});

Deno.test("respond() tells the keepalive over TCP, to those who ask", () => {
  const asking = ask({ edns: { options: [{ code: OPTION.KEEPALIVE, data: octets("") }] } });
  const codes = (query: DecodedQuery, limits: ResponseLimits) =>
    reply(query, answerOf({}), limits).edns!.options.map(({ code, data }) => `${code} ${data.toHex()}`);
  assert.deepEqual(codes(asking, { transport: "tcp", keepaliveMs: 30_000 }), ["11 012c"]);
  assert.deepEqual(codes(asking, { transport: "udp", keepaliveMs: 30_000 }), []);
  assert.deepEqual(codes(ask({ edns: {} }), { transport: "tcp", keepaliveMs: 30_000 }), []);
  assert.deepEqual(codes(asking, TCP), []);
});

Deno.test("respond() keeps to the smaller of the client's size and our own, and never below 512", () => {
  const answer = answerOf({ answer: texts(40) });
  const size = (
    edns: { payloadSize: number } | undefined,
    limits: Partial<ResponseLimits> = {},
    more = {},
  ) => {
    const octets = respond(ask(edns ? { edns } : {}), { ...answer, ...more }, { ...UDP, ...limits });
    assert.equal(decodeMessage(octets).truncated, true);
    return octets.length;
  };
  // An RRset takes about 115 octets: one more would not have fitted.
  const isNear = (size: number, limit: number) =>
    assert.ok(size <= limit && size > limit - 130, `${size} of ${limit}`);
  isNear(size(undefined), 512);
  isNear(size({ payloadSize: 0 }), 512);
  isNear(size({ payloadSize: 511 }), 512);
  isNear(size({ payloadSize: 900 }), 900);
  isNear(size({ payloadSize: 4096 }), 1232);
  isNear(size({ payloadSize: 4096 }, { maxOctets: 700 }), 700);
  isNear(size({ payloadSize: 4096 }, { maxOctets: 100 }), 512);
  isNear(size({ payloadSize: 4096 }, {}, { payloadSize: 2048 }), 2048);
  assert.equal(reply(ask(), answer, TCP).truncated, false);
});

Deno.test("respond() fills the limit to the last octet without TC", () => {
  const room = 512 - 12 - 21 - 12;
  const fits = (octets: number) => {
    const texts = [255, octets - 256 - 1].map((length) => "y".repeat(length)).join(" ");
    const written = respond(ask(), answerOf({ answer: [rrset(`www 1 TXT ${texts}`)] }), UDP);
    return { length: written.length, truncated: decodeMessage(written).truncated };
  };
  assert.deepEqual(fits(room), { length: 512, truncated: false });
  assert.deepEqual(fits(room + 1), { length: 33, truncated: true });
});

Deno.test("respond() truncates at an RRset: what stands before stays whole, the rest goes, OPT stays", () => {
  const big = rrset(...Array.from({ length: 100 }, (_, i) => `big 1 A 192.0.2.${i}`));
  const { truncated, answer, authority, additional, edns } = reply(
    ask({ edns: { options: [ECS] } }),
    answerOf({
      answer: [ADDRESSES, big, rrset("small 1 A 192.0.2.1")],
      authority: [rrset("@ 1 NS ns1")],
      additional: [rrset("ns1 1 A 192.0.2.1")],
    }),
  );
  assert.equal(truncated, true);
  assert.deepEqual(answer.map(lineOf), [
    "www.example.org. 300 A 192.0.2.1",
    "www.example.org. 300 A 192.0.2.2",
  ]);
  assert.deepEqual([authority, additional], [[], []]);
  assert.deepEqual(edns?.options.map(({ code }) => code), [OPTION.CLIENT_SUBNET]);
});

Deno.test("respond() sends no record of a truncated answer, but TC, the question and OPT", () => {
  const all = { answer: [ADDRESSES], authority: [ADDRESSES], additional: [ADDRESSES] };
  const truncated = reply(ask({ edns: {} }), answerOf({ ...all, truncated: true, rcode: RCODE.NOERROR }));
  assert.deepEqual(
    [truncated.truncated, truncated.answer.length, truncated.authority.length, truncated.additional.length],
    [true, 0, 0, 0],
  );
  assert.ok(truncated.edns);
  assert.equal(truncated.questions.length, 1);
});

Deno.test("respond() sets RD as the answer says, where it says anything", () => {
  const rd = (asked: boolean, said?: boolean) =>
    reply(
      ask({ recursionDesired: asked }),
      answerOf(said === undefined ? {} : { recursionDesired: said }),
    ).recursionDesired;
  assert.deepEqual([rd(true), rd(false), rd(true, false), rd(false, true)], [true, false, false, true]);
});

Deno.test("respond() leaves out additional records without TC", () => {
  const { truncated, authority, additional } = reply(
    ask(),
    answerOf({ answer: [ADDRESSES], authority: [rrset("@ 1 NS ns1")], additional: texts(9) }),
  );
  assert.equal(truncated, false);
  assert.equal(authority.length, 1);
  assert.equal(additional.length, 3);
});

Deno.test("respond() sets TC when glue that a referral needs does not fit, and not for other glue (RFC 9471)", () => {
  const referral = (inside: number, outside: number) => {
    const hosts = [
      ...Array.from({ length: outside }, (_, i) => `outside-${i}`),
      ...Array.from({ length: inside }, (_, i) => `inside-${i}.sub`),
    ];
    return emptyAnswer(RCODE.NOERROR, {
      authority: [rrset(...hosts.map((host) => `Sub 1 NS ${host}`))],
      additional: hosts.map((host) => rrset(`${host} 1 AAAA 2001:db8::1`)),
    });
  };
  const query = ask({}, parseName("www.sub.example.org."));
  const few = reply(query, referral(3, 9));
  assert.equal(few.truncated, false);
  assert.ok(few.additional.length < 12);
  assert.deepEqual(
    few.additional.slice(0, 3).map(({ name }) => name),
    [0, 1, 2].map((i) => parseName(`inside-${i}.sub.example.org.`)),
  );
  const many = reply(query, referral(12, 0));
  assert.equal(many.truncated, true);
  assert.ok(many.additional.length > 0);
  // The same records are no referral when there is an answer.
  assert.equal(
    reply(query, { ...referral(12, 0), answer: [rrset("www.sub 1 A 192.0.2.1")] }).truncated,
    false,
  );
});

Deno.test("respond() drops extended errors rather than records", () => {
  const verbose = [{ infoCode: 1, text: "z".repeat(400) }];
  const query = ask({ edns: { payloadSize: 512, options: [ECS] } });
  const codes = ({ edns }: Message) => edns!.options.map(({ code }) => code);
  const short = reply(query, answerOf({ answer: [ADDRESSES], extendedErrors: verbose }));
  assert.deepEqual([short.truncated, codes(short)], [false, [OPTION.CLIENT_SUBNET, OPTION.EDE]]);
  const long = reply(query, answerOf({ answer: texts(2), extendedErrors: verbose }));
  assert.deepEqual([long.truncated, codes(long)], [false, [OPTION.CLIENT_SUBNET]]);
});

Deno.test("respond() leaves out options that no reply has room for", () => {
  const longest = parseName([63, 63, 63, 61].map((length) => "n".repeat(length)).join(".") + ".");
  const written = respond(
    ask({ edns: { payloadSize: 512, options: [ECS] } }, longest),
    answerOf({
      options: [{ code: OPTION.NSID, data: new Uint8Array(300) }, { code: 10, data: new Uint8Array(24) }],
    }),
    UDP,
  );
  assert.ok(written.length <= 512);
  assert.deepEqual(decodeMessage(written).edns!.options.map(({ code }) => code), [OPTION.CLIENT_SUBNET, 10]);
});

Deno.test("respond() writes no record twice", () => {
  const { answer, authority, additional } = reply(
    ask(),
    answerOf({
      answer: [ADDRESSES, rrset("WWW 300 A 192.0.2.2", "www 300 A 192.0.2.3")],
      authority: [rrset("@ 1 NS www", "@ 1 NS www")],
      additional: [ADDRESSES, rrset("www 300 AAAA 2001:db8::1")],
    }),
  );
  assert.deepEqual([...answer, ...authority, ...additional].map(lineOf), [
    "www.example.org. 300 A 192.0.2.1",
    "www.example.org. 300 A 192.0.2.2",
    "www.example.org. 300 A 192.0.2.3",
    "example.org. 1 NS www.example.org.",
    "www.example.org. 300 AAAA 2001:db8::1",
  ]);
});

Deno.test("respond() finds duplicates in large RRsets too", () => {
  const lines = Array.from({ length: 3000 }, (_, i) => `www 1 A 10.0.${(i % 1500) >> 8}.${(i % 1500) & 255}`);
  assert.equal(reply(ask(), answerOf({ answer: [rrset(...lines)] }), TCP).answer.length, 1500);
});

Deno.test("respond() truncates over TCP at 65535 octets", () => {
  const lines = Array.from({ length: 6000 }, (_, i) => `big 1 A 10.0.${i >> 8}.${i & 255}`);
  const { truncated, answer } = reply(ask(), answerOf({ answer: [ADDRESSES, rrset(...lines)] }), TCP);
  assert.deepEqual([truncated, answer.length], [true, 2]);
});

Deno.test("respond() clamps a TTL to 2^31-1, and takes the class from the question", () => {
  const long = answerOf({ answer: [{ ...ADDRESSES, ttl: 0xffffffff }] });
  const ttls = (options: Asking) =>
    reply(ask(options), long).answer.map((record) => [record.ttl, record.class]);
  assert.deepEqual(ttls({})[0], [0x7fffffff, 1]);
  assert.deepEqual(ttls({ class: 3 })[0], [0x7fffffff, 3]);
  assert.deepEqual(ttls({ class: 255 })[0], [0x7fffffff, 1]);
});

Deno.test("respond() hands out octets of its own", () => {
  const first = respond(ask(), answerOf({ answer: [ADDRESSES] }), UDP), kept = first.slice();
  respond(ask({}, parseName("other.example.org.")), answerOf({ rcode: RCODE.NXDOMAIN }), UDP);
  assert.deepEqual(first, kept);
});

Deno.test("respondError() copies opcode, RD, CD, question, and answers OPT with OPT", () => {
  const error = (hex: string) => {
    const query = decodeQuery(octets(hex)) as QueryError;
    return respondError(query, query.rcode).toHex();
  };
  const hex = (text: string) => octets(text).toHex();
  // NOTIFY; BADVERS; a malformed ECS option; no question to echo.
  assert.equal(
    error("0001 2510 0001 0000 0000 0000 00 0006 0001"),
    hex("0001 a114 0001 0000 0000 0000 00 0006 0001"),
  );
  assert.equal(
    error("0001 0100 0001 0000 0000 0001 00 0001 0001 | 00 0029 1000 00 07 8000 0000"),
    hex("0001 8100 0001 0000 0000 0001 00 0001 0001 | 00 0029 04d0 01 00 8000 0000"),
  );
  assert.equal(
    error("0001 0100 0001 0000 0000 0001 00 0001 0001 | 00 0029 1000 00 00 0000 0005 0008 0001 00"),
    hex("0001 8101 0001 0000 0000 0001 00 0001 0001 | 00 0029 04d0 00 00 0000 0000"),
  );
  assert.equal(error("0001 0100 0002 0000 0000 0000"), hex("0001 8101 0000 0000 0000 0000"));
});

const anyRRset = fc.record({
  owner: fc.constantFrom("www", "WWW", "a", "b.a", "ns.sub", "x.y.z"),
  data: fc.array(
    fc.oneof(
      fc.nat(255).map((i) => `A 192.0.2.${i}`),
      fc.nat(9).map((i) => `MX ${i} mail${i}.a`),
      fc.nat(9).map((i) => `NS ns${i}.sub`),
      fc.nat(250).map((length) => `TXT "${"t".repeat(length)}"`),
    ),
    { minLength: 1, maxLength: 12 },
  ),
}).map(({ owner, data }) => {
  const type = data[0]!.split(" ")[0]!;
  return rrset(...data.filter((one) => one.startsWith(type)).map((one) => `${owner} 60 ${one}`));
});

Deno.test("whatever the answer, a reply is within its limit, reads back, and holds its records once and in order", () => {
  const section = fc.array(anyRRset, { maxLength: 5 });
  fc.assert(
    fc.property(
      section,
      section,
      section,
      fc.integer({ min: 0, max: 3000 }),
      (answer, authority, additional, payloadSize) => {
        const query = ask({ edns: { payloadSize, options: [ECS] } });
        const written = respond(query, answerOf({ answer, authority, additional }), {
          ...UDP,
          maxOctets: 2500,
        });
        assert.ok(written.length <= Math.max(512, Math.min(payloadSize, 2500)));
        const message = decodeMessage(written);
        assert.equal(message.edns?.options.length, 1);
        const lines = (rrsets: readonly RRset[]) =>
          rrsets.flatMap((set) => set.rdata.map((rdata) => lineOf({ ...set, name: fold(set.name), rdata })));
        const got = [...message.answer, ...message.authority].map((record) =>
          lineOf({ ...record, name: fold(record.name) })
        );
        const wanted = [...new Set(lines([...answer, ...authority]))];
        assert.deepEqual(got, wanted.slice(0, got.length));
        if (!message.truncated) assert.equal(got.length, wanted.length);
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});
