/**
 * The database that comes with Meridian: one country a network, CC0 (from the NRO's statistics, CC BY 4.0).
 *
 * @module
 */

// Makes the package part of the program, so that it is fetched with it.
import "@ip-location-db/geo-whois-asn-country-mmdb/package.json" with { type: "json" };
import { fileURLToPath } from "node:url";

/** The path of the embedded country database. */
export function embeddedDatabase(): string {
  return fileURLToPath(
    import.meta.resolve("@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb"),
  );
}
