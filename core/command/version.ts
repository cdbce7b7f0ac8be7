/** This program's version. @module */

/** As in CHANGELOG.md. */
export const VERSION = "0.1.0";
