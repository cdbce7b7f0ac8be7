/**
 * Routes of nodes and what they report: form-state's, under `/v1` and without as it was before, and the queue's.
 *
 * @module
 */

import { decodeMetrics, decodeQueued, untagged } from "./decode.ts";
import { FormationProblem } from "./json.ts";
import {
  failureWithReason,
  list,
  type NodeFacts,
  nodeOfDocuments,
  nodeOfHeartbeats,
  nodeOfState,
  NONE,
  some,
} from "./replies.ts";
import { type App, type AppOptions, bodyOf, type Context, demand, param, route } from "./routing.ts";

/** Adds them. */
export function addNodeRoutes(app: App, options: AppOptions): void {
  const { service } = options;
  const on = (run: (context: Context) => Promise<unknown>) =>
    route(options, (why) => failureWithReason(why ?? ""), run);
  const reads = (context: Context) => demand(context, { resource: "nodes", verb: "read" });
  const takes = on(async (context) => {
    const { fields } = untagged(await bodyOf(context), ["Create", "Update"]);
    await service.takeNode(fields, demand(context, { resource: "nodes", verb: "create" }));
    return NONE;
  });
  for (const prefix of ["/v1", ""]) {
    app.post(`${prefix}/node/create`, takes);
    app.post(`${prefix}/node/update`, takes);
    app.on(
      ["DELETE", "POST"],
      [`${prefix}/node/:id/delete`],
      on(async (context) => {
        const asking = demand(context, { resource: "nodes", verb: "delete" });
        await service.removeNode(param(context, "id"), asking);
        return NONE;
      }),
    );
    app.get(
      `${prefix}/node/:id/get`,
      on((context) => {
        reads(context);
        return Promise.resolve(some(nodeOfState(factsOf(options, param(context, "id")))));
      }),
    );
    app.post(
      `${prefix}/node/:id/report_metrics`,
      on(async (context) => {
        const node = param(context, "id"),
          asking = demand(context, { resource: "nodes", verb: "beat", node });
        await service.report(decodeMetrics(node, await bodyOf(context)), asking);
        return NONE;
      }),
    );
    app.get(
      `${prefix}/node/list/metrics`,
      on((context) => {
        reads(context);
        return Promise.resolve(list(allFacts(options).flatMap(({ metrics }) => metrics ?? [])));
      }),
    );
    app.get(
      `${prefix}/node/:id/metrics`,
      on((context) => {
        reads(context);
        const { metrics } = factsOf(options, param(context, "id"));
        if (metrics === undefined) throw new FormationProblem("it has reported none here");
        return Promise.resolve(some(metrics));
      }),
    );
  }
  app.get(
    "/v1/node/list",
    on((context) => {
      reads(context);
      return Promise.resolve(list(allFacts(options).map(nodeOfState)));
    }),
  );
  app.get(
    "/node/list",
    on((context) => {
      reads(context);
      return Promise.resolve({ nodes: allFacts(options).map(nodeOfHeartbeats) });
    }),
  );
  app.get(
    "/nodes",
    on((context) => {
      reads(context);
      return Promise.resolve({ success: true, nodes: allFacts(options).map(nodeOfDocuments) });
    }),
  );
  app.post("/queue/write_local", on((context) => queued(context, options)));
}

/** What nodes send through the queue: reports, and nodes. */
async function queued(context: Context, { service }: AppOptions): Promise<unknown> {
  const said = decodeQueued(await bodyOf(context));
  if (!said) throw new FormationProblem("only subtopics 5 (node) and 6 (metrics) are taken here");
  if (said.kind === "node") {
    await service.takeNode(said.node, demand(context, { resource: "nodes", verb: "create" }));
  } else {
    const { report } = said;
    const asking = demand(context, { resource: "nodes", verb: "beat", node: report.node });
    await service.report(report, asking);
  }
  return NONE;
}

/** @throws {FormationProblem} */
function factsOf({ service }: AppOptions, id: string): NodeFacts {
  const record = service.nodes.get(id);
  if (!record) throw new FormationProblem(`there is no node ${id}`);
  return {
    record,
    document: service.nodes.document(id),
    heartbeatMs: service.heartbeats.lastMs(id),
    isUp: service.heartbeats.isAlive(id),
    ...service.reported(id),
  };
}

function allFacts(options: AppOptions): NodeFacts[] {
  return [...options.service.nodes.all()].map(({ id }) => factsOf(options, id));
}
