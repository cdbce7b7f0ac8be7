/**
 * The process endpoint, as CoreDNS's: `/health` says OK for as long as the process lives.
 *
 * @module
 */

/** Where it listens, and how long it outlives the order to stop. */
export interface Endpoint {
  /** "" = every address. */
  readonly host: string;
  readonly port: number;
  readonly lameduckMs: number;
}

/** An open endpoint. */
export interface OpenEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** Reads `[HOST]:PORT`, an IPv6 host in brackets; undefined when it is anything else. */
export function parseEndpoint(text: string): Pick<Endpoint, "host" | "port"> | undefined {
  const [, bracketed, host = "", digits] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  return digits !== undefined && port <= 65535 ? { host: bracketed ?? host, port } : undefined;
}

/**
 * Opens the endpoint. Who asks for one that is open shares it, so that a new configuration takes it over without a
 * moment of silence.
 */
export async function openEndpoint(endpoint: Endpoint): Promise<OpenEndpoint> {
  const key = `${endpoint.host}:${endpoint.port}`;
  const shared = endpoint.port === 0 ? undefined : open.get(key);
  const used = shared ?? { users: 0, server: serve(endpoint) };
  // Kept only once it listens: a port that was taken may be free at the next try.
  const { port } = (await used.server).addr;
  used.users++;
  open.set(key, used);
  let closed = false;
  return {
    port,
    async close() {
      if (closed) return;
      closed = true;
      if (--used.users > 0) return;
      if (open.get(key) === used) open.delete(key);
      await (await used.server).shutdown();
    },
  };
}

const open = new Map<string, { users: number; server: Promise<Deno.HttpServer<Deno.NetAddr>> }>();

/** Every address is `::` where the machine has IPv6, which then takes IPv4 as well. */
async function serve({ host, port }: Endpoint): Promise<Deno.HttpServer<Deno.NetAddr>> {
  const listen = (hostname: string) => Deno.serve({ hostname, port, onListen() {} }, respond);
  if (host !== "") return listen(host);
  try {
    return await Promise.resolve(listen("::"));
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) throw error;
    return listen("0.0.0.0");
  }
}

function respond(request: Request): Response {
  const isHealth = new URL(request.url).pathname === "/health";
  return isHealth ? new Response("OK") : new Response("404 page not found\n", { status: 404 });
}
