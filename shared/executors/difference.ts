/** Keys that a difference names, of each sort. */
const MAX_NAMED = 10;

/** How keys differ from what they should be, as an observation has it; empty where they do not. */
export function differenceOf(
  missing: readonly string[],
  changed: readonly string[],
): { difference?: string } {
  const parts = [named('missing', missing), named('changed', changed)].filter((part) => part !== '');
  return parts.length === 0 ? {} : { difference: parts.join('; ') };
}

function named(what: string, keys: readonly string[]): string {
  const more = keys.length > MAX_NAMED ? ` and ${keys.length - MAX_NAMED} more` : '';
  return keys.length === 0 ? '' : `${what}: ${keys.slice(0, MAX_NAMED).join(', ')}${more}`;
}
