/**
 * The third half of a plugin: what it does in the fleet isolate, where the store is at hand and nobody waits for an answer.
 * A plugin that has one says so by `inFleet`; its module stands in `plugins/fleet.ts`.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { Log } from "../plugin.ts";
import type { Member } from "./member.ts";
import type { MembershipConfiguration } from "./protocol.ts";

/** What such a half may use. */
export interface FleetScope {
  readonly configuration: MembershipConfiguration;
  /** The store, what is known of it, and the one way to change it. */
  readonly member: Member;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /**
   * Asks the control isolate, as `meridian status` and `explain` do through the control socket.
   *
   * @throws {Error} As it says there, or that nobody answered in time.
   */
  ask(what: string, params?: unknown): Promise<unknown>;
  /**
   * Hands plain data to the plugin's half in the control isolate, in the place of what it was handed before: see
   * `FleetHub.onTold`.
   */
  tell?(plugin: string, value: unknown): void;
  /** Answers what is asked through the machine's own control socket; undefined ends that. */
  onRequest(handler: ((request: Request) => Promise<Response>) | undefined): void;
}

/** Its default export. */
export interface FleetHalf<Config = any> {
  readonly name: string;
  /** Begins; what comes back ends it. @throws {Error} That says what could not be had: the rest goes on without it. */
  serve(config: Config, scope: FleetScope): Promise<FleetServing>;
}

/** One that serves. */
export interface FleetServing {
  close(): Promise<void>;
}

/** Where such halves stand, by name: modules are loaded when a configuration names them. */
export type FleetHalves = Readonly<Record<string, URL>>;

/** A plugin of the configuration that has such a half. Plain data. */
export interface FleetPlugin {
  readonly name: string;
  readonly config: unknown;
}
