/**
 * gdnsd's zone files as ordinary ones: DYNA and DYNC records taken out, `@Z` and `@F` written out.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { formatName, type Name, parseName } from "../dns/name.ts";
import { type Entry, readEntries, type ZoneFileError, type ZoneToken } from "../zone/lexer.ts";
import { parseTtl } from "../zone/words.ts";
import { besides, type Findings, type ImportedFile, type ImportSource } from "./imported.ts";

/** A DYNA or DYNC record. */
export interface DynamicRecord {
  readonly at: Position;
  readonly name: Name;
  readonly type: "DYNA" | "DYNC";
  /** `plugin!resource`. */
  readonly reference: string;
  /** Seconds: the most, and the least that health may make of it. */
  readonly ttl: { readonly max: number; readonly min: number };
}

/** What a zone is read with. */
export interface ZoneOptions {
  readonly origin: Name;
  /** Of records that have none, without `$TTL`. */
  readonly defaultTtl: number;
  readonly source: ImportSource;
  readonly findings: Findings;
  /** Takes a dynamic record. @returns Lines that stand in the zone file instead. */
  dynamic(record: DynamicRecord): readonly string[];
}

/** A change of a file's text: these characters of a line replaced. */
interface Edit {
  readonly line: number;
  /** From 0. */
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/** Where reading stands, as `$ORIGIN` and `$TTL` have it; an included file starts from where its includer is. */
interface State {
  origin: Name;
  ttl: number | undefined;
  owner: Name;
}

/** Converts a zone file and what it includes. The first file is the zone's own. */
export function convertZone(path: string, outPath: string, options: ZoneOptions): ImportedFile[] {
  const state = { origin: options.origin, ttl: undefined, owner: options.origin };
  const text = options.source.read(path) ?? "";
  const files = convert(text, path, outPath, state, options);
  const [own] = files;
  const hasTtl = /^\$TTL\s/im.test(text);
  return hasTtl || !own
    ? files
    : [{ ...own, text: `$TTL ${options.defaultTtl}\n${own.text}` }, ...files.slice(1)];
}

function convert(
  text: string,
  file: string,
  outPath: string,
  state: State,
  options: ZoneOptions,
): ImportedFile[] {
  const edits: Edit[] = [], included: ImportedFile[] = [];
  const errors: ZoneFileError[] = [];
  const fileOrigin = state.origin;
  /** The owner that indented lines lost with the record above them. */
  let lost: Name | undefined;
  for (const entry of readEntries(text, file, errors)) {
    const [first, ...args] = entry.tokens as [ZoneToken, ...ZoneToken[]];
    for (const token of entry.tokens) edits.push(...specialOrigin(token, fileOrigin, options.origin));
    const nameAt = (token: ZoneToken | undefined) =>
      readName(token, state.origin, fileOrigin, options.origin);
    if (/^\$origin$/i.test(first.text)) state.origin = nameAt(args[0]) ?? state.origin;
    else if (/^\$ttl$/i.test(first.text)) state.ttl = parseTtl(args[0]?.text ?? "");
    else if (/^\$include$/i.test(first.text)) {
      included.push(...include(args, edits, file, outPath, state, nameAt(args[1]), options));
    } else {
      if (!entry.indented) state.owner = nameAt(first) ?? state.owner;
      const record = dynamicOf(entry, state, options.defaultTtl);
      if (record) {
        const lines = options.dynamic(record);
        edits.push({ line: first.at.line, from: 0, to: 0, text: "; " });
        for (let line = first.at.line + 1; line <= entry.end.line; line++) {
          edits.push({ line, from: 0, to: 0, text: "; " });
        }
        edits.push({
          line: entry.end.line,
          from: Infinity,
          to: Infinity,
          text: lines.map((line) => `\n${line}`).join(""),
        });
        if (!entry.indented) lost = state.owner;
        else lost ??= state.owner;
      } else if (!entry.indented) lost = undefined;
      else if (lost !== undefined) {
        edits.push({ line: first.at.line, from: 0, to: 0, text: formatName(lost) });
        lost = undefined;
      }
    }
  }
  for (const { at, message } of errors) options.findings.leftOut(at, "a line that cannot be read", message);
  return [{ path: outPath, text: apply(text, edits) }, ...included];
}

/** An included file goes beside the zone's own, in a folder of the zone: its names may differ from zone to zone. */
function include(
  args: readonly ZoneToken[],
  edits: Edit[],
  file: string,
  outPath: string,
  state: State,
  origin: Name | undefined,
  options: ZoneOptions,
): ImportedFile[] {
  const [token] = args;
  if (!token) return [];
  const path = besides(file, token.text);
  const text = options.source.read(path);
  if (text === undefined) {
    options.findings.leftOut(token.at, `$INCLUDE ${token.text}`, "there is no such file");
    return [];
  }
  const folder = `${outPath.replace(/\.d\/[^/]*$/, "")}`;
  const name = token.text.replace(/[^A-Za-z0-9._-]+/g, "_");
  const inFolder = outPath.endsWith(".zone") ? `${folder.split("/").at(-1)}.d/${name}` : name;
  const target = outPath.endsWith(".zone") ? `${folder}.d/${name}` : `${folder}.d/${name}`;
  edits.push(replacing(token, inFolder));
  return convert(text, path, target, { ...state, origin: origin ?? state.origin }, options);
}

/** `@Z` and `@F`, alone or as the last label: the zone's name, and the origin that the file began with. */
function specialOrigin(token: ZoneToken, fileOrigin: Name, zone: Name): Edit[] {
  const [, before, which] = /^(|.*\.)@([ZF])$/.exec(token.text) ?? [];
  if (before === undefined || token.quoted) return [];
  return [replacing(token, before + formatName(which === "Z" ? zone : fileOrigin))];
}

function readName(
  token: ZoneToken | undefined,
  origin: Name,
  fileOrigin: Name,
  zone: Name,
): Name | undefined {
  if (!token) return undefined;
  const text = token.text.replace(
    /(^|\.)@([ZF])$/,
    (_, dot: string, which: string) => dot + formatName(which === "Z" ? zone : fileOrigin),
  );
  try {
    return parseName(text, origin);
  } catch {
    return undefined;
  }
}

/** The record that an entry is, where its type is one of gdnsd's own. */
function dynamicOf({ tokens, indented }: Entry, state: State, defaultTtl: number): DynamicRecord | undefined {
  const words = indented ? tokens : tokens.slice(1);
  const at = words.findIndex(({ text, quoted }) => !quoted && /^DYN[AC]$/i.test(text));
  const reference = words[at + 1]?.text;
  if (at < 0 || reference === undefined || at > 2) return undefined;
  const ttl = words.slice(0, at).map(({ text }) => text).find((text) => /^\d/.test(text));
  const [max, min] = (ttl ?? "").split("/").map((text) => parseTtl(text));
  const most = max ?? state.ttl ?? defaultTtl;
  return {
    at: words[at]!.at,
    name: state.owner,
    type: words[at]!.text.toUpperCase() as "DYNA" | "DYNC",
    reference,
    ttl: { max: most, min: Math.min(min ?? Math.floor(most / 2), most) },
  };
}

function replacing({ at: { line, column }, text }: ZoneToken, by: string): Edit {
  const from = column - 1;
  return { line, from, to: from + Array.from(text).length, text: by };
}

/** Applies edits to lines, from right to left. */
function apply(text: string, edits: readonly Edit[]): string {
  const lines = text.split("\n").map((line) => Array.from(line));
  for (const { line, from, to, text } of edits.toSorted((a, b) => b.line - a.line || b.from - a.from)) {
    const characters = lines[line - 1]!;
    characters.splice(
      Math.min(from, characters.length),
      Math.min(to, characters.length) - Math.min(from, characters.length),
      text,
    );
  }
  return lines.map((characters) => characters.join("")).join("\n");
}
