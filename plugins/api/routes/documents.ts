/** `/v1/openapi.json`: the interface for programs; `/v1/docs`: the same for people, a page that wants nothing from elsewhere. @module */

import { z } from "@hono/zod-openapi";
import type { App } from "../app.ts";
import { documentOf } from "../openapi.ts";
import { describeRoutes } from "./describe.ts";

const DOCUMENT = "/v1/openapi.json", PAGE = "/v1/docs";

/** The files of the page, by where they are. */
const FILES: Readonly<Record<string, readonly [file: URL, mediaType: string]>> = {
  [PAGE]: [new URL("../page/page.html", import.meta.url), "text/html"],
  [`${PAGE}/page.css`]: [new URL("../page/page.css", import.meta.url), "text/css"],
  [`${PAGE}/page.js`]: [new URL("../page/page.js", import.meta.url), "text/javascript"],
};

/** Where nobody has to show who they are: what is told is what stands in the program. */
export const DOCUMENTS: readonly string[] = ["/", DOCUMENT, ...Object.keys(FILES)];

/**
 * What a browser may do with the page: run our own script and style, and ask this server. Nothing that is told by the
 * interface can become a script.
 */
const POLICY = [
  ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src data:"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join("; ");

const HEADERS = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
};

/** Adds the routes. */
export function addDocumentRoutes(app: App): void {
  let document: string | undefined;
  app.get("/", (context) => context.redirect(PAGE));
  app.get(DOCUMENT, (context) => {
    // Everybody may ask for it: it is made once.
    document ??= JSON.stringify(documentOf(app));
    return context.body(document, 200, { "Content-Type": "application/json" });
  });
  for (const [path, [file, mediaType]] of Object.entries(FILES)) {
    app.get(path, async (context) => {
      const headers = { ...HEADERS, "Content-Type": `${mediaType}; charset=utf-8` };
      return context.body(await Deno.readTextFile(file), 200, headers);
    });
  }
  const about = { method: "get", tag: "documents", isOpen: true } as const;
  describeRoutes(app, z.object({}), [
    { ...about, path: DOCUMENT, summary: "this, for programs", gives: { "application/json": z.any() } },
    { ...about, path: PAGE, summary: "this, for people", gives: { "text/html": z.string() } },
  ]);
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    description: "a token of Meridian's own, a JWT of an issuer that is trusted, or a node's credential",
  });
}
