/**
 * Where a file of a version of the configuration may stand: below the folder of its Corefile and nowhere else.
 *
 * @module
 */

/** Whether a path, relative to the Corefile, is one. */
export function isVersionPath(path: string): boolean {
  return /^[\w][\w.-]*(\/[\w][\w.-]*)*$/.test(path) && path.length <= 255 && path !== "Corefile";
}
