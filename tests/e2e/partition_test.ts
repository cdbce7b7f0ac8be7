import { ensurePackages } from "../../scripts/packages.ts";
import { inNamespaces } from "../support/lab/network.ts";

Deno.test({
  name:
    "a server that is cut off answers on, then widens, and converges once it is healed, whatever cut it off",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await ensurePackages(["etcd-server", "openssl"]);
    const { stdout } = await inNamespaces(new URL("./partition/run.ts", import.meta.url));
    const { widenedMs, holdMs, ageSeconds, healedMs, disagreedMs } = JSON.parse(stdout);
    console.log(
      `widened ${widenedMs} ms after it was cut off (hold ${holdMs} ms), its state ${ageSeconds} s old; ` +
        `agreed ${healedMs.join(", ")} ms after healing; ` +
        `two that saw the store disagreed for ${disagreedMs} ms at most`,
    );
  },
});
