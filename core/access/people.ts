/**
 * Who is behind an actor. One person may come with a token, a login and a certificate: that is still one person.
 *
 * @module
 */

import type { Actor } from "./actor.ts";

/** The names of an actor's people, in the one form in which they are compared; at least one. */
export function peopleOf({ id, people }: Pick<Actor, "id" | "people">): readonly string[] {
  const names = (people ?? []).map(personName).filter((name) => name !== "");
  return names.length > 0 ? [...new Set(names)] : [personName(id)];
}

/** Whether nobody can be behind both. */
export function areApart(some: readonly string[], others: readonly string[]): boolean {
  const names = new Set(some.map(personName));
  return !others.some((name) => names.has(personName(name)));
}

/** One form for one name: compatibility characters, case and blanks at its ends do not tell people apart. */
export function personName(name: string): string {
  return name.normalize("NFKC").trim().toLowerCase();
}
