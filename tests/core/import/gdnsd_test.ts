import assert from "node:assert/strict";
import { formatRecord } from "../../../core/explain.ts";
import { rcodeToText } from "../../../core/dns/types.ts";
import { importGdnsd } from "../../../core/import/gdnsd.ts";
import { commandPath } from "../../../scripts/packages.ts";
import { askServer, freePort, startServer } from "../../support/server.ts";
import { filesIn, sourceOf, told, withImported } from "./import_fixture.ts";

const FOLDER = "tests/core/import/gdnsd";

/** The example's import, each file by its path. */
function importExample() {
  const imported = importGdnsd(`${FOLDER}/config`, sourceOf(filesIn(FOLDER)));
  return { imported, files: Object.fromEntries(imported.files.map(({ path, text }) => [path, text])) };
}

/** The options of the pool that answers a name. */
function poolOf(corefile: string, name: string): string[] {
  const text = new RegExp(`anycast [^{]*\\b${name}\\. [^{]*\\{([^}]*)\\}`).exec(corefile)?.[1] ?? "";
  return text.trim().split("\n").map((line) => line.trim()).filter((line) => !/^(nodes|select) /.test(line));
}

Deno.test("importGdnsd() makes a pool of each kind of resource", () => {
  const { files } = importExample();
  const anywhere = ["unknown nearest 0 0", "all-down fail-open"];
  const table: Record<string, string[]> = {
    "lb-too.example.com": ["answers 3", "threshold 0.5", ...anywhere],
    "both.example.com": ["answers 2", "threshold 0.3", ...anywhere],
    "pair.example.com": ["answers 1", ...anywhere],
    "balance.example.com": ["answers 1", "ring 0% 1km", "threshold 0.5", ...anywhere],
    "order.example.com": ["answers 1", ...anywhere],
    "app.example.com": ["answers 1", "unknown nearest 38.9 -77", "all-down fail-open"],
    "checked.example.org": ["check web script", "answers 2", "threshold 0.5", ...anywhere],
    "sites.example.org": [
      "check up",
      "answers 2",
      "threshold 0.5",
      "unknown nearest 0 0",
      "all-down pool spare.sites.example.org.",
    ],
  };
  for (const [name, options] of Object.entries(table)) {
    assert.deepEqual(poolOf(files.Corefile!, name), options, name);
  }
});

Deno.test("importGdnsd() places nodes by auto_dc_coords, and pairs the addresses of both families", () => {
  const { files } = importExample();
  const nodes = files["nodes.yaml"]!;
  assert.match(
    nodes,
    /- id: geoip-app-de-01-v4\n +addresses: \["192\.0\.2\.73", "2001:db8::73"\]\n +location: { latitude: 50\.1, longitude: 8\.7 }/,
  );
  assert.match(nodes, /- id: weighted-balance-one\n +addresses: .*\n +location: .*\n +weight: 30\n/);
  assert.ok(nodes.indexOf("simplefo-pairs-1-primary") < nodes.indexOf("simplefo-pairs-3-secondary"));
  assert.equal(files["networks.yaml"]!.split("\n").filter((line) => line.includes("prefix")).length, 2);
});

Deno.test("importGdnsd() keeps the nodes of a resource and of one of its datacenters apart", () => {
  const config = `plugins => { geoip => {
    maps => { m => { datacenters => [eu, us], auto_dc_coords => { eu => [50, 8], us => [39, -77] } } }
    resources => { g => { map => m, dcmap => { eu => [192.0.2.1], us => [192.0.2.2] } } }
  } }`;
  const zone = "@ SOA a b 1 2 3 4 5\n@ NS a.example.net.\nall DYNA geoip!g\none DYNA geoip!g/eu\n";
  const { files } = importGdnsd("g/config", sourceOf({ "g/config": config, "g/zones/example.com": zone }));
  const nodes = files.find(({ path }) => path === "nodes.yaml")!.text;
  const ids = [...nodes.matchAll(/- id: (\S+)\n.*\n.*\n +labels: \{ pool: "(\S+)" \}/g)];
  assert.deepEqual(ids.map(([, id, pool]) => [pool, id]), [
    ["geoip-g", "geoip-g-eu-1"],
    ["geoip-g", "geoip-g-us-1"],
    ["geoip-g-eu", "geoip-g-eu-1-2"],
  ]);
});

Deno.test("importGdnsd() turns service types into checks, and their pace into health's", () => {
  const { files } = importExample();
  const health = /health \{(.*?)\n {4}\}/s.exec(files.Corefile!)![1]!;
  assert.deepEqual(health.trim().split("\n").map((line) => line.trim()), [
    "check web http 8080 /up host www.example.com status 200,204",
    'check script exec /usr/bin/test "{address}" != ""',
    "check up exec /bin/true",
    "interval 8s",
    "timeout 3s",
    "fall 3",
    "rise 5",
    "slow-flap 3 ok 4",
    "confirm off",
    "hold-down off",
    "ramp off",
  ]);
});

Deno.test("importGdnsd() says what it leaves out and what differs", () => {
  const { imported } = importExample();
  const leftOut = told(imported).filter((line) => line.includes(" left out ")).map((line) =>
    line.replace(`${FOLDER}/`, "")
  );
  assert.deepEqual(leftOut.map((line) => line.replace(/: .*/, "")), [
    "plugins.cfg:49:15 left out map by_hand",
    "zones/example.org:6:14 left out metafo!resort/last",
    "zones/example.org:7:13 left out reflect!both",
    "zones/example.org:8:14 left out weighted!names",
  ]);
  const differs = told(imported).filter((line) => line.includes(" differs ")).join("\n");
  for (
    const what of ["TTL 600/300 of resort", "geoip2_db", "dc-eu without coordinates", "map auto: 10.0.0.0/8"]
  ) {
    assert.ok(differs.includes(what), what);
  }
});

Deno.test("importGdnsd() leaves out what refers to itself, is not there, or has no counterpart", () => {
  const zone = (records: string) => `@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a.example.net.\n${records}\n`;
  const table: [plugins: string, record: string, why: RegExp][] = [
    ["", "x DYNA multifo!none", /no such resource/],
    ["", "x DYNA nonsense!none", /nothing like plugin nonsense/],
    ["multifo => { e => { } }", "x DYNA multifo!e", /it has no address/],
    ["static => { a => b.example.net. }", "x DYNA static!a", /DYNA answers with addresses/],
    [
      "metafo => { resources => { a => { datacenters => [ d ], dcmap => { d => !a }, plugin => metafo } } }",
      "x DYNA metafo!a",
      /in a circle/,
    ],
    [
      "weighted => { g => { a => { b = [ 192.0.2.1, 1 ] } } }",
      "x DYNA weighted!g",
      /weights are of addresses/,
    ],
    [
      "weighted => { multi => true, g => { b = [ 192.0.2.1, 1 ] } }",
      "x DYNA weighted!g",
      /each answer has one address/,
    ],
    [
      "multifo => { m => { service_types => s, a => 192.0.2.1 } }",
      "x DYNA multifo!m",
      /nothing here checks as extfile/,
    ],
  ];
  for (const [plugins, record, why] of table) {
    const config = `service_types => { s => { plugin => extfile, file => f } } plugins => { ${plugins} }`;
    const imported = importGdnsd(
      "c/config",
      sourceOf({ "c/config": config, "c/zones/example.org": zone(record) }),
    );
    const leftOut = told(imported).filter((line) => line.includes(" left out "));
    assert.match(leftOut.join("\n"), why, record);
  }
});

Deno.test("what importGdnsd() makes has no problems, and answers as gdnsd does", async () => {
  const gdnsd = await commandPath("gdnsd");
  const folder = await Deno.makeTempDir();
  const port = freePort();
  const files = Object.fromEntries(
    Object.entries(filesIn(FOLDER)).map(([path, text]) => [path.replace(FOLDER, `${folder}/etc`), text]),
  );
  // gdnsd itself wants a database for geoip, which is not free to have.
  const withoutGeoip = (text: string) =>
    text.split("\n").filter((line) => !/geoip!|resort/.test(line)).join("\n");
  const listen = `listen => 127.0.0.1:${port}, run_dir => "${folder}/run", state_dir => "${folder}/state"`;
  for (const [path, text] of Object.entries(files)) {
    const config = path.endsWith("/config") ? text.replace(/listen => .*/, listen) : text;
    files[path] = withoutGeoip(
      path.endsWith("plugins.cfg") ? text.slice(0, text.indexOf("geoip => {")) : config,
    );
  }
  for (const name of ["etc/zones/inc", "run", "state"]) {
    await Deno.mkdir(`${folder}/${name}`, { recursive: true });
  }
  for (const [path, text] of Object.entries(files)) await Deno.writeTextFile(path, text);
  const imported = importGdnsd(`${folder}/etc/config`, sourceOf(files));
  const daemon = gdnsd === undefined ? undefined : new Deno.Command(gdnsd, {
    args: ["-c", `${folder}/etc`, "start"],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await withImported(imported, async (made) => {
      const ours = freePort();
      const corefile = Deno.readTextFileSync(`${made}/Corefile`).replaceAll(`:5353`, `:${ours}`).replaceAll(
        `:${port}`,
        `:${ours}`,
      );
      const test = await startServer(corefile, { file: `${made}/Corefile` });
      try {
        for (const [name, type, expected] of QUESTIONS) {
          assert.equal(await answerOf(ours, name, type), expected, `ours: ${name} ${type}`);
          if (daemon) assert.equal(await answerWhenUp(port, name, type), expected, `gdnsd: ${name} ${type}`);
        }
      } finally {
        await test.close();
      }
    });
  } finally {
    daemon?.kill("SIGTERM");
    await daemon?.status;
    await Deno.remove(folder, { recursive: true });
  }
});

type Type = "A" | "AAAA" | "TXT" | "MX" | "CNAME" | "SOA";

/** Answers without their TTLs where gdnsd's and ours come from the state of checks. */
const QUESTIONS: [name: string, type: Type, answer: string][] = [
  ["fixed.example.com", "A", "NOERROR fixed.example.com. IN A 192.0.2.10"],
  ["fixed.example.com", "AAAA", "NOERROR"],
  ["fixed6.example.com", "AAAA", "NOERROR fixed6.example.com. IN AAAA 2001:db8::10"],
  ["alias.example.com", "A", "NOERROR alias.example.com. IN CNAME www.example.net."],
  ["zeros.example.com", "A", "NOERROR zeros.example.com. IN A 0.0.0.0"],
  ["zeros.example.com", "AAAA", "NOERROR zeros.example.com. IN AAAA ::"],
  [
    "lb.example.com",
    "A",
    "NOERROR lb.example.com. IN A 192.0.2.1 | lb.example.com. IN A 192.0.2.2 | lb.example.com. IN A 192.0.2.3",
  ],
  ["lb.example.com", "AAAA", "NOERROR"],
  ["lb.example.com", "TXT", 'NOERROR lb.example.com. IN TXT "beside a pool"'],
  ["both.example.com", "A", "NOERROR both.example.com. IN A 192.0.2.21 | both.example.com. IN A 192.0.2.22"],
  [
    "both.example.com",
    "AAAA",
    "NOERROR both.example.com. IN AAAA 2001:db8::21 | both.example.com. IN AAAA 2001:db8::22",
  ],
  ["pair.example.com", "A", "NOERROR pair.example.com. IN A 192.0.2.31"],
  ["pairs.example.com", "A", "NOERROR pairs.example.com. IN A 192.0.2.33"],
  ["pairs.example.com", "AAAA", "NOERROR pairs.example.com. IN AAAA 2001:db8::33"],
  ["order.example.com", "A", "NOERROR order.example.com. IN A 192.0.2.51"],
  [
    "spare.example.com",
    "A",
    "NOERROR spare.example.com. IN A 192.0.2.63 | spare.example.com. IN A 192.0.2.64",
  ],
  [
    "sites.example.org",
    "A",
    "NOERROR sites.example.org. IN A 192.0.2.61 | sites.example.org. IN A 192.0.2.62",
  ],
  [
    "checked.example.org",
    "A",
    "NOERROR checked.example.org. IN A 127.0.0.41 | checked.example.org. IN A 127.0.0.42",
  ],
  ["dyn.sub.example.com", "A", "NOERROR dyn.sub.example.com. IN A 192.0.2.53"],
  ["inner.sub.example.com", "A", "NOERROR inner.sub.example.com. IN A 192.0.2.92"],
  ["top.sub.example.com", "A", "NOERROR top.sub.example.com. IN A 192.0.2.93"],
  ["abs.example.com", "A", "NOERROR abs.example.com. IN A 192.0.2.91"],
  ["example.com", "MX", "NOERROR example.com. IN MX 10 mail.example.com."],
  ["none.example.com", "A", "NXDOMAIN"],
  ["sub.example.com", "A", "NOERROR"],
];

/** RCODE and records, without TTLs, in order. */
async function answerOf(port: number, name: string, type: Type, timeoutMs = 20_000): Promise<string> {
  const { rcode, answer } = await askServer(port, name, type, { timeoutMs });
  const records = answer.map((record) => formatRecord(record).replace(/ \d+ IN/, " IN")).sort();
  return [rcodeToText(rcode), records.join(" | ")].filter((part) => part !== "").join(" ");
}

/** The same of a server that may still be on its way up. */
async function answerWhenUp(port: number, name: string, type: Type): Promise<string> {
  for (let tries = 0;; tries++) {
    try {
      return await answerOf(port, name, type, 200);
    } catch (error) {
      if (tries === 300) throw error;
    }
  }
}
