import assert from "node:assert/strict";
import { parseCorefile } from "../../../core/corefile/parser.ts";
import { refusedPrograms } from "../../../core/management/allowed_programs.ts";
import { Configurations, VERSION_OCTETS_MAX } from "../../../core/management/configuration.ts";
import { reportSeen, wantedVersion } from "../../../core/management/rollout.ts";
import { ANNA, emptyWorld, faultsIn, problemIn } from "./support.ts";

const COREFILE = "example.org {\n    whoami\n}\n";

function configured() {
  const world = emptyWorld();
  const configurations = new Configurations(world, ({ corefile }) => {
    const errors = corefile.includes("broken")
      ? [{ pointer: "/corefile", detail: "Corefile:1:1: broken" }]
      : [];
    return Promise.resolve({ errors, warnings: corefile.includes("odd") ? ["it is odd"] : [] });
  });
  const propose = (corefile: string, files = {}) => configurations.propose({ corefile, files }, ANNA);
  const seen = (server: string, number: number, state: "running" | "refused" = "running") =>
    reportSeen(world, server, {
      ...{ number, digest: "d", state, runs: state === "running" ? number : 0 },
      ...state === "refused" && { reason: "port 53 is in use" },
    });
  return { world, configurations, propose, seen };
}

Deno.test("versions are numbered, and listed with the newest first", async () => {
  const { world, configurations, propose } = configured();
  for (const name of ["a", "b", "odd"]) await propose(`${COREFILE}# ${name}`);
  const { items, next } = await configurations.history({ limit: 2 });
  assert.deepEqual(items.map(({ number, warnings }) => [number, warnings]), [[3, ["it is odd"]], [2, []]]);
  assert.deepEqual((await configurations.history({ cursor: next! })).items.map(({ number }) => number), [1]);
  assert.equal((await configurations.get(2)).corefile, `${COREFILE}# b`);
  const [record] = await world.audit();
  assert.equal(JSON.stringify(record).includes("whoami"), false);
  assert.equal((await problemIn(() => configurations.get(4))).status, 404);
});

Deno.test("equal versions have equal digests", async () => {
  const { propose, configurations } = configured();
  const [a, b] = [
    await propose(COREFILE, { "a.zone": "1", "b.zone": "2" }),
    await propose(COREFILE, { "b.zone": "2", "a.zone": "1" }),
  ];
  assert.equal(a.value!.digest, b.value!.digest);
  assert.deepEqual(a.value!.files, ["a.zone", "b.zone"]);
  assert.notEqual((await configurations.validate({ corefile: `${COREFILE} ` })).digest, a.value!.digest);
});

Deno.test("what is wrong is told, and not kept", async () => {
  const { world, propose } = configured();
  assert.deepEqual(await faultsIn(() => propose("broken")), ["/corefile"]);
  assert.deepEqual(
    await faultsIn(() =>
      propose(COREFILE, { "../x": "", "/etc/passwd": "", "a//b": "", ".x": "", "zones/ok": "" })
    ),
    ["/files/..~1x", "/files/~1etc~1passwd", "/files/a~1~1b", "/files/.x"],
  );
  assert.equal((await problemIn(() => propose("#".repeat(VERSION_OCTETS_MAX)))).status, 413);
  assert.equal(world.store.revision, 0);
});

Deno.test("the largest version fits into a transaction, its record and its answer beside it", async () => {
  const { configurations } = configured();
  const corefile = "#".repeat(VERSION_OCTETS_MAX - 40);
  const { status } = await configurations.propose({ corefile }, { ...ANNA, idempotencyKey: "k" });
  assert.equal(status, 201);
});

Deno.test("two that propose at once get two numbers", async () => {
  const { propose } = configured();
  const both = await Promise.all([propose(`${COREFILE}# a`), propose(`${COREFILE}# b`)]);
  assert.deepEqual(both.map(({ value }) => value!.number).sort(), [1, 2]);
});

Deno.test("a diff is of every file, those that came and went among them", async () => {
  const { configurations, propose } = configured();
  await propose(COREFILE, { "a.zone": "a\n", "b.zone": "b\n" });
  await propose(COREFILE.replace("whoami", "log"), { "b.zone": "b\n", "c.zone": "c\n" });
  const heads = (await configurations.diff(1, 2)).match(/^(---|\+\+\+) .*$/gm);
  assert.deepEqual(heads, [
    ...["--- a/Corefile", "+++ b/Corefile"],
    ...["--- a/a.zone", "+++ /dev/null"],
    ...["--- /dev/null", "+++ b/c.zone"],
  ]);
  assert.match(await configurations.diff(0, 1), /^--- \/dev\/null\n\+\+\+ b\/Corefile/);
});

Deno.test("one server tries a version, then all run it; the rest run what they ran until then", async () => {
  const { configurations, propose, seen } = configured();
  for (const name of ["a", "b"]) await propose(`${COREFILE}# ${name}`);
  await configurations.apply(1, {}, ANNA);
  await configurations.apply(2, { servers: ["fra"] }, ANNA);
  const { current, stage } = await configurations.rollout();
  assert.deepEqual(["fra", "waw"].map((server) => wantedVersion(server, current, stage)), [2, 1]);
  assert.match((await problemIn(() => configurations.apply(2, {}, ANNA))).detail, /fra has not told yet/);
  await seen("fra", 2, "refused");
  assert.match((await problemIn(() => configurations.apply(2, {}, ANNA))).detail, /port 53 is in use/);
  assert.deepEqual((await configurations.rollout()).refused, { fra: "port 53 is in use" });
  await seen("fra", 2);
  await configurations.apply(2, {}, ANNA);
  const after = await configurations.rollout();
  assert.deepEqual([after.current!.number, after.current!.previous, after.stage, after.refused], [
    2,
    1,
    undefined,
    {},
  ]);
});

Deno.test("a trial that fails can be acknowledged, or ended by one rollback", async () => {
  const { configurations, propose, seen } = configured();
  for (const name of ["a", "b"]) await propose(`${COREFILE}# ${name}`);
  await configurations.apply(1, {}, ANNA);
  await configurations.apply(2, { servers: ["fra"] }, ANNA);
  await seen("fra", 2, "refused");
  await configurations.rollback(ANNA);
  const { current, stage } = await configurations.rollout();
  assert.deepEqual([current!.number, stage], [1, undefined]);
  await configurations.apply(2, { servers: ["fra"] }, ANNA);
  assert.equal((await configurations.apply(2, { acknowledged: true }, ANNA)).value!.number, 2);
});

Deno.test("a rollback leads to what all ran before; from there it leads forth again", async () => {
  const { world, configurations, propose } = configured();
  for (const name of ["a", "b"]) await propose(`${COREFILE}# ${name}`);
  assert.equal((await problemIn(() => configurations.rollback(ANNA))).status, 409);
  await configurations.apply(1, {}, ANNA);
  await configurations.apply(2, {}, ANNA);
  await configurations.apply(2, {}, ANNA);
  assert.equal((await configurations.rollback(ANNA)).value!.number, 1);
  assert.equal((await configurations.rollback(ANNA)).value!.number, 2);
  const last = (await world.audit()).at(-1)!;
  assert.deepEqual([last.action, (last.before as { number: number }).number], ["configuration.rollback", 1]);
});

Deno.test("who applies what somebody else has changed meanwhile is told", async () => {
  const { configurations, propose } = configured();
  for (const name of ["a", "b"]) await propose(`${COREFILE}# ${name}`);
  const { etag } = await configurations.apply(1, {}, ANNA);
  await configurations.apply(2, {}, { actor: "token:bert" });
  const { status, changed } = await problemIn(() => configurations.apply(1, {}, { ...ANNA, ifMatch: etag! }));
  assert.deepEqual([status, changed!.actor], [412, "token:bert"]);
});

Deno.test("what a server tells again is no news", async () => {
  const { world, seen } = configured();
  await seen("fra", 2);
  await seen("fra", 2);
  assert.equal((await world.audit()).length, 1);
});

function refusedIn(text: string, allowed: readonly string[] = []): string[] {
  const { corefile, problems } = parseCorefile(text, {
    ...{ file: "Corefile", env: () => undefined, read: () => undefined, list: () => undefined },
  });
  assert.deepEqual(problems.errors, []);
  return refusedPrograms(corefile, allowed).map(({ at, message }) =>
    `${at.line}:${at.column} ${message.split(":")[0]}`
  );
}

Deno.test("programs and plugins of a distributed configuration run only where the disk lists them", () => {
  const text = `{
    plugin /opt/mine.ts before anycast
}
example.org {
    health {
        check exec /usr/bin/probe -4
        check web exec /usr/bin/other
        check tcp 443
    }
}
`;
  assert.deepEqual(refusedIn(text), ["2:12 plugin", "6:20 exec", "7:24 exec"]);
  assert.deepEqual(refusedIn(text, ["/opt/mine.ts", "/usr/bin/probe"]), ["7:24 exec"]);
  assert.deepEqual(refusedIn(text, ["/opt/mine.ts", "/usr/bin/probe", "/usr/bin/other"]), []);
});

Deno.test("no way of writing a path gets round the list", () => {
  const allowed = ["/usr/bin/probe", "./probe", "/usr/bin"];
  const check = (line: string) =>
    refusedIn(`example.org {\n    health {\n        ${line}\n    }\n}\n`, allowed);
  for (
    const line of [
      "check exec ./probe",
      "check exec /usr/bin/../bin/probe",
      "check exec /usr/bin//probe",
      "check exec /usr/bin/probe2",
      'check "exec" /bin/sh',
      "check a exec /bin/sh -c id",
    ]
  ) {
    assert.equal(check(line).length, 1, line);
  }
  assert.deepEqual(check('check a "exec" "/usr/bin/probe"'), []);
  assert.deepEqual(refusedIn("{\n    plugin data:text/javascript,1\n}\n", allowed), ["2:12 plugin"]);
});

Deno.test("a distributed configuration cannot allow itself anything, by a snippet neither", () => {
  assert.deepEqual(refusedIn("{\n    allow-exec /bin/sh\n}\n"), ["2:5 allow-exec"]);
  const snippet =
    "(evil) {\n    health {\n        check exec /bin/sh\n    }\n}\nexample.org {\n    import evil\n}\n";
  assert.equal(refusedIn(snippet).length, 1);
});
