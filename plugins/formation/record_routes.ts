/**
 * Routes of records: form-dns's `/record/…`, and form-state's `/v1/dns/…`.
 *
 * @module
 */

import type { Action } from "../../core/access/actor.ts";
import type { Asking } from "../../core/management/change.ts";
import { decodeRecordRequest } from "./decode.ts";
import { FormationProblem, socketOf } from "./json.ts";
import { failure, failureWithReason, list, NONE, some, verified } from "./replies.ts";
import { recordName } from "./records.ts";
import { type App, type AppOptions, bodyOf, type Context, demand, param, route } from "./routing.ts";
import { type Verification, verify } from "./verification.ts";
import type { FormationRecord } from "./shapes.ts";

/** Adds them. */
export function addRecordRoutes(app: App, options: AppOptions): void {
  addDnsRoutes(app, options);
  addVerificationRoutes(app, options);
  addStateRoutes(app, options);
}

async function demandRecord(
  context: Context,
  { service }: AppOptions,
  verb: Action["verb"],
  name: string,
): Promise<Asking> {
  const domain = recordName(name), zone = await service.records.zoneOf(domain) ?? `${domain}.`;
  const asking = demand(context, { resource: "records", verb, zones: [zone] });
  if (verb === "read" || !service.isBootstrapName(domain)) return asking;
  throw new FormationProblem(
    `${domain} is made of the entry points: use /bootstrap/add and /bootstrap/remove`,
  );
}

/** One record, be it the entry points'. */
async function recordOf({ service }: AppOptions, name: string): Promise<FormationRecord> {
  return service.isBootstrapName(recordName(name))
    ? service.bootstrapRecord()
    : await service.records.get(name);
}

async function recordsOf({ service }: AppOptions): Promise<[name: string, record: FormationRecord][]> {
  const own = service.bootstrapRecord(), all = await service.records.list();
  return [[own.domain, own], ...all.map(([name, record]): [string, FormationRecord] => [name, record])];
}

/** form-dns: `/record/…` and `/server/create`. */
function addDnsRoutes(app: App, options: AppOptions): void {
  const { service: { records }, log } = options;
  const on = (run: (context: Context) => Promise<unknown>) => route(options, failure, run);
  app.post(
    "/record/create",
    on(async (context) => {
      const request = decodeRecordRequest(await bodyOf(context));
      await records.create(request, await demandRecord(context, options, "create", request.domain ?? ""));
      return NONE;
    }),
  );
  app.post(
    "/record/:domain/update",
    on(async (context) => {
      const name = param(context, "domain"), request = decodeRecordRequest(await bodyOf(context));
      await records.update(name, request, await demandRecord(context, options, "update", name));
      return NONE;
    }),
  );
  // form-state posts where form-dns has DELETE alone.
  app.on(
    ["DELETE", "POST"],
    ["/record/:domain/delete"],
    on(async (context) => {
      const name = param(context, "domain");
      return some(await records.remove(name, await demandRecord(context, options, "delete", name)));
    }),
  );
  app.get(
    "/record/:domain/get",
    on(async (context) => {
      const name = param(context, "domain");
      await demandRecord(context, options, "read", name);
      return some(await recordOf(options, name));
    }),
  );
  app.get(
    "/record/list",
    on(async (context) => {
      demand(context, { resource: "records", verb: "read" });
      return list(await recordsOf(options));
    }),
  );
  app.post(
    "/server/create",
    on(async (context) => {
      demand(context, { resource: "records", verb: "create" });
      const { address } = socketOf(await bodyOf(context), "a name server's address");
      log.info(`formation: /server/create ${address}: whom the machine asks is left as it is`);
      return null;
    }),
  );
}

/** form-dns: whether a name is somebody's. */
function addVerificationRoutes(app: App, options: AppOptions): void {
  const { service: { records }, resolve } = options;
  for (const step of ["initiate_verification", "check_verification"]) {
    const run = async (context: Context) => {
      const name = param(context, "domain");
      const asking = await demandRecord(context, options, "update", name);
      const found = await verify(await records.get(name), await records.list(), resolve);
      const isFirst = step === "initiate_verification";
      return verified(found, await records.setVerification(name, statusAfter(found, isFirst), asking));
    };
    app.post(
      `/record/:domain/${step}`,
      route(options, (why) => ({ VerificationFailure: why ?? "" }), run),
    );
  }
}

function statusAfter(
  found: Verification,
  isFirst: boolean,
): NonNullable<FormationRecord["verification_status"]> {
  if (found.kind === "verified") return "Verified";
  if (found.kind === "failed") return { Failed: found.why };
  return isFirst ? "Pending" : "NotVerified";
}

/** form-state: records. */
function addStateRoutes(app: App, options: AppOptions): void {
  const { service: { records } } = options;
  const on = (run: (context: Context) => Promise<unknown>) =>
    route(options, (why) => failureWithReason(why ?? ""), run);
  for (const verb of ["create", "update"] as const) {
    app.post(
      `/v1/dns/${verb}`,
      on(async (context) => {
        const request = decodeRecordRequest(await bodyOf(context)), name = request.domain ?? "";
        const asking = await demandRecord(context, options, verb, name);
        if (verb === "create") await records.create(request, asking);
        else await records.update(name, request, asking);
        return NONE;
      }),
    );
  }
  app.on(
    ["DELETE", "POST"],
    ["/v1/dns/:domain/delete"],
    on(async (context) => {
      const name = param(context, "domain");
      return some(await records.remove(name, await demandRecord(context, options, "delete", name)));
    }),
  );
  app.get(
    "/v1/dns/:domain/get",
    on(async (context) => {
      const name = param(context, "domain");
      await demandRecord(context, options, "read", name);
      return some(await recordOf(options, name));
    }),
  );
  app.get(
    "/v1/dns/list",
    on(async (context) => {
      demand(context, { resource: "records", verb: "read" });
      return list((await recordsOf(options)).map(([, record]) => record));
    }),
  );
  app.get(
    "/v1/dns/:ip/list",
    on(async (context) => {
      demand(context, { resource: "records", verb: "read" });
      const { address } = socketOf(param(context, "ip"), "an address");
      const has = (sockets: readonly string[]) =>
        sockets.some((text) => socketOf(text, "an address").address === address);
      return (await recordsOf(options)).map(([, record]) => record)
        .filter(({ public_ip, formnet_ip }) => has(public_ip) || has(formnet_ip));
    }),
  );
}
