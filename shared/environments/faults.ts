import { type SkerryError, unprocessable } from '../platform/errors.ts';
import { fieldPath } from '../platform/http/check.ts';

/** One thing that is wrong with what was sent. */
export interface Fault {
  /** Where: names of members and indexes of items. */
  readonly path: readonly (string | number)[];
  /** A sentence. */
  readonly detail: string;
  /** What to do about it, as a sentence. */
  readonly fix: string;
}

/** Most faults that are told at once. */
const MAX_FAULTS = 50;
/** Most names that a fault tells. */
const MAX_NAMES = 10;

/** @throws SkerryError `unprocessable` with all faults, told by the first of them, where there are some. */
export function refuseFaults(faults: readonly Fault[]): void {
  const [first] = faults;
  if (first !== undefined) {
    throw faultsError(first, faults);
  }
}

function faultsError(first: Fault, faults: readonly Fault[]): SkerryError {
  const others = faults.length - 1;
  return unprocessable(others === 0 ? first.detail : `${first.detail} (And ${others} more: see "faults".)`, {
    field: fieldPath(first.path),
    fix: first.fix,
    extensions: {
      faults: faults
        .slice(0, MAX_FAULTS)
        .map(({ path, detail, fix }) => ({ field: fieldPath(path), detail, fix })),
    },
  });
}

/** Names for the end of a sentence: which there are, or that there are none. */
export function namesOf(names: Iterable<string>): string {
  const first = new Set<string>();
  for (const name of names) {
    first.add(name);
    if (first.size > MAX_NAMES) break; // There may be thousands, and thousands of faults that tell of them.
  }
  const shown = [...first].slice(0, MAX_NAMES).map((name) => `"${name}"`);
  return first.size === 0
    ? 'there is none'
    : `there are ${shown.join(', ')}${first.size > MAX_NAMES ? ', …' : ''}`;
}
