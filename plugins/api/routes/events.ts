/** `/v1/events`: what changes, as it happens (server-sent events, HTML Standard section 9.2). @module */

import { type AuditRecord, WITNESS_ACTION } from "../../../core/state/audit.ts";
import { PREFIXES } from "../../../core/state/keys.ts";
import type { Difference } from "../../../core/state/replica.ts";
import type { App } from "../app.ts";
import type { Services } from "../services.ts";
import { demand } from "./request.ts";

/** How often something is sent where nothing happens, so that whoever stands between keeps the connection. */
const KEEP_ALIVE_MS = 15_000;

/** How many may listen at once. */
const LISTENERS_MAX = 1000;

/** Adds the routes. */
export function addEventRoutes(app: App, { scope: { member: { replica }, clock } }: Services): void {
  let listeners = 0;
  app.get("/v1/events", (context) => {
    demand(context, { resource: "events", verb: "read" });
    if (listeners >= LISTENERS_MAX) return context.text("too many listen\n", 503);
    const after = context.req.header("last-event-id");
    let end = () => {};
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        listeners++;
        const send = (text: string) => controller.enqueue(new TextEncoder().encode(text));
        if (after !== undefined) {
          for (const record of recordsAfter(replica.below(PREFIXES.audit), after)) send(eventText(record));
        } else send(": listening\n\n");
        const stop = replica.onChange((differences) => {
          for (const record of recordsIn(differences)) send(eventText(record));
        });
        let cancel = () => {};
        const keepAlive = () => {
          cancel = clock.after(KEEP_ALIVE_MS, () => {
            send(": still here\n\n");
            keepAlive();
          });
        };
        keepAlive();
        end = () => {
          listeners--;
          stop();
          cancel();
        };
      },
      cancel: () => end(),
    });
    return context.body(stream, 200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  });
}

/** An event is known by its record: who lost the connection asks for what came after the last. */
function eventText(record: AuditRecord): string {
  const { server, number, action } = record;
  return `id: ${server}/${number}\nevent: ${action}\ndata: ${JSON.stringify(record)}\n\n`;
}

function recordsIn(differences: readonly Difference[]): AuditRecord[] {
  return differences.flatMap(({ key, before, after }) =>
    key.startsWith(PREFIXES.audit) && after && !before ? [JSON.parse(after.value) as AuditRecord] : []
  ).filter(isNews);
}

/** Those of the same server behind one, and all others since then: a chain's order is its own, time is everybody's. */
function recordsAfter(entries: Iterable<{ readonly value: string }>, id: string): AuditRecord[] {
  const records = Array.from(entries, ({ value }) => JSON.parse(value) as AuditRecord);
  const last = records.find(({ server, number }) => `${server}/${number}` === id);
  if (!last) return [];
  return records.filter((one) =>
    one.server === last.server ? one.number > last.number : one.atMs >= last.atMs
  ).filter(isNews).toSorted((a, b) => a.atMs - b.atMs || a.number - b.number);
}

/** That the log was signed is nobody's news. */
function isNews({ action }: AuditRecord): boolean {
  return action !== WITNESS_ACTION;
}
