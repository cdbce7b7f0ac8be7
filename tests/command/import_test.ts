import assert from "node:assert/strict";
import { meridian, withFolder } from "./meridian.ts";

const ZONE = "$TTL 60\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n";

Deno.test("import coredns writes a Corefile that check has nothing against, and says what it left out", async () => {
  const corefile = "example.org:1053 {\n    file db.example.org\n    kubernetes\n    log\n}\n";
  await withFolder({ Corefile: corefile, "db.example.org": ZONE }, async (folder) => {
    const { code, stdout, stderr } = await meridian(folder, "import", "coredns", "Corefile", "-out", "new");
    assert.deepEqual([code, stdout], [1, "new/Corefile\n"]);
    assert.match(stderr, /^WHERE +WHAT +WHY\n/);
    assert.match(stderr, /^Corefile:3:5 +kubernetes +left out +names of a Kubernetes cluster/m);
    const checked = await meridian(folder, "check", "new/Corefile");
    assert.deepEqual([checked.code, checked.stdout], [0, "new/Corefile: no problems\n"]);
    const again = await meridian(folder, "import", "coredns", "Corefile", "-out", "new");
    assert.deepEqual([again.code, again.stdout], [2, ""]);
    assert.match(again.stderr, /^new\/Corefile is there already/);
  });
});

Deno.test("import prints the files without -out, and JSON with -json; 0 when nothing was left out", async () => {
  await withFolder({ Corefile: ". {\n    whoami\n}\n" }, async (folder) => {
    const printed = await meridian(folder, "import", "coredns", "Corefile");
    assert.deepEqual([printed.code, printed.stdout, printed.stderr], [
      0,
      "# ==> Corefile <==\n. {\n    whoami\n}\n\n",
      "",
    ]);
    const json = await meridian(folder, "import", "coredns", "Corefile", "-json");
    assert.deepEqual(JSON.parse(json.stdout), {
      files: [{ path: "Corefile", text: ". {\n    whoami\n}\n" }],
      findings: [],
    });
  });
});

Deno.test("import takes gdnsd's folder or its file, and a zone of geodns", async () => {
  await withFolder({}, async (folder) => {
    await Deno.mkdir(`${folder}/etc/zones`, { recursive: true });
    await Deno.writeTextFile(`${folder}/etc/config`, "options => { dns_port => 1053 }");
    await Deno.writeTextFile(`${folder}/etc/zones/example.org`, ZONE);
    for (const path of ["etc", "etc/config"]) {
      const { code, stdout } = await meridian(folder, "import", "gdnsd", path);
      assert.equal(code, 0);
      assert.match(stdout, /example\.org\.:1053 \{\n {4}errors\n {4}file zones\/example\.org\.zone\n\}/);
    }
    await Deno.writeTextFile(`${folder}/example.org.json`, '{"data":{"":{"ns":["ns.example.net"]}}}');
    const { code, stdout } = await meridian(folder, "import", "geodns", "example.org.json", "-out", ".");
    assert.deepEqual([code, stdout], [0, "Corefile\nzones/example.org.zone\n"]);
  });
});

Deno.test("import says what it cannot read", async () => {
  await withFolder({ config: "a b", "x.json": "[" }, async (folder) => {
    const table: [args: string[], said: RegExp][] = [
      [[], /^import wants a file: import coredns\|formation\|gdnsd\|geodns FILE/],
      [["bind", "named.conf"], /^import cannot read bind; there are coredns, formation, gdnsd, geodns$/m],
      [["gdnds", "config"], /^import cannot read gdnds; did you mean gdnsd\?$/m],
      [["coredns"], /^import wants a file/],
      [["coredns", "none"], /^none:1:1: cannot read none: there is no such file/],
      [["gdnsd", "config"], /^config:1:3: found 'b': wanted '=>' after a/],
      [["geodns", "x.json"], /^x\.json:1:1: it is no JSON/],
    ];
    for (const [args, said] of table) {
      const { code, stderr } = await meridian(folder, "import", ...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(stderr, said);
    }
  });
});
