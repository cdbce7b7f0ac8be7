/**
 * What access control says no with.
 *
 * @module
 */

/** `forbidden`: not this actor. `invalid`: not like this. `absent`: there is none. `conflict`: not as things stand now. */
export type AccessErrorKind = "forbidden" | "invalid" | "absent" | "conflict";

/** Something was not done, for a reason that the person who asked may read. */
export class AccessError extends Error {
  override readonly name = "AccessError";
  readonly kind: AccessErrorKind;
  /** The field of the request that is at fault, as a path: `grants.0.pools`. */
  readonly field: string | undefined;

  constructor(kind: AccessErrorKind, message: string, field?: string) {
    super(message);
    this.kind = kind;
    this.field = field;
  }
}
