/**
 * The surroundings of a plugin, in which nothing happens but what a test says.
 *
 * @module
 */

import { ManualClock } from "../../core/clock.ts";
import {
  type AnswerScope,
  type BlockFacts,
  type ControlScope,
  emptyAnswer,
  type Log,
  type ParseScope,
  Problems,
} from "../../core/plugin.ts";
import { EMPTY_SNAPSHOT } from "../../core/snapshot.ts";

/** Takes everything, keeps nothing. */
export const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** A block of no zones. */
export function factsOf(more: Partial<BlockFacts> = {}): BlockFacts {
  return { key: "1", zones: [], dataZones: [], owned: [], labelZones: [], plugins: [], ...more };
}

/** What `parse` is handed, paths as they are written. */
export function parseScopeOf(more: Partial<ParseScope> = {}): ParseScope {
  return {
    problems: new Problems(),
    zones: [],
    key: "1",
    path: (token) => token.text,
    dataPath: (token) => more.path?.(token) ?? token.text,
    setRoot() {},
    setView() {},
    sharesState: false,
    wantLabels() {},
    ownName() {},
    declarePool() {},
    takePools() {},
    declareChecks() {},
    wantCheck() {},
    holdZone() {},
    ...more,
  };
}

/** What `start` is handed. */
export function controlScopeOf(more: Partial<ControlScope> = {}): ControlScope {
  return {
    facts: factsOf(),
    clock: new ManualClock(),
    random: () => 0.5,
    log: SILENT,
    probing: true,
    fleet: {
      setNodes() {},
      setPools() {},
      onPools() {},
      setPartitions() {},
      setDegradation() {},
      setTargets() {},
      setVerdicts() {},
      setDeadlines() {},
      setOverrides() {},
    },
    snapshot: () => EMPTY_SNAPSHOT,
    onSnapshot() {},
    publish() {},
    publishGeography() {},
    ask: () => Promise.resolve(emptyAnswer(0)),
    onServing: (listener) => listener(),
    beforeStop() {},
    own: (resource) => resource,
    count() {},
    observe() {},
    gauge() {},
    onScrape() {},
    onReady() {},
    serveHttp() {},
    bequeath() {},
    inherited: undefined,
    process: {
      metricsText: () => "",
      readiness: () => [],
      showDebug() {},
      requestReload: () => Promise.resolve(),
      reloadIfChanged: () => Promise.resolve(),
      identity: {},
    },
    ...more,
  };
}

/** What `answerer` is handed. */
export function answerScopeOf(more: Partial<AnswerScope> = {}): AnswerScope {
  return {
    facts: factsOf(),
    clock: new ManualClock(),
    random: () => 0.5,
    published: () => undefined,
    geography: () => undefined,
    log: SILENT,
    writeLine() {},
    own: (resource) => resource,
    count() {},
    observe() {},
    series: () => ({ record() {} }),
    ...more,
  };
}
