import assert from "node:assert/strict";
import { parseHostPort } from "../../../core/net/host_port.ts";

const cases: Record<string, { host: string; port: number } | undefined> = {
  ":9153": { host: "", port: 9153 },
  "localhost:0": { host: "localhost", port: 0 },
  "192.0.2.1:65535": { host: "192.0.2.1", port: 65535 },
  "[2001:db8::1]:53": { host: "2001:db8::1", port: 53 },
  "9153": undefined,
  "localhost": undefined,
  "localhost:": undefined,
  "localhost:65536": undefined,
  "localhost:http": undefined,
  "2001:db8::1:53": undefined,
  "[localhost]:53": undefined,
  "http://localhost:53": undefined,
  "local host:53": undefined,
};

for (const [text, wanted] of Object.entries(cases)) {
  Deno.test(`parseHostPort() ${wanted ? "reads" : "does not read"} '${text}'`, () => {
    assert.deepEqual(parseHostPort(text), wanted);
  });
}
