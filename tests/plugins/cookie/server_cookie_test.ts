import assert from "node:assert/strict";
import { parseAddress } from "../../../core/plugin.ts";
import { judgeServerCookie, makeServerCookie } from "../../../plugins/cookie/server_cookie.ts";

const hex = (text: string) => Uint8Array.fromHex(text);

/** RFC 9018 appendix A: the secrets, and the clients with their cookies. */
const SECRET = hex("e5e973e5a6b2a43f48e7dc849e37bfcf");
const OLD_SECRET = hex("dd3bdf9344b678b185a6f5cb60fca715");
const NEW_SECRET = hex("445536bcd2513298075a5d379663c962");
const CLIENT = { address: parseAddress("198.51.100.100")!, cookie: hex("2464c4abcf10c957") };
const OTHER = { address: parseAddress("203.0.113.203")!, cookie: hex("fc93fc62807ddb86") };
const IPV6 = {
  address: parseAddress("2001:db8:220:1:59de:d0f4:8769:82b8")!,
  cookie: hex("22681ab97d52c298"),
};

Deno.test("makeServerCookie() makes the cookies of RFC 9018 appendix A", () => {
  const cases = [
    ["A.1", SECRET, CLIENT, 1559731985, "010000005cf79f111f8130c3eee29480"],
    ["A.2", SECRET, CLIENT, 1559734385, "010000005cf7a871d4a564a1442aca77"],
    ["A.3", SECRET, OTHER, 1559734700, "010000005cf7a9acf73a7810aca2381e"],
    ["A.4", NEW_SECRET, IPV6, 1559741961, "010000005cf7c609a6bb79d16625507a"],
  ] as const;
  for (const [section, secret, { address, cookie }, now, expected] of cases) {
    assert.equal(makeServerCookie(secret, cookie, address, now).toHex(), expected, section);
  }
});

Deno.test("judgeServerCookie() takes the cookies of RFC 9018 appendix A, and says when one is to be renewed", () => {
  const judge = (
    secrets: readonly Uint8Array[],
    { address, cookie }: typeof CLIENT,
    server: string,
    now: number,
  ) => judgeServerCookie(secrets, cookie, hex(server), address, now);
  // A.1 gave it, 40 minutes before it comes back in A.2.
  const first = "010000005cf79f111f8130c3eee29480";
  assert.equal(judge([SECRET], CLIENT, first, 1559731985), "good");
  assert.equal(judge([SECRET], CLIENT, first, 1559734385), "renew");
  // A.3: reserved octets that are not zero belong to the hash.
  const reserved = "01abcdef5cf78f71a314227b6679ebf5";
  assert.equal(judge([SECRET], OTHER, reserved, 1559727985), "good");
  assert.equal(judge([SECRET], OTHER, reserved, 1559734700), "bad");
  // A.4: made with the secret before, and good while that one is known.
  const rolled = "010000005cf7c57926556bd0934c72f8";
  assert.equal(judge([NEW_SECRET, OLD_SECRET], IPV6, rolled, 1559741961), "renew");
  assert.equal(judge([NEW_SECRET], IPV6, rolled, 1559741961), "bad");
});

Deno.test("judgeServerCookie() takes what is at most an hour old and five minutes ahead", () => {
  const { address, cookie } = CLIENT;
  for (const made of [1_700_000_000, 0x7fffffff, 0xffffffff, 100]) {
    const server = makeServerCookie(SECRET, cookie, address, made);
    const ages = [[-301, "bad"], [-300, "good"], [0, "good"], [1799, "good"], [1800, "renew"]] as const;
    for (const [age, worth] of [...ages, [3600, "renew"], [3601, "bad"]] as const) {
      assert.equal(
        judgeServerCookie([SECRET], cookie, server, address, made + age),
        worth,
        `${made} + ${age}`,
      );
    }
  }
});

Deno.test("judgeServerCookie() refuses what another client was given, another version, and other lengths", () => {
  const server = makeServerCookie(SECRET, CLIENT.cookie, CLIENT.address, 1000);
  const judge = (cookie: Uint8Array, client = CLIENT.cookie, address = CLIENT.address) =>
    judgeServerCookie([SECRET], client, cookie, address, 1000);
  assert.equal(judge(server), "good");
  assert.equal(judge(server, OTHER.cookie), "bad");
  assert.equal(judge(server, CLIENT.cookie, OTHER.address), "bad");
  assert.equal(judge(Uint8Array.from(server, (octet, i) => i === 0 ? 2 : octet)), "bad");
  for (const length of [8, 15, 17, 32]) {
    assert.equal(judge(new Uint8Array([...server, ...server]).slice(0, length)), "bad");
  }
  for (let bit = 0; bit < 128; bit++) {
    const flipped = server.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(judge(flipped), "bad", `bit ${bit}`);
  }
});
