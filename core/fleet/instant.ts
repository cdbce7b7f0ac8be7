/** Instants as people write them. @module */

const INSTANT =
  /^(\d{4})-(\d\d?)-(\d\d?)(?:(?:[Tt]|[ \t]+)(\d\d?):(\d\d)(?::(\d\d)(?:\.(\d+))?)?[ \t]*(Z|z|[+-]\d\d?(?::?\d\d)?)?)?$/;

/**
 * Reads an ISO 8601 instant or a YAML timestamp: `2026-12-01T02:00:00Z`, `2026-12-01 03:00:00 +01:00`, `2026-12-01`.
 * Without a zone it is UTC, as YAML has it.
 *
 * @returns Milliseconds since 1970; undefined when there is no such instant.
 */
export function parseInstantMs(text: string): number | undefined {
  const match = INSTANT.exec(text);
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    ...[number, number, number],
    ...[number, number, number],
  ];
  const midnightMs = Date.UTC(year, month - 1, day);
  const date = new Date(midnightMs);
  const exists = date.getUTCMonth() === month - 1 && date.getUTCDate() === day &&
    date.getUTCFullYear() === year;
  if (!exists || hour > 23 || minute > 59 || second > 59) return undefined;
  const fraction = Math.floor(Number(`0.${match[7] ?? 0}`) * 1000);
  const offset = offsetMinutes(match[8]);
  if (offset === undefined) return undefined;
  return midnightMs + ((hour * 60 + minute - offset) * 60 + second) * 1000 + fraction;
}

/** `+01:00`, `+0100`, `+1`, `Z` or nothing. */
function offsetMinutes(zone = "Z"): number | undefined {
  if (zone.toUpperCase() === "Z") return 0;
  const [, sign, hours, minutes] = /^([+-])(\d\d?):?(\d\d)?$/.exec(zone)!;
  if (Number(hours) > 23 || Number(minutes ?? 0) > 59) return undefined;
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes ?? 0));
}
