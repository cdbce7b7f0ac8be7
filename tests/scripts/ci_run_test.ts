import assert from "node:assert/strict";

/** Runs `.ci/run` where every `npx --yes deno@… ARGS` is `fake`, a shell script's body. */
async function run(fake: string): Promise<{ code: number; last: string; output: string }> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${folder}/.ci`);
    await Deno.copyFile(".ci/run", `${folder}/.ci/run`);
    await Deno.writeTextFile(`${folder}/npx`, `#!/bin/sh\nshift 2\n${fake}\n`, { mode: 0o755 });
    const command = new Deno.Command("bash", {
      args: [`${folder}/.ci/run`],
      env: { PATH: `${folder}:${Deno.env.get("PATH")}` },
    });
    const { code, stdout } = await command.output();
    const output = new TextDecoder().decode(stdout);
    return { code, last: output.trimEnd().split("\n").at(-1)!, output };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A fake whose `task test` prints `summary` and ends with `code`, and whose command `failing` fails. */
function deno(summary: string, code = 0, failing = "none"): string {
  return `[ "$*" = "${failing}" ] && exit 1
[ "$*" = "task test" ] || exit 0
printf '%s\\n' '${summary}'
exit ${code}`;
}

const outcomes: [title: string, fake: string, code: number, last: string][] = [
  ["all is well", deno("ok | 12 passed | 0 failed (3s)"), 0, "15 passed, 0 failed"],
  [
    "steps and ignored tests are not counted",
    deno("ok | 12 passed (7 steps) | 0 failed | 3 ignored (3s)"),
    0,
    "15 passed, 0 failed",
  ],
  ["a test fails", deno("FAILED | 12 passed | 2 failed (3s)", 1), 1, "15 passed, 2 failed"],
  [
    "a test's output looks like the summary",
    deno("ok | 99 passed | 0 failed (1s)\nok | 12 passed | 0 failed (3s)"),
    0,
    "15 passed, 0 failed",
  ],
  ["the tests do not even begin", deno("error: Type checking failed.", 1), 1, "3 passed, 1 failed"],
  [
    "the tests break off after a good count",
    deno("ok | 12 passed | 0 failed (3s)", 1),
    1,
    "15 passed, 1 failed",
  ],
  ["a check fails", deno("ok | 12 passed | 0 failed (3s)", 0, "task ok"), 1, "14 passed, 1 failed"],
  ["nothing can be run at all", "exit 127", 1, "0 passed, 4 failed"],
];

/**
 * A fake whose `task test` fails in these places, of which `again` tells what a second run came to. Besides `more` failed of which
 * nothing is told, and the tests of `broken` were cancelled by an error of none of them.
 */
function failing(
  places: readonly string[],
  again: string,
  { more = 0, broken }: { more?: number; broken?: { file: string; tests: number } } = {},
): string {
  const listed = [
    ...broken ? [`${broken.file} (uncaught error)`] : [],
    ...places.map((at) => `a test => ${at}`),
  ];
  const cancelled = Array(broken?.tests ?? 0).fill(`${broken?.file} => a test ... cancelled (0ms)`);
  const count = listed.length + cancelled.length + more;
  const lines = [
    ...cancelled,
    ...listed,
    " FAILURES ",
    "",
    ...listed,
    "",
    `FAILED | 12 passed | ${count} failed (3s)`,
  ];
  return `case "$*" in
"task test") printf '%s\\n' ${lines.map((line) => `'${line}'`).join(" ")}; exit 1;;
"test "*) echo "again: $*"; printf '%s\\n' '${again}'; case '${again}' in ok*) exit 0;; *) exit 1;; esac;;
esac`;
}

const places = ["./tests/a_test.ts:1:6", "./tests/b_test.ts:12:6"];
outcomes.push(
  [
    "what failed passes by itself",
    failing(places, "ok | 5 passed | 0 failed (1s)"),
    0,
    "17 passed, 0 failed",
  ],
  [
    "one of two that failed fails again",
    failing(places, "FAILED | 4 passed | 1 failed (1s)"),
    1,
    "16 passed, 1 failed",
  ],
  ["both fail again", failing(places, "FAILED | 3 passed | 2 failed (1s)"), 1, "15 passed, 2 failed"],
  [
    "more fail by themselves than did",
    failing(places, "FAILED | 0 passed | 5 failed (1s)"),
    1,
    "15 passed, 2 failed",
  ],
  ["the second run does not even begin", failing(places, "error: no"), 1, "15 passed, 2 failed"],
  [
    "the second run breaks off after a good count",
    failing(places, "broken off\nok | 5 passed | 0 failed (1s)"),
    1,
    "15 passed, 2 failed",
  ],
  [
    "something failed that is no test",
    failing(places, "ok | 5 passed | 0 failed (1s)", { more: 1 }),
    1,
    "15 passed, 3 failed",
  ],
  [
    "a file ended by an error of no test passes by itself",
    failing(["./tests/a_test.ts:1:6"], "ok | 9 passed | 0 failed (1s)", {
      broken: { file: "./tests/b_test.ts", tests: 2 },
    }),
    0,
    "18 passed, 0 failed",
  ],
  [
    "more files failed than chance explains",
    failing([..."abcd"].map((one) => `./tests/${one}_test.ts:1:6`), "ok | 5 passed | 0 failed (1s)"),
    1,
    "15 passed, 4 failed",
  ],
);

Deno.test(".ci/run names what passed in a second run alone", async () => {
  const { output } = await run(failing(places, "FAILED | 4 passed | 1 failed (1s)"));
  assert.match(output, /^again: test -A --no-check \.\/tests\/a_test\.ts \.\/tests\/b_test\.ts$/m);
  assert.match(
    output,
    /^== 1 of 2 that failed passed .*: \.\/tests\/a_test\.ts \.\/tests\/b_test\.ts$/m,
  );
});

for (const [title, fake, code, last] of outcomes) {
  Deno.test(`.ci/run counts and says so when ${title}`, async () => {
    const result = await run(fake);
    assert.deepEqual([result.code, result.last], [code, last], result.output);
  });
}

Deno.test(".ci/run asks for what the README says", async () => {
  const { output } = await run('echo "ran: $*"');
  assert.match(output, /^ran: eval .*ensurePackages.* nsd knot .* glpk-utils$/m);
  assert.match(output, /^ran: task test$/m);
  assert.match(output, /^ran: task ok$/m);
});
