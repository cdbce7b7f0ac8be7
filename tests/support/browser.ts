/**
 * A browser without a window: Debian's chromium, told what to do through its DevTools protocol. It reaches nothing but
 * loopback.
 *
 * @module
 */

import { until } from "./until.ts";

/** A page in it. */
export class BrowserPage implements AsyncDisposable {
  /** What its console and its policies complained of. */
  readonly complaints: string[] = [];
  readonly #socket: WebSocket;
  readonly #end: () => Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<any>>();
  #session: string | undefined;
  #lastId = 0;

  private constructor(socket: WebSocket, end: () => Promise<void>) {
    [this.#socket, this.#end] = [socket, end];
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
  }

  /** Starts the browser, and opens `url`. */
  static async open(url: string): Promise<BrowserPage> {
    const profile = await Deno.makeTempDir();
    const child = new Deno.Command("chromium", {
      args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
      ...{ stdin: "null", stdout: "null", stderr: "piped", env: { HOME: profile } },
    }).spawn();
    const { address, drained } = await listeningOn(child.stderr);
    const socket = new WebSocket(address);
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    const page = new BrowserPage(socket, async () => {
      const closed = new Promise((resolve) => socket.onclose = resolve);
      // It may be gone before it has answered.
      page.#send("Browser.close").catch(() => {});
      await Promise.all([closed, child.status, drained]);
      // Those whom it started may still write there.
      await until(
        "the profile to be gone",
        () => Deno.remove(profile, { recursive: true }).then(() => true, () => !isThere(profile)),
      );
    });
    const { targetId } = await page.#send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await page.#send("Target.attachToTarget", { targetId, flatten: true });
    page.#session = sessionId;
    for (const domain of ["Runtime", "Log", "Page"]) await page.#send(`${domain}.enable`);
    await page.#send("Page.navigate", { url });
    return page;
  }

  /** What an expression comes to in the page, a promise's value too. @throws {Error} As it does there. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      ...{ expression, awaitPromise: true, returnByValue: true },
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  /** Waits until an expression is true in the page. @throws {Error} After two minutes. */
  async until(expression: string): Promise<void> {
    await until(`this to be true in the page: ${expression}`, async () => {
      try {
        return Boolean(await this.evaluate(expression));
      } catch (error) {
        // Between two pages there is none to be asked.
        if (/context|navigated/i.test((error as Error).message)) return false;
        throw error;
      }
    });
  }

  /** A picture of it, PNG. */
  async picture(
    { width = 1280, height = 900, isDark = false }: { width?: number; height?: number; isDark?: boolean } =
      {},
  ): Promise<Uint8Array> {
    const features = [{ name: "prefers-color-scheme", value: isDark ? "dark" : "light" }];
    await this.#send("Emulation.setEmulatedMedia", { features });
    await this.#send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: false },
    });
    return Uint8Array.fromBase64((await this.#send("Page.captureScreenshot", { format: "png" })).data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  #send(method: string, params: object = {}): Promise<any> {
    const id = ++this.#lastId, answer = Promise.withResolvers<any>();
    this.#waiting.set(id, answer);
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    this.#socket.send(JSON.stringify({ id, method, params, ...session }));
    return answer.promise;
  }

  #take({ id, method, params, result, error }: any): void {
    if (method === "Log.entryAdded") this.complaints.push(params.entry.text);
    if (method === "Runtime.exceptionThrown") this.complaints.push(params.exceptionDetails.text);
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result);
  }
}

const FLAGS = [
  ...["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  // Every name, and every address but loopback's, is none.
  ...["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0"],
];

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Where it listens for what it is to do, as it says on standard error; that is read to its end. */
async function listeningOn(
  stderr: ReadableStream<Uint8Array>,
): Promise<{ address: string; drained: Promise<void> }> {
  const found = Promise.withResolvers<string>();
  let said = "";
  const drained = (async () => {
    for await (const part of stderr.pipeThrough(new TextDecoderStream())) {
      said = (said + part).slice(-10_000);
      const address = /DevTools listening on (ws:\S+)\s/.exec(said)?.[1];
      if (address) found.resolve(address);
    }
    found.reject(new Error(`The browser did not start: ${said}`));
  })();
  return { address: await found.promise, drained };
}
