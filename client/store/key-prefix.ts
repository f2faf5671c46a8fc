/**
 * Whether a key lies under a prefix, by whole segments: `a` covers `a` and `a/b`, never `ab`; `a/` only what is below; nothing covers
 * everything.
 */
export function covers(prefix: string, key: string): boolean {
  if (prefix === '') return true;
  if (!key.startsWith(prefix)) return false;
  return prefix.endsWith('/') ? key.length > prefix.length : (key[prefix.length] ?? '/') === '/';
}

/** @throws TypeError for a prefix that would cut keys within a segment. */
export function checkOwnPrefix(prefix: string): void {
  if (prefix !== '' && !prefix.endsWith('/')) {
    throw new TypeError(`The prefix "${prefix}" ends within a segment of a key. End it with a slash.`);
  }
}
