/**
 * What `metadata` tells of where a client is, by CoreDNS's names of its labels.
 *
 * @module
 */

import type { Location, Place } from "../../core/fleet/place.ts";
import { formatPrefix, type QueryContext } from "../../core/plugin.ts";
import { continentOf, isInEuropeanUnion } from "./continents.ts";

/** Where the client of a query is; undefined before there is any geography. */
export type LocateQuery = (context: QueryContext) => Location | undefined;

type Labels = Readonly<Record<string, (context: QueryContext) => string | undefined>>;

const ofPlace: Readonly<Record<string, (place: Place) => string | undefined>> = {
  "country/code": ({ country }) => country,
  "country/name": ({ country }) => nameOf(country),
  "country/is_in_european_union": ({ country }) => country === "" ? "" : String(isInEuropeanUnion(country)),
  "continent/code": ({ country }) => continentOf(country)?.code,
  "continent/name": ({ country }) => continentOf(country)?.name,
  "subdivisions/code": ({ subdivision }) => subdivision,
  latitude: ({ latitude }) => String(latitude),
  longitude: ({ longitude }) => String(longitude),
};

const ofLocation: Readonly<Record<string, (location: Location) => string | undefined>> = {
  network: ({ network }) => formatPrefix(network),
  precision: ({ precision }) => precision,
};

/** Every label, under `geo/` and under `geoip/`. */
export function labelsOf(locate: LocateQuery): Labels {
  const labels: Record<string, (context: QueryContext) => string | undefined> = {};
  for (const prefix of ["geo", "geoip"]) {
    for (const [name, read] of Object.entries(ofPlace)) {
      labels[`${prefix}/${name}`] = (context) => {
        const place = locate(context)?.place;
        return place && (read(place) || undefined);
      };
    }
    for (const [name, read] of Object.entries(ofLocation)) {
      labels[`${prefix}/${name}`] = (context) => {
        const location = locate(context);
        return location && read(location);
      };
    }
  }
  return labels;
}

/** Made when a name is first asked for: it takes longer to make than a hundred modules take to load. */
let names: Intl.DisplayNames | undefined;

function nameOf(country: string): string | undefined {
  if (!/^[A-Z]{2}$/.test(country)) return undefined;
  names ??= new Intl.DisplayNames("en", { type: "region", fallback: "none" });
  return names.of(country);
}
