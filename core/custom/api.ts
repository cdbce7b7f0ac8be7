/**
 * What a custom plugin is handed: the same as a plugin of ours may import. It is an object rather than a module because a
 * file beside a Corefile cannot know where ours are, and in the compiled program they are nowhere.
 *
 * @module
 */

import { findOption } from "../dns/edns.ts";
import { formatRdata } from "../dns/rdata.ts";
import {
  CLASS,
  classToText,
  OPCODE,
  OPTION,
  RCODE,
  rcodeToText,
  TYPE,
  typeFromText,
  typeToText,
} from "../dns/types.ts";
import * as plugin from "../plugin.ts";
import type { PluginModule } from "../plugin.ts";
import { formatRRset, parseRRsets } from "./rrsets.ts";

/** The version of the API. It grows when a plugin that was right before would no longer be. */
export const API_VERSION = 1;

/** Everything that is handed to a custom plugin. */
export const api = Object.freeze({
  ...plugin,
  CLASS,
  OPCODE,
  OPTION,
  RCODE,
  TYPE,
  classToText,
  findOption,
  formatRdata,
  formatRRset,
  parseRRsets,
  rcodeToText,
  typeFromText,
  typeToText,
});

/** The type of {@linkcode api}. */
export type Meridian = typeof api;

/** What the function that a custom plugin's file exports by default returns. */
export interface CustomModule<Config = any> extends Omit<PluginModule<Config>, "inFleet" | "ttlBounds"> {
  /** The version of the API that it is written for. */
  readonly api: 1;
  /** The plugin right above which it stands, where the Corefile does not say. */
  readonly before?: string;
  /** The plugin right below which it stands, where the Corefile does not say. */
  readonly after?: string;
}

/** What a custom plugin's file exports by default. */
export type MakePlugin<Config = any> = (meridian: Meridian) => CustomModule<Config>;
