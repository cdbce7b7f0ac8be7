/** What is given back once a start is over. */

import assert from "node:assert/strict";
import { unmapProgram, untouchedRanges } from "../../../core/server/after_start.ts";
import { libC } from "../../../core/server/socket_options.ts";

/** As proc_pid_smaps(5) has it, the figures that matter among others. */
function mapping(head: string, anonymousKiB = 0, residentKiB = 64): string {
  return `${head}
Size:                128 kB
Rss:                  ${residentKiB} kB
Private_Clean:        64 kB
Private_Dirty:         0 kB
Anonymous:            ${anonymousKiB} kB
VmFlags: rd ex mr mw me
`;
}

const PROGRAM = "fe:00 1458188    /usr/bin/server";

Deno.test("untouchedRanges() has what of a file is as the file has it, and can be nothing else", () => {
  const smaps = [
    mapping(`561e63976000-561e65504000 r--p 00000000 ${PROGRAM}`),
    mapping(`561e65504000-561e6577a000 r--p 01b8e000 ${PROGRAM}`, 4),
    mapping(`561e6577a000-561e6946e000 r-xp 01e04000 ${PROGRAM}`, 0, 31_000),
    mapping(`561e6946e000-561e69700000 rw-p 05af8000 ${PROGRAM}`),
    mapping("7ff4e0500000-7ff4e0726000 r-xp 00000000 fe:00 77   /lib/libc.so.6"),
    mapping(`7ff4e0800000-7ff4e0900000 r-xp 00000000 ${PROGRAM} (deleted)`),
    mapping("7ff4e0a00000-7ff4e0b00000 r-xp 00000000 00:00 0"),
  ].join("");
  assert.deepEqual(untouchedRanges(smaps, "/usr/bin/server"), [
    { from: 0x561e63976000n, to: 0x561e65504000n, residentOctets: 65_536 },
    { from: 0x561e6577a000n, to: 0x561e6946e000n, residentOctets: 31_744_000 },
  ]);
});

Deno.test("untouchedRanges() takes nothing that it has no figures of", () => {
  const head = `561e63976000-561e65504000 r--p 00000000 ${PROGRAM}\n`;
  assert.deepEqual(untouchedRanges(head, "/usr/bin/server"), []);
  assert.deepEqual(untouchedRanges("", "/usr/bin/server"), []);
});

Deno.test({
  name: "unmapProgram() ends that most of the program is mapped, and the program goes on",
  ignore: libC() === undefined,
  fn() {
    const before = unmapProgram();
    assert.ok(before > 8 << 20, `${before} octets were mapped`);
    assert.ok(unmapProgram() < before);
    assert.equal(JSON.parse('{"a":[1,2]}').a[1], 2);
  },
});
