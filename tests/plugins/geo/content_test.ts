import assert from "node:assert/strict";
import { snapshotDigest } from "../../../core/fleet/digest.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { build } from "../../../plugins/geo/build.ts";
import { writeMmdb } from "../../support/mmdb_writer.ts";

const AT = { latitude: 1, longitude: 2 };
const ONE = writeMmdb({ "8.8.0.0/16": AT }), OTHER = writeMmdb({ "8.9.0.0/16": AT });
const NETWORKS = `networks:
  - { prefix: 192.0.2.0/24, country: DE }
  - { prefix: 198.51.100.0/24, latitude: 1.5, longitude: 2 } # the office
`;
const TURNED = `networks:
  - { prefix: 198.51.100.0/24, longitude: 2, latitude: 1.5 }
  - { prefix: 192.0.2.0/24, country: DE }
`;

/** The digest of a server that has these files, called so, written then. */
async function digestOf(
  database: Uint8Array,
  networks: string,
  name = "a",
  written = "2026-12-01",
): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    const paths = [`${folder}/${name}.mmdb`, `${folder}/${name}.yaml`] as const;
    await Deno.writeFile(paths[0], database);
    await Deno.writeTextFile(paths[1], networks);
    for (const path of paths) await Deno.utime(path, new Date(written), new Date(written));
    const outcome = build({
      databases: [paths[0]],
      networks: paths[1],
      epoch: 1,
      loadedMs: Date.parse(written),
    });
    assert.ok("geography" in outcome, JSON.stringify(outcome));
    return snapshotDigest({ ...EMPTY_SNAPSHOT, geographies: { "example.": outcome.geography } }, 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("servers whose geo data says the same have equal digests, whatever their files are called and when they came", async () => {
  const one = await digestOf(ONE, NETWORKS);
  assert.equal(await digestOf(ONE, NETWORKS, "b", "2020-01-01"), one);
  assert.equal(await digestOf(ONE, TURNED), one);
});

Deno.test("servers whose geo data says something else have other digests, though it was made at the same time", async () => {
  const digests = [
    await digestOf(ONE, NETWORKS),
    await digestOf(OTHER, NETWORKS),
    await digestOf(ONE, NETWORKS.replace("1.5", "1.6")),
    await digestOf(ONE, NETWORKS.replace("192.0.2.0/24", "192.0.2.0/25")),
    await digestOf(ONE, NETWORKS.replace("DE", "FR")),
  ];
  assert.equal(new Set(digests).size, digests.length);
});
