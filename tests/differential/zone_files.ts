/**
 * Zone files, good and bad, a few lines each; {@linkcode HEADER} stands before those that do not say otherwise.
 *
 * @module
 */

/** A zone file. */
export interface ZoneFileCase {
  readonly text: string;
  /** Other files, by name, beside it. */
  readonly files?: Readonly<Record<string, string>>;
}

const HEADER = "$TTL 300\n@ IN SOA ns hostmaster 1 2h 30m 2w 5m\n IN NS ns\nns IN A 192.0.2.1\n";

const under = (...lines: string[]): ZoneFileCase => ({ text: HEADER + lines.join("\n") + "\n" });

/** Files that are zones. */
export const GOOD: readonly ZoneFileCase[] = [
  under("; nothing but a comment"),
  under("www A 192.0.2.1"),
  under("www IN A 192.0.2.1", "www IN A 192.0.2.2"),
  under("www 60 IN A 192.0.2.1"),
  under("www IN 60 A 192.0.2.1"),
  under("www in 60 a 192.0.2.1"),
  under("www 1h30m A 192.0.2.1"),
  under("www 1W2D3H4M5S A 192.0.2.1"),
  under("www 0 A 192.0.2.1"),
  under("www 2147483647 A 192.0.2.1"),
  under("www CLASS1 TYPE1 \\# 4 C0000201"),
  under("www TYPE65280 \\# 0"),
  under("www TYPE65280 \\# 6 abcd (", " ef01", " 2345 )"),
  under("www MX ( 10", "  mail ; the host", "  )"),
  under("www A 192.0.2.1", " A 192.0.2.2", "\tAAAA 2001:db8::1"),
  under("www A 192.0.2.1", "$ORIGIN sub.example.org.", " A 192.0.2.2", "x A 192.0.2.3", "@ TXT apex-of-sub"),
  under("$ORIGIN sub", "x A 192.0.2.3", "$ORIGIN deeper", "y A 192.0.2.4"),
  under("$TTL 1d", "a A 192.0.2.1", "$TTL 60 ; now shorter", "b A 192.0.2.1"),
  under("www.example.org. A 192.0.2.1"),
  under("WWW A 192.0.2.1", "www A 192.0.2.1"),
  under("a\\.b A 192.0.2.1", "a.b A 192.0.2.2"),
  under("\\097\\098 A 192.0.2.1", "a\\032b A 192.0.2.1", "a\\ c A 192.0.2.1", "\\; A 192.0.2.1"),
  under("\\@ A 192.0.2.1", "\\$x A 192.0.2.1"),
  under(`${"l".repeat(63)} A 192.0.2.1`),
  under(`t TXT "two words" three "" "a;b" ( "in" parentheses )`),
  under('t TXT "quote \\" backslash \\\\ octet \\200 \\007"'),
  under('t TXT un\\"quoted semi\\;colon', 'u TXT "(not" "a)paren"'),
  under(`t TXT "${"x".repeat(255)}" "${"y".repeat(255)}"`),
  under('t TXT "glued""strings"', 'u TXT bare"glued"'),
  under("@ MX 10 mail", "@ MX 0 .", "mail A 192.0.2.1"),
  under("_sip._tcp SRV 0 5 5060 sip", "sip AAAA ::ffff:192.0.2.1"),
  under('@ CAA 0 issue "ca.example; account=1"', '@ CAA 128 tbs ""'),
  under("@ HINFO PC Linux", "@ RP host.example.org. .", "@ LOC 50 6 N 8 40 E 100m"),
  under(
    "svc HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1",
    'svc HTTPS 2 other alpn="h2"',
    "al SVCB 0 x.example.net.",
  ),
  under('4 NAPTR 100 10 u E2U+sip "!^.*$!sip:a@example.org!" .'),
  under("_443._tcp TLSA 3 1 1 0123456789abcdef (", "0123456789abcdef0123456789abcdef0123456789abcdef )"),
  under("host SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789"),
  under('u URI 10 1 "https://example.org/"', "p PTR www.example.org.", "k KX 1 www", "a AFSDB 1 www"),
  under("*.w A 192.0.2.1", "x.*.w A 192.0.2.2", "*.w MX 1 www"),
  under("c CNAME www", "d CNAME .", "e CNAME elsewhere.example.net."),
  under("d DNAME other", "other A 192.0.2.1"),
  under("sub NS ns.sub", "ns.sub A 192.0.2.2", "sub DS 12345 13 2 " + "ab".repeat(32)),
  under("sub NS ns.sub", "ns.sub A 192.0.2.2", "hidden.sub TXT hidden", "sub NS elsewhere.example.net."),
  under("other.example.net. A 192.0.2.1"),
  under("$GENERATE 1-3 host$ A 192.0.2.$"),
  under("$GENERATE 0-10/5 $ PTR host-$.example.org."),
  under("$GENERATE 1-4 h${0,3} A 192.0.2.${10}", "$GENERATE 1-2 h${-1,2,x}-\\$ 60 IN CNAME t$"),
  under('$GENERATE 1-2 m$ MX "10 mail$"', "$GENERATE 30-32 x${0,0,X} AAAA 2001:db8::${0,4,x}"),
  under("$GENERATE 1-2 ${0,7,n} TXT n$"),
  under('x A 192.0.2.1 ; comment ) with ( parentheses " and quote'),
  under("( x A 192.0.2.1 )", "y ( A", ") 192.0.2.1"),
  under("", "   ", "\t; indented comment", "x A 192.0.2.1", "   ", " A 192.0.2.2"),
  under("x 300 IN TXT a\r", "y A 192.0.2.1\r"),
  { text: HEADER + "last A 192.0.2.9" },
  { text: "@ 300 IN SOA ns. h. 1 2 3 4 5\n@ 300 NS ns.\nx A 192.0.2.1\n" },
  { text: "@ IN SOA ns. h. 1 2 3 4 77\n@ NS ns.\nx A 192.0.2.1\n" },
  { text: "$ORIGIN example.org.\n$TTL 1\n@ SOA ns. h. (\n1 ; serial\n2 ;refresh\n3 4 5)\n NS ns.\n" },
  {
    text:
      "$TTL 5\nexample.org. SOA ns. h\\.x.example.org. 4294967295 2147483647 1 1 0\nExample.ORG. NS ns.\n",
  },
  {
    ...under("$INCLUDE more.zone", "after A 192.0.2.3"),
    files: { "more.zone": "in A 192.0.2.2\n A 192.0.2.4\n" },
  },
  {
    ...under("$INCLUDE more.zone sub.example.org.", "after A 192.0.2.3"),
    files: { "more.zone": "in A 192.0.2.2\n$ORIGIN x.example.org.\n@ A 192.0.2.7\n" },
  },
  {
    ...under('$INCLUDE "more.zone" ; twice', "$INCLUDE more.zone b"),
    files: { "more.zone": "in A 192.0.2.2\n" },
  },
];

/** Files that are not. */
export const BAD: readonly ZoneFileCase[] = [
  under("www AAA 192.0.2.1"),
  under("www A"),
  under("www A 192.0.2.1 192.0.2.2"),
  under("www A 192.0.2.256"),
  under("www A 192.0.2"),
  under("www AAAA 2001:db8::g"),
  under("www AAAA 192.0.2.1"),
  under("www MX mail"),
  under("www MX 70000 mail"),
  under("www MX 10"),
  under("www SRV 0 0 0"),
  under("www 1x A 192.0.2.1"),
  under("www 1h30 A 192.0.2.1"),
  under("www 99999999999 A 192.0.2.1"),
  under("www CH A 192.0.2.1"),
  under("www IN IN A 192.0.2.1"),
  under("www 60 60 A 192.0.2.1"),
  under("www"),
  under("www IN"),
  under("www ANY x"),
  under("www AXFR x"),
  under("a..b A 192.0.2.1"),
  under(".a A 192.0.2.1"),
  under(`${"l".repeat(64)} A 192.0.2.1`),
  under(`${Array(5).fill("l".repeat(60)).join(".")} A 192.0.2.1`),
  under("a\\256 A 192.0.2.1"),
  under("www MX ( 10 mail"),
  under("www MX 10 mail )"),
  under('t TXT "open'),
  under(`t TXT "${"x".repeat(256)}"`),
  under("t TXT"),
  under("$TTL"),
  under("$TTL x"),
  under("$ORIGIN"),
  under("$ORIGIN a..b"),
  under("$INCLUDE absent.zone"),
  under("$INCLUDE"),
  under("$NONSENSE 1"),
  under("$GENERATE 1 h$ A 192.0.2.$"),
  under("$GENERATE 3-1 h$ A 192.0.2.$"),
  under("$GENERATE 1-2/0 h$ A 192.0.2.$"),
  under("$GENERATE 255-256 h$ A 192.0.2.$"),
  under("$GENERATE 1-2 h${0,1,q} A 192.0.2.$"),
  under("$GENERATE 1-2 h$ A"),
  under("www TYPE65280 \\# 3 abcd"),
  under("www TYPE65280 \\# 2 abcx"),
  under("www TYPE1 \\# 3 abcdef"),
  under("www TYPE70000 \\# 0"),
  under("c CNAME a", "c CNAME b"),
  under("c CNAME a", "c A 192.0.2.1"),
  under("c TXT first", "c CNAME a"),
  under("d DNAME a", "d DNAME b"),
  under("@ SOA ns h 2 2 2 2 2"),
  under("sub SOA ns h 2 2 2 2 2"),
  under("*.sub NS ns"),
  under("svc HTTPS 1 . nonsense=1"),
  under("@ CAA 256 issue x"),
  under("_443._tcp TLSA 3 1 1 xyz"),
  { text: "$TTL 1\n@ NS ns.\n" },
  { text: "$TTL 1\n@ SOA ns. h. 1 2 3 4 5\n" },
  { text: "$TTL 1\n@ SOA ns. h. 1 2 3 4\n@ NS ns.\n" },
  { text: "$TTL 1\n@ SOA ns. h. 4294967296 2 3 4 5\n@ NS ns.\n" },
  { text: "$TTL 1\n A 192.0.2.1\n@ SOA ns. h. 1 2 3 4 5\n@ NS ns.\n" },
  { text: "@ NS ns.\n@ SOA ns. h. 1 2 3 4 5\n" },
  { text: "" },
  { ...under("$INCLUDE loop.zone"), files: { "loop.zone": "$INCLUDE loop.zone\n" } },
  { ...under("$INCLUDE bad.zone"), files: { "bad.zone": "x A nonsense\n" } },
];

/** Where we judge otherwise than BIND. */
export const DIFFERENT: readonly (ZoneFileCase & { ours: "good" | "bad"; rfc: string; why: string })[] = [
  {
    ...under('t TXT "over', 'two lines"'),
    ours: "good",
    rfc: "RFC 1035 section 5.1",
    why: 'inside quotes "any character can occur", the end of a line too',
  },
  {
    ...under("d DNAME other", "below.d A 192.0.2.1"),
    ours: "bad",
    rfc: "RFC 6672 section 2.4",
    why: "no records may exist below a DNAME; BIND loads and never serves them",
  },
];
