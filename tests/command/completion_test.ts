import assert from "node:assert/strict";
import { bashScript, fishScript, zshScript } from "../../core/command/completion.ts";
import { allCommands } from "../../core/command/mod.ts";
import { havePackages } from "../../scripts/packages.ts";
import { meridian, withFolder } from "./meridian.ts";

const commands = await allCommands();

/** What bash offers for the last of the words of a command line. */
async function offered(folder: string, line: string): Promise<string[]> {
  const words = line.split(" ");
  const script = `${bashScript(commands)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_meridian
printf '%s\\n' "\${COMPREPLY[@]}"
`;
  const { stdout, stderr } = await new Deno.Command("bash", { args: ["-c", script], cwd: folder }).output();
  assert.equal(new TextDecoder().decode(stderr), "");
  return new TextDecoder().decode(stdout).split("\n").filter((word) => word !== "").sort();
}

const lines: [line: string, offered: string[]][] = [
  ["meridian ch", ["check"]],
  ["meridian pl", ["plugin", "plugins"]],
  ["meridian serve -pi", ["-pidfile"]],
  ["meridian serve -conf C", ["Corefile", "Corefile.new"]],
  ["meridian check C", ["Corefile", "Corefile.new"]],
  ["meridian check -dns.port 53 C", ["Corefile", "Corefile.new"]],
  ["meridian check -dns.port ", []],
  ["meridian check -", Object.keys(commands.check!.flags).map((flag) => `-${flag}`).sort()],
  ["meridian explain www.example.org AAA", ["AAAA"]],
  ["meridian explain www.example.org -client 192.0.2.0/24 CAA", ["CAA"]],
  ["meridian explain www", []],
  ["meridian plugin t", ["test", "types"]],
  ["meridian plugin test z", ["zones"]],
  ["meridian plugin new x -dir z", ["zones"]],
  ["meridian completion ", ["bash", "fish", "zsh"]],
  ["meridian help ver", ["version"]],
  ["meridian nonsense ", []],
];

for (const [line, words] of lines) {
  Deno.test(`bash completes '${line}' with ${words.join(", ") || "nothing"}`, async () => {
    await withFolder({ Corefile: "", "Corefile.new": "", other: "" }, async (folder) => {
      await Deno.mkdir(`${folder}/zones`);
      assert.deepEqual(await offered(folder, line), words);
    });
  });
}

Deno.test("meridian completion prints the script of a shell", async () => {
  await withFolder({}, async (folder) => {
    const { code, stdout } = await meridian(folder, "completion", "bash");
    assert.equal(stdout, bashScript(commands));
    assert.equal(code, 0);
    const wrong = await meridian(folder, "completion", "bsh");
    assert.match(wrong.stderr, /completion wants bash, zsh, fish: got bsh; did you mean bash\?/);
    assert.equal(wrong.code, 2);
  });
});

for (
  const [shell, check, text] of [
    ["zsh", "-n", zshScript(commands)],
    ["fish", "--no-execute", fishScript(commands)],
  ] as const
) {
  Deno.test(`${shell} can read its script`, async () => {
    if (!await havePackages([shell])) return;
    await withFolder({ script: text }, async (folder) => {
      const { code, stderr } = await new Deno.Command(shell, { args: [check, "script"], cwd: folder })
        .output();
      assert.equal(new TextDecoder().decode(stderr), "");
      assert.equal(code, 0);
    });
  });
}

Deno.test("fish completes commands, flags and words", async () => {
  if (!await havePackages(["fish"])) return;
  await withFolder({ script: fishScript(commands) }, async (folder) => {
    for (const [line, word] of [["che", "check"], ["serve -co", "-conf"], ["completion z", "zsh"]]) {
      const { stdout } = await new Deno.Command("fish", {
        args: ["-N", "-c", `source script; complete -C 'meridian ${line}'`],
        cwd: folder,
        env: { HOME: folder },
      }).output();
      assert.equal(new TextDecoder().decode(stdout).split(/[\t\n]/)[0], word);
    }
  });
});
