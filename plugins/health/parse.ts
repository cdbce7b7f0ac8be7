/**
 * Reads the directive.
 *
 * @module
 */

import { atMost, readRegularTextFile, reasonOf } from "../../core/files.ts";
import { parseHostPort } from "../../core/net/host_port.ts";
import {
  Arguments,
  CorefileError,
  type Directive,
  fold,
  formatName,
  isWithin,
  type Name,
  onlyOne,
  type OptionValues,
  type ParseScope,
  type Problems,
  readOptions,
  type Token,
} from "../../core/plugin.ts";
import { type NamedCheck, readCheck } from "./check.ts";
import type { Endpoint } from "./endpoint.ts";
import { DEFAULTS, NODE_HEALTH_OPTIONS, options } from "./options.ts";
import type { Timing } from "./state.ts";
import type { Checking } from "./targets.ts";

/** What one server block says. */
export interface HealthConfig extends Checking {
  readonly endpoint?: Endpoint;
}

type Values = OptionValues<typeof options>;

/** Reads the directive: of a block without checks CoreDNS's endpoint, of one with checks node health. */
export function parse(directives: readonly Directive[], scope: ParseScope): HealthConfig {
  const directive = onlyOne(directives, scope.problems);
  const values = readOptions(directive, options, scope.problems);
  const checks = readChecks(values, scope);
  scope.declareChecks(checks.map(({ name }) => name));
  const hasChecks = (values.check ?? []).length > 0;
  if (!hasChecks) complainOfOptions(directive, scope.problems);
  const endpoint = scope.problems.attempt(() => readEndpoint(directive, values, hasChecks, scope.problems));
  return {
    checks,
    watch: readWatches(values, scope),
    timing: readTiming(values, scope.problems),
    failingShare: degradedOf(values, "failingShare") ?? 0,
    ...(endpoint && { endpoint }),
  };
}

function readChecks(values: Values, { problems, path }: ParseScope): NamedCheck[] {
  const checks: NamedCheck[] = [];
  for (const directive of values.check ?? []) {
    problems.attempt(() => {
      const args = new Arguments(directive);
      const named = readCheck(args, (token) => readCertificates(path(token), token));
      args.end();
      if (checks.some(({ name }) => name === named.name)) {
        throw new CorefileError(
          directive.args[0]!,
          `check: '${named.name}' stands twice: give one a name of its own`,
        );
      }
      checks.push(named);
    });
  }
  return checks;
}

/** The most octets of a file of certificates. */
const FILE_OCTETS_MAX = 1 << 20;

function readCertificates(path: string, token: Token): { path: string; pem: string } {
  try {
    const pem = readRegularTextFile(path, atMost(FILE_OCTETS_MAX));
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return { path, pem };
  } catch (error) {
    throw new CorefileError(token, `check: cannot read '${path}': ${reasonOf(error)}`);
  }
  throw new CorefileError(token, `check: ca must name a file of PEM certificates: none in '${path}'`);
}

function readEndpoint(directive: Directive, values: Values, hasChecks: boolean, problems: Problems) {
  const args = new Arguments(directive);
  const token = args.peek() && args.token("ADDRESS");
  args.end();
  const lameduckMs = values.lameduck?.value ?? 0;
  if (!token && hasChecks) {
    if (values.lameduck) {
      problems.warn(
        values.lameduck.directive.name,
        "health: lameduck is of no effect without an ADDRESS to listen on",
      );
    }
    return undefined;
  }
  const at = parseHostPort(token?.text ?? ":8080");
  if (at) return { ...at, lameduckMs };
  throw new CorefileError(token!, `health: ADDRESS must be [HOST]:PORT such as :8080: got '${token!.text}'`);
}

/** Without a check nothing is probed, and what is said of probes was probably meant to do something. */
function complainOfOptions(directive: Directive, problems: Problems): void {
  for (const { name } of directive.block ?? []) {
    if (NODE_HEALTH_OPTIONS.includes(name.text)) {
      problems.error(
        name,
        `health: ${name.text} needs a check: want a line such as 'check tcp 443' beside it`,
      );
    }
  }
}

function readWatches(values: Values, { zones, problems }: ParseScope): Name[] {
  const names = (values.watch ?? []).flatMap((tokens) => tokens ?? []);
  for (const { name, token } of names) {
    if (zones.some((zone) => isWithin(fold(name), zone))) continue;
    const wanted = zones.map(formatName).join(", ");
    problems.error(token, `watch: '${token.text}' must lie in a zone of this server block: ${wanted}`);
  }
  return [...new Set(names.map(({ name }) => fold(name)))];
}

function readTiming(values: Values, problems: Problems): Timing {
  const intervalMs = values.interval?.value ?? DEFAULTS.intervalMs;
  const timeoutMs = values.timeout?.value ?? Math.min(DEFAULTS.timeoutMs, intervalMs / 2);
  if (timeoutMs >= intervalMs) {
    const message = `timeout: must be shorter than the interval of ${intervalMs} ms: got ${timeoutMs} ms`;
    problems.error(values.timeout!.directive.args[0]!, `health: ${message}`);
  }
  const fall = values.fall?.value ?? DEFAULTS.fall;
  const { slowFlap, holdDown, ...rest } = DEFAULTS;
  const flap = values["slow-flap"] ? values["slow-flap"].value : flapFor(fall, slowFlap!);
  const hold = values["hold-down"] ? values["hold-down"].value : holdDown;
  if (flap && flap.failures < fall) {
    const message = `slow-flap: must take at least as many failures as fall, ${fall}: got ${flap.failures}`;
    problems.error(values["slow-flap"]!.directive.args[0]!, `health: ${message}`);
  }
  return {
    ...rest,
    intervalMs,
    timeoutMs,
    fall,
    rise: values.rise?.value ?? DEFAULTS.rise,
    confirm: values.confirm?.value ?? DEFAULTS.confirm,
    rampMs: values.ramp?.value ?? DEFAULTS.rampMs,
    slowMs: degradedOf(values, "latencyMs") ?? DEFAULTS.slowMs,
    ...(flap && { slowFlap: flap }),
    ...(hold && { holdDown: hold }),
  };
}

/** The default slow-flap never takes fewer failures than `fall`. */
function flapFor(fall: number, { failures, clear }: NonNullable<Timing["slowFlap"]>) {
  return { failures: Math.max(failures, fall), clear };
}

function degradedOf(values: Values, which: "latencyMs" | "failingShare"): number | undefined {
  const found = (values.degraded ?? []).map((placed) => placed?.value as Record<string, number> | undefined);
  return found.map((value) => value?.[which]).findLast((value) => value !== undefined);
}
