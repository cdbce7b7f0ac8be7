import assert from "node:assert/strict";
import { Problems } from "../../../core/plugin.ts";
import timeouts from "../../../plugins/timeouts/mod.ts";
import { directivesOf } from "../../support/directives.ts";
import { parseScopeOf } from "../../support/scopes.ts";

function read(text: string) {
  const problems = new Problems();
  const config = problems.attempt(() => timeouts.parse(directivesOf(text), parseScopeOf({ problems })));
  return {
    limits: config && timeouts.limits(config),
    errors: problems.errors.map(({ message, at }) => `${at.line}:${at.column} ${message}`),
  };
}

Deno.test("timeouts sets what it names, and nothing else", () => {
  assert.deepEqual(read("timeouts {\n read 3s\n write 5s\n idle 1m\n maxtcpqueries 128\n}"), {
    limits: { readMs: 3000, writeMs: 5000, idleMs: 60_000, queriesMax: 128 },
    errors: [],
  });
  assert.deepEqual(
    read("timeouts {\n maxtcpqueries -1\n maxtcpperaddress -1\n maxtcpconnections 10\n maxtcppernetwork 5\n}")
      .limits,
    {
      queriesMax: Infinity,
      connectionsPerAddressMax: Infinity,
      connectionsMax: 10,
      connectionsPerNetworkMax: 5,
    },
  );
});

Deno.test("timeouts wants durations of a second to a day, numbers from 1, and something to set", () => {
  const [empty, extra, ...wrong] = [
    read("timeouts").errors,
    read("timeouts 3s {\n read 1s\n}").errors,
    read("timeouts {\n read 999ms\n}").errors,
    read("timeouts {\n idle 25h\n}").errors,
    read("timeouts {\n maxtcpqueries 0\n}").errors,
    read("timeouts {\n maxtcpqueries many\n}").errors,
    read("timeouts {\n maxtcpconnections -1\n}").errors,
    read("timeouts {\n reed 1s\n}").errors,
  ];
  assert.match(empty![0]!, /^2:1 timeouts: wants a block that sets one of read, write, idle, maxtcpqueries/);
  assert.match(extra![0]!, /^2:10 /);
  const wanted = [
    /^3:7 read: DURATION must be from 1s to 24h: got '999ms'$/,
    /^3:7 idle: DURATION must be from 1s to 24h: got '25h'$/,
    /^3:16 maxtcpqueries: MAXIMUM must be a whole number from 1 on, or -1 for no limit: got '0'$/,
    /^3:16 maxtcpqueries: .*got 'many'$/,
    /^3:20 maxtcpconnections: MAXIMUM must have a limit: got '-1'/,
    /^3:2 timeouts: unknown property 'reed'; did you mean 'read'\?$/,
  ];
  for (const [i, pattern] of wanted.entries()) assert.match(wrong[i]![0]!, pattern);
});
