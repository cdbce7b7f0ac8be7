import assert from "node:assert/strict";
import { metresBetween } from "../../../core/fleet/distance.ts";
import { COUNTRY_POINTS } from "../../../core/fleet/country_points.ts";

type Degrees = readonly [latitude: number, longitude: number];

const kilometres = (code: string, [latitude, longitude]: Degrees) =>
  metresBetween(COUNTRY_POINTS.get(code)!, { latitude, longitude }) / 1000;

for (
  const [code, name, ...cities] of [
    ["RU", "Moscow", [55.76, 37.62]],
    ["AU", "Sydney or Melbourne", [-33.87, 151.21], [-37.81, 144.96]],
    ["CA", "Toronto or Montreal", [43.65, -79.38], [45.5, -73.57]],
    ["BR", "São Paulo or Rio", [-23.55, -46.63], [-22.91, -43.17]],
    ["ZA", "Johannesburg", [-26.2, 28.05]],
    ["JP", "Tokyo", [35.68, 139.69]],
    ["GB", "London", [51.51, -0.13]],
    ["NO", "Oslo", [59.91, 10.75]],
    ["CL", "Santiago", [-33.45, -70.67]],
    ["NZ", "Auckland", [-36.85, 174.76]],
    ["ID", "Jakarta", [-6.21, 106.85]],
    ["KZ", "Almaty", [43.24, 76.89]],
  ] as [string, string, ...Degrees[]][]
) {
  Deno.test(`the point of ${code} is near ${name}`, () => {
    assert.ok(Math.min(...cities.map((city) => kilometres(code, city))) < 250, `${code}`);
  });
}

for (
  const [code, south, north, west, east] of [
    ["US", 25, 49, -125, -67],
    ["DE", 47.3, 55, 6, 15],
    ["FR", 42.3, 51, -4.8, 8.2],
    ["CN", 20, 45, 100, 123],
    ["IN", 8, 32, 69, 90],
  ] as const
) {
  Deno.test(`the point of ${code} is inside its main land`, () => {
    const { latitude, longitude } = COUNTRY_POINTS.get(code)!;
    assert.ok(latitude > south && latitude < north && longitude > west && longitude < east);
  });
}

Deno.test("every country of ISO 3166-1 has a point on the earth, and what is no country has none", () => {
  assert.equal(COUNTRY_POINTS.size, 250); // the 249 and XK
  for (const [code, { latitude, longitude }] of COUNTRY_POINTS) {
    assert.match(code, /^[A-Z]{2}$/);
    assert.ok(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180, code);
  }
  for (const code of ["EU", "AP", "ZZ", "UK", ""]) assert.equal(COUNTRY_POINTS.get(code), undefined);
});
