/** Mutual TLS over a real connection: what node:tls hands over is what certificates.ts takes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { type Authenticated, Authenticator } from "../../../core/access/authenticate.ts";
import type { CertificateConfig } from "../../../core/access/certificates.ts";
import { SYSTEM_CLOCK } from "../../../core/clock.ts";
import { makeCertificates } from "../../support/certificates.ts";
import { repeatable } from "./support.ts";

const CERTIFICATES: CertificateConfig = {
  rules: [{ by: "dns", pattern: "*.example.org", grants: [{ role: "node" }] }],
};

Deno.test("a peer that shows a certificate of our authority is somebody; one that shows none, or another's, is not", async () => {
  await using files = await makeCertificates();
  await using others = await makeCertificates();
  const authenticator = new Authenticator({
    ...{ verifiers: [], certificates: CERTIFICATES, clock: SYSTEM_CLOCK },
    ...{ random: repeatable(), onFailures: () => {} },
  });
  const seen: Authenticated[] = [];
  const options = {
    ...{ cert: readFileSync(files.server.certificate), key: readFileSync(files.server.key) },
    ...{ ca: [readFileSync(files.authority)], requestCert: true, rejectUnauthorized: false },
  };
  const server = createServer(options, async (request, response) => {
    const socket = request.socket as TLSSocket, { raw } = socket.getPeerCertificate();
    seen.push(
      await authenticator.authenticate({
        ...raw && { certificate: { authorized: socket.authorized, raw } },
        address: socket.remoteAddress!,
      }),
    );
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo, caCerts = [Deno.readTextFileSync(files.authority)];
    for (const shown of [files.client, undefined, others.client]) {
      using client = Deno.createHttpClient({
        caCerts,
        ...shown && { cert: Deno.readTextFileSync(shown.certificate), key: Deno.readTextFileSync(shown.key) },
      });
      await (await fetch(`https://127.0.0.1:${port}/`, { client })).body?.cancel();
    }
  } finally {
    authenticator.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  const outcomes = seen.map((one) => "actor" in one ? one.actor.node : one.refusal.why);
  assert.deepEqual(outcomes, [
    "client",
    "Cannot tell who this is: a bearer token or a client certificate is wanted",
    "Cannot tell who this is: the credential is not valid",
  ]);
});
