/**
 * The half of api that serves: in the fleet isolate.
 *
 * @module
 */

import type { FleetHalf } from "../../core/membership/fleet_half.ts";
import { makeApp } from "./app.ts";
import { listen } from "./listen.ts";
import type { ApiConfig } from "./parse.ts";
import { RateLimit } from "./rate_limit.ts";
import { LOCAL, openServices } from "./services.ts";

export default {
  name: "api",
  async serve(config, scope) {
    const { hostname, port, tls } = config;
    const scheme = tls ? "https" : "http", host = hostname.includes(":") ? `[${hostname}]` : hostname;
    const own = [`${scheme}://${host}:${port}`, scope.configuration.url].filter(Boolean);
    const services = await openServices(scope, config, () => own);
    try {
      const limits = { bodyOctetsMax: config.bodyOctetsMax, rate: new RateLimit(scope.clock, config.rate) };
      const app = makeApp(services, limits);
      scope.onRequest(async (request) => await app.fetch(request, { actor: LOCAL }));
      const listening = await listen(config, (request, caller) => app.fetch(request, caller), scope);
      scope.log.info(`api: ${scheme}://${host}:${listening.port}/v1/`);
      return {
        async close() {
          scope.onRequest(undefined);
          await listening.close();
          await services.close();
        },
      };
    } catch (error) {
      await services.close();
      throw error;
    }
  },
} satisfies FleetHalf<ApiConfig>;
