/**
 * Octets over UDP on loopback, for tests that look at a reply as it stands.
 *
 * @module
 */

/** Sends a query to 127.0.0.1 and gives the reply. @throws {Error} When none comes in time. */
export async function askRaw(port: number, query: Uint8Array, timeoutMs = 20_000): Promise<Uint8Array> {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  let isOpen = true;
  const close = () => {
    if (isOpen) socket.close();
    isOpen = false;
  };
  const timer = setTimeout(close, timeoutMs);
  try {
    await socket.send(query, { transport: "udp", hostname: "127.0.0.1", port });
    const [octets] = await socket.receive(new Uint8Array(65_536));
    return octets;
  } catch (cause) {
    throw new Error(`No reply within ${timeoutMs} ms`, { cause });
  } finally {
    clearTimeout(timer);
    close();
  }
}
