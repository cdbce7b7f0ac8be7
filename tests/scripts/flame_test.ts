import assert from "node:assert/strict";
import { flameGraph, foldStacks, hottest } from "../../scripts/bench/flame_graph.ts";

const SAMPLES = `worker-3  2465 
	    7f517002e7d7 JS:*'#fill file:///srv/meridian/core/fleet/near_table.ts:48:8 (/tmp/perf-2402.map)
	    7f51700300ef JS:~ file:///srv/meridian/core/fleet/near_table.ts:82:52 (/tmp/perf-2402.map)
	         367f6f4 [unknown] (/usr/lib/deno)
	         367f6f5 [unknown] (/usr/lib/deno)

worker-3  2465 
	    7f517002e7d7 JS:^#fill file:///srv/meridian/core/fleet/near_table.ts:48:8 (/tmp/perf-2402.map)
	    7f51700300ef JS:* file:///srv/meridian/core/fleet/near_table.ts:82:52 (/tmp/perf-2402.map)
	         367f6f4 [unknown] (/usr/lib/deno)

deno  2402 
	ffffffff81b6a332 _copy_to_iter ([kernel.kallsyms])
	          10aa3a recvmmsg+0x1a (/usr/lib/x86_64-linux-gnu/libc.so.6)

`;

Deno.test("foldStacks() tells functions by name and place, whichever compiler made their code", () => {
  assert.deepEqual([...foldStacks(SAMPLES)], [
    ["worker-3;[deno];(anonymous) core/fleet/near_table.ts:82;#fill core/fleet/near_table.ts:48", 2],
    ["deno;recvmmsg;_copy_to_iter [kernel]", 1],
  ]);
});

Deno.test("hottest() counts a function's own samples", () => {
  assert.deepEqual(hottest(foldStacks(SAMPLES), 1), [["#fill core/fleet/near_table.ts:48", 2 / 3]]);
});

Deno.test("flameGraph() draws a box a function, as wide as its share, and escapes names", () => {
  const picture = flameGraph(new Map([["deno;operator<", 3], ["deno;main", 1]]), "a & b");
  assert.match(picture, /<text x="8" y="14">a &amp; b<\/text>/);
  assert.match(
    picture,
    /<title>operator&lt;: 75.00 %, 3 samples<\/title><rect x="400.0" y="-34" width="1200.0"/,
  );
  assert.match(picture, /<title>main: 25.00 %, 1 samples<\/title><rect x="0.0" y="-34" width="400.0"/);
  assert.equal(picture.match(/<title>/g)?.length, 4);
});
