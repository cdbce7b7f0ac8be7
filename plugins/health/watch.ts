/**
 * Finds the addresses behind the names to watch, and keeps finding them.
 *
 * @module
 */

import { TYPE } from "../../core/dns/types.ts";
import {
  type Answer,
  type ControlScope,
  fold,
  formatAddress,
  formatName,
  type Name,
  type RRset,
} from "../../core/plugin.ts";

/** The addresses in the RRsets of a type in an answer, text form. */
export function addressesIn({ answer }: Answer, type: number): string[] {
  return answer.filter((rrset) => rrset.type === type && rrset.pool === undefined).flatMap(addressTexts);
}

/** The addresses of an A or AAAA RRset, text form. */
export function addressTexts({ type, rdata }: RRset): string[] {
  const octets = type === TYPE.A ? 4 : type === TYPE.AAAA ? 16 : 0;
  return rdata.filter(({ length }) => length === octets)
    .map((octets) => formatAddress({ family: octets.length === 4 ? 4 : 6, octets }));
}

/**
 * Asks the block's own chain for the addresses of `names`. What health left out of the answer because it is down is
 * not gone: such addresses stay, as `isDown` has it, until they are up again and the answer shows whether they are there.
 */
export async function findAddresses(
  names: readonly Name[],
  scope: Pick<ControlScope, "ask" | "log">,
  before: ReadonlyMap<Name, readonly string[]>,
  isDown: (address: string) => boolean,
): Promise<Map<Name, string[]>> {
  const found = new Map<Name, string[]>();
  for (const name of names) {
    const known = before.get(name) ?? [];
    try {
      const shown = [...addressesIn(await scope.ask(fold(name), TYPE.A), TYPE.A)];
      shown.push(...addressesIn(await scope.ask(fold(name), TYPE.AAAA), TYPE.AAAA));
      found.set(name, [...new Set([...shown, ...known.filter(isDown)])].sort());
    } catch (error) {
      scope.log.error(
        `health: cannot find the addresses of ${formatName(name)}: ${(error as Error).message}`,
      );
      found.set(name, [...known]);
    }
  }
  return found;
}
