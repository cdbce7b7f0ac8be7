import assert from "node:assert/strict";
import { formatReply, parseHead } from "../../../core/server/http_message.ts";

/** What becomes of a head: the URL where it is taken, with `+` where the connection is kept; else the status. */
function read(...lines: string[]): string | number {
  const asked = parseHead(lines.map((line) => `${line}\r\n`).join("") + "\r\n");
  return asked instanceof Response ? asked.status : `${asked.request.url}${asked.keepsAlive ? " +" : ""}`;
}

Deno.test("parseHead() takes what clients send", () => {
  const host = "Host: 192.0.2.1:8181";
  assert.equal(read("GET /ready HTTP/1.1", host), "http://192.0.2.1:8181/ready +");
  assert.equal(read("HEAD /a%20b?c=d/.. HTTP/1.1", "host:[::1]:1"), "http://[::1]:1/a%20b?c=d/.. +");
  assert.equal(read("", "GET / HTTP/1.1", host), "http://192.0.2.1:8181/ +");
  assert.equal(read("GET // HTTP/1.1", "Host:"), "http://localhost// +");
  assert.equal(read("GET / HTTP/1.1", host, "Connection: x, Close"), "http://192.0.2.1:8181/");
  assert.equal(read("GET / HTTP/1.0"), "http://localhost/");
  assert.equal(read("GET / HTTP/1.0", "Connection: Keep-Alive"), "http://localhost/ +");
  assert.equal(read("GET / HTTP/1.0", "Content-Length: 0"), "http://localhost/");
});

Deno.test("parseHead() refuses what is no request line, and paths that are not what they seem", () => {
  const lines = [
    "",
    "GET",
    "GET /",
    "GET  / HTTP/1.1",
    "GET / HTTP/1.1 ",
    " GET / HTTP/1.1",
    "GET / HTTP/1.2",
    "GET / HTTP/2.0",
    "GET / http/1.1",
    "G(T / HTTP/1.1",
    "GET * HTTP/1.1",
    "GET ready HTTP/1.1",
    "GET http://example.org/ HTTP/1.1",
    "GET /a/../ready HTTP/1.1",
    "GET /%2e%2E/ready HTTP/1.1",
    "GET /. HTTP/1.1",
    "GET /\\ready HTTP/1.1",
    "GET /ready#x HTTP/1.1",
    "GET /% HTTP/1.1",
    "GET /\x00 HTTP/1.1",
    "GET /é HTTP/1.1",
  ];
  for (const line of lines) assert.equal(read(line, "Host: example.org"), 400, line);
});

Deno.test("parseHead() refuses header fields that are none, bodies, and methods that change something", () => {
  const fields: [string, number][] = [
    ["X : y", 400],
    [" x: y", 400],
    ["x", 400],
    ["x: a\rb", 400],
    ["x: a\0b", 400],
    ["Host: example.com", 400],
    ["Transfer-Encoding: chunked", 400],
    ["Content-Length: +1", 400],
    ["Content-Length: ", 400],
    ["Content-Length: 1", 413],
  ];
  for (const [field, status] of fields) {
    assert.equal(read("GET / HTTP/1.1", "Host: example.org", field), status, field);
  }
  assert.equal(read("GET / HTTP/1.1"), 400);
  for (const host of ["a b", "a/b", "user@a", "a:b", "999.1.1.1", "a?"]) {
    assert.equal(read("GET / HTTP/1.1", `Host: ${host}`), 400, host);
  }
  assert.equal(read("GET / HTTP/1.1", "Host: a", "Content-Length: 0", "Content-Length: 0"), 400);
  assert.equal(read("POST / HTTP/1.1", "Host: a"), 405);
  const refused = parseHead("POST / HTTP/1.0\r\n\r\n");
  assert.ok(refused instanceof Response);
  assert.equal(refused.headers.get("allow"), "GET, HEAD");
});

Deno.test("formatReply() tells the length of what it leaves out, and what becomes of the connection", () => {
  const body = new TextEncoder().encode("OK");
  const format = (response: Response, method: string, keepsAlive: boolean) =>
    new TextDecoder().decode(formatReply(response, body, { method, keepsAlive, nowMs: 0 }));
  const date = "date: Thu, 01 Jan 1970 00:00:00 GMT\r\n";
  const type = "content-type: text/plain;charset=UTF-8\r\n";
  assert.equal(
    format(new Response("OK"), "GET", true),
    `HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n${type}${date}\r\nOK`,
  );
  assert.equal(
    format(new Response("OK", { headers: { "content-length": "9", connection: "x" } }), "HEAD", false),
    `HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n${type}${date}\r\n`,
  );
  assert.equal(
    format(new Response(null, { status: 204 }), "GET", true),
    `HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n${date}\r\n`,
  );
});
