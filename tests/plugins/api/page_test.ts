import assert from "node:assert/strict";
import { listen } from "../../../plugins/api/listen.ts";
import type { ApiConfig } from "../../../plugins/api/parse.ts";
import { embeddedFiles } from "../../../scripts/compile.ts";
import { havePackages } from "../../../scripts/packages.ts";
import { BrowserPage } from "../../support/browser.ts";
import { actorOf, ApiStage } from "./stage.ts";

const CONFIG: ApiConfig = {
  ...{ hostname: "127.0.0.1", port: 0, certificates: [], oidc: [], bodyOctetsMax: 1 << 20 },
  ...{ rate: { perSecond: 1e6, burst: 1e6 }, approvals: "off" },
};

const FILES = ["/v1/docs", "/v1/docs/page.css", "/v1/docs/page.js"];

Deno.test("the page about the interface wants nothing from elsewhere, and nobody's name", async () => {
  await using stage = await ApiStage.open();
  for (const path of FILES) {
    const { status, headers, body } = await stage.ask(undefined, "GET", path);
    assert.equal(status, 200, path);
    const policy = headers.get("content-security-policy")!;
    for (
      const rule of [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
      ]
    ) {
      assert.ok(policy.split("; ").includes(rule), `${path}: ${policy}`);
    }
    assert.doesNotMatch(policy, /unsafe|\*|https?:/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("referrer-policy"), "no-referrer", path);
    assert.doesNotMatch(body, /(https?:)?\/\/[a-z]|@import|url\(/, `${path} names something elsewhere`);
  }
  const files = ["page.html", "page.css", "page.js"].map((name) => `plugins/api/page/${name}`);
  assert.deepEqual(files.filter((file) => !embeddedFiles().includes(file)), [], "the binary lacks a file");
  const { status, headers } = await stage.ask(undefined, "GET", "/");
  assert.deepEqual([status, headers.get("location")], [302, "/v1/docs"]);
});

Deno.test("in a browser the page shows every operation, and sends what its reader fills in", async () => {
  if (!await havePackages(["chromium"])) return;
  await using stage = await ApiStage.open();
  const listening = await listen(CONFIG, (request, caller) => stage.app.fetch(request, caller));
  try {
    const token = await tokenOf(stage);
    await using page = await BrowserPage.open(`http://127.0.0.1:${listening.port}/v1/docs`);
    await page.until(`document.querySelector("main")?.getAttribute("aria-busy") === "false"`);
    assert.deepEqual((await shown(page)).sort(), (await documented(stage)).sort());

    const one = `document.getElementById("getV1NodesId")`;
    const answer = () => page.evaluate<string>(`${one}.querySelector(".answer").textContent`);
    await page.evaluate(`${one}.open = true`);
    await page.until(`${one}.querySelector("input")`);
    await page.evaluate(`{
      const id = ${one}.querySelector("input");
      id.value = "fra1";
      id.dispatchEvent(new Event("input"));
      ${one}.querySelector("button").click();
    }`);
    await page.until(`${one}.querySelector(".answer")?.textContent.endsWith("}")`);
    assert.equal(JSON.parse(await answer()).status, 401);

    await page.evaluate(`document.getElementById("token").value = "${token}"`);
    await page.evaluate(`${one}.querySelector("button").click()`);
    await page.until(`${one}.querySelector(".answer")?.textContent.includes("192.0.2.1")`);
    assert.equal(JSON.parse(await answer()).id, "fra1");
    assert.match(
      await page.evaluate(`${one}.textContent`),
      /curl -H "Authorization: Bearer \$MERIDIAN_TOKEN" http:\/\/127\.0\.0\.1:\d+\/v1\/nodes\/fra1/,
    );
    // The token is where it was typed, and nowhere else.
    assert.deepEqual(
      await page.evaluate(`[localStorage.length, sessionStorage.length, document.cookie, location.search]`),
      [0, 0, "", ""],
    );
    assert.ok(!(await page.evaluate<string>(`document.body.textContent`)).includes(token));
    assert.deepEqual(page.complaints.filter((one) => !/401/.test(one)), []);
  } finally {
    await listening.close();
  }
});

/** A token that may read, of a fleet with one node. */
async function tokenOf(stage: ApiStage): Promise<string> {
  const admin = actorOf("admin"), expires = new Date(Date.now() + 600_000).toISOString();
  const node = { addresses: ["192.0.2.1"], location: { latitude: 50.1, longitude: 8.7 } };
  await stage.ask(admin, "PUT", "/v1/nodes/fra1", node);
  const asked = { name: "page", grants: [{ role: "viewer" }], expires };
  return (await stage.ask(admin, "POST", "/v1/tokens", asked)).body.token;
}

async function documented(stage: ApiStage): Promise<string[]> {
  const { body: { paths } } = await stage.ask(undefined, "GET", "/v1/openapi.json");
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`)
  );
}

function shown(page: BrowserPage): Promise<string[]> {
  return page.evaluate(`Array.from(document.querySelectorAll("details.operation > summary"), (one) =>
    one.querySelector(".method").textContent + " " + one.querySelector(".path").textContent)`);
}
