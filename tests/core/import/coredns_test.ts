import assert from "node:assert/strict";
import { importCoreDns } from "../../../core/import/coredns.ts";
import { ImportError } from "../../../core/import/imported.ts";
import { sourceOf, told } from "./import_fixture.ts";

const modules = [
  { name: "file", options: { reload: {}, fallthrough: {} } },
  { name: "auto", options: { directory: {}, reload: {} } },
  { name: "hosts", options: { ttl: {} } },
  { name: "geo", aliases: ["geoip"], options: { ecs: {} } },
  { name: "prometheus", options: { runtime_metrics: {} } },
  ...["whoami", "log", "errors", "cache", "root"].map((name) => ({ name, options: {} })),
];

/** The new text of a Corefile, and what is said of it. */
function converted(text: string, dataFolder?: string) {
  const imported = importCoreDns("Corefile", sourceOf({ Corefile: text }), {
    modules,
    ...dataFolder && { dataFolder },
  });
  return { text: imported.files[0]!.text, said: told(imported) };
}

Deno.test("importCoreDns() leaves what is here as it is, to the last blank", () => {
  const text =
    "# home\n(snip) {\n\tlog   # all\n}\n\n. {\n    import snip\n    whoami\n    hosts {\n        192.0.2.1 a\n        ::1 b\n    }\n}\n";
  assert.deepEqual(converted(text), { text, said: [] });
});

Deno.test("importCoreDns() makes a comment of what is not here, with the reason", () => {
  const { text, said } = converted(`. {
    whoami
    kubernetes cluster.local {
        pods insecure

        ttl 30
    }
    nonsense 1 2
    file db.example.org {
        reload 30s
        transfer to *
    }
}
`);
  const why =
    "names of a Kubernetes cluster come from its API, which nothing here asks: forward them to CoreDNS";
  assert.equal(
    text,
    `. {
    whoami
    # left out: kubernetes: ${why}
    # kubernetes cluster.local {
        # pods insecure

        # ttl 30
    # }
    # left out: nonsense: there is no plugin of that name here
    # nonsense 1 2
    file db.example.org {
        reload 30s
        # left out: file: transfer: file has no such option here
        # transfer to *
    }
}
`,
  );
  assert.deepEqual(
    said.filter((line) => line.includes("left out")).map((line) => line.replace(/:[^:]*$/, "")).sort(),
    [
      "Corefile:11:9 left out file: transfer",
      "Corefile:3:5 left out kubernetes: names of a Kubernetes cluster come from its API, which nothing here asks",
      "Corefile:8:5 left out nonsense",
    ],
  );
});

Deno.test("importCoreDns() takes out blocks for transports that are not served", () => {
  const { text, said } = converted(
    "tls://example.org example.net {\n    whoami\n}\ndns://example.com {\n    whoami\n}\n",
  );
  assert.match(text, /^# left out: key tls:\/\/example\.org: .*\n# tls:.*\n {4}# whoami\n# }\ndns:/);
  assert.equal(said.length, 1);
});

Deno.test("importCoreDns() reads a Corefile without braces, keys over several lines, and one-line blocks", () => {
  assert.match(
    converted(".\nwhoami\nnonsense\n").text,
    /^\.\nwhoami\n# left out: nonsense: .*\n# nonsense\n$/,
  );
  assert.match(
    converted("a,\nb {\n  nonsense { x }\n  whoami\n}\n").text,
    /^a,\nb {\n {2}# left out.*\n {2}# nonsense { x }\n {2}whoami\n}\n$/,
  );
  assert.match(converted("a\n{\n  nonsense\n}\n").text, /^a\n{\n {2}# left out.*\n {2}# nonsense\n}\n$/);
});

Deno.test("importCoreDns() says what is here and not the same", () => {
  const said = (text: string) => converted(`. {\n${text}\n}\n`).said.join("\n");
  assert.match(said("cache"), /differs cache: TTLs below 5 s stay as they are/);
  assert.match(said("hosts {\n192.0.2.1 *.a\n}"), /differs hosts: a wildcard/);
  assert.doesNotMatch(said("hosts {\n192.0.2.1 a\n}"), /differs/);
  assert.match(said("geoip x.mmdb"), /differs geoip: ECS is taken too/);
  assert.match(
    said("prometheus {\ntls a b\n}"),
    /left out prometheus: tls: metrics are served over plain HTTP/,
  );
});

Deno.test("importCoreDns() lets data files be where they are when the Corefile moves", () => {
  const { text } = converted(
    "a {\n  file db.a a.\n  hosts\n  auto {\n    directory zones\n  }\n}\nb {\n  root data\n  file db.b\n}\nc {\n  file /abs\n  file {$DB}\n}\n",
    "/etc/coredns",
  );
  assert.equal(
    text,
    "a {\n  file /etc/coredns/db.a a.\n  hosts\n  auto {\n    directory /etc/coredns/zones\n  }\n}\n" +
      "b {\n  root /etc/coredns/data\n  file db.b\n}\nc {\n  file /abs\n  file {$DB}\n}\n",
  );
});

Deno.test("importCoreDns() follows imports of files", () => {
  const files = {
    "etc/Corefile":
      "(s) {\n  errors\n}\n. {\n  import s\n  import common\n  import conf/*.inc\n}\nimport more\n",
    "etc/common": "log\nnonsense\n",
    "etc/conf/a.inc": "whoami\n",
    "etc/more": "a {\n  nonsense\n}\n",
  };
  const { files: made } = importCoreDns("etc/Corefile", sourceOf(files), { modules });
  assert.deepEqual(made.map(({ path }) => path), ["Corefile", "common", "conf/a.inc", "more"]);
  assert.match(made[1]!.text, /^log\n# left out: nonsense: .*\n# nonsense\n$/);
  assert.match(made[3]!.text, /^a \{\n {2}# left out: .*\n {2}# nonsense\n\}\n$/);
  assert.throws(() => importCoreDns("none", sourceOf({}), { modules }), ImportError);
});
