/**
 * The context of a query that nobody sent.
 *
 * @module
 */

import { fold, parseAddress, parseName, type QueryContext } from "../../core/plugin.ts";
import { EMPTY_SNAPSHOT } from "../../core/snapshot.ts";

/** `www.example.org. A` from 192.0.2.53 over UDP with EDNS. */
export function contextOf(more: Partial<QueryContext> = {}, text = "WWW.example.org"): QueryContext {
  const name = parseName(text);
  return {
    question: { name, type: 1, class: 1 },
    name: fold(name),
    zone: parseName("example.org"),
    messageId: 29008,
    recursionDesired: true,
    checkingDisabled: false,
    edns: { version: 0, payloadSize: 4096, dnssecOk: false, options: [] },
    source: { address: parseAddress("192.0.2.53")!, port: 50759 },
    server: { address: parseAddress("2001:db8::1")!, port: 53 },
    transport: "udp",
    sizeOctets: 41,
    octets: new Uint8Array(41),
    nowMs: Date.UTC(2026, 10, 22, 12, 0, 0, 250),
    snapshot: EMPTY_SNAPSHOT,
    ecs: true,
    ...more,
  };
}
