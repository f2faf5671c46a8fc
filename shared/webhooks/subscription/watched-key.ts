import { checkPublicKey } from '../../keyspace/index.ts';
import { invalid } from '../../platform/errors.ts';
import type { Keys } from '../../platform/http/index.ts';
import { RecentMap } from '../../platform/recent-map.ts';
import { isUnder } from '../../records/index.ts';
import type { SubscriptionValue } from './subscription.ts';
import { matchesWildcards } from './wildcards.ts';

/** What the fan-out knows of a change. */
export interface Announcement {
  /** The scope's partition key. */
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  /** RFC 3339, perhaps rewritten by the host: to be compared as an instant only. */
  readonly at: string;
}

const MAX_PATTERN_CHARACTERS = 500;

/** Patterns are asked about every change of their namespace. */
const COMPILED_LIMIT = 1_000;
const compiled = new RecentMap<string, readonly string[]>(COMPILED_LIMIT);

/**
 * Whether a subscription is to be told of a change of its namespace: its key covers it, and it is younger than the
 * subscription.
 *
 * @param clockSkewMilliseconds how far two instances' clocks may differ; a subscription to several scopes hears of changes this much older than itself rather than miss one.
 */
export function hears(
  { key, since }: Pick<SubscriptionValue, 'key' | 'since'>,
  change: Announcement,
  clockSkewMilliseconds: number,
): boolean {
  if (!covers(key, change.key)) {
    return false;
  }
  if ('scope' in since) {
    return change.scope === since.scope && change.revision > since.revision;
  }
  return Date.parse(change.at) >= Date.parse(since.at) - clockSkewMilliseconds;
}

/**
 * Whether the key of a subscription covers the key of a record: as a prefix by whole segments, or, where it has a `*`, as a
 * pattern of the whole key. In a pattern `*` is any part of a segment, and the segment `**` any number of segments, none
 * included.
 */
export function covers(watched: string, key: string): boolean {
  if (!isPattern(watched)) {
    return isUnder(watched, key);
  }
  let pattern = compiled.get(watched);
  if (pattern === undefined) {
    pattern = watched.split('/');
    compiled.set(watched, pattern);
  }
  return matchesWildcards(pattern, key.split('/'), '**', (wanted, segment) =>
    matchesWildcards(wanted, segment, '*', Object.is),
  );
}

/** All that a subscription's key may cover: what has to be authorised. */
export function watchedKeys(watched: string): Keys {
  if (!isPattern(watched)) {
    return watched;
  }
  const star = watched.indexOf('*');
  // "**" covers what it stands below, too.
  return watched.startsWith('/**', star - 1)
    ? literalBeginning(watched)
    : { beginWith: watched.slice(0, star) };
}

/** The prefix under which all keys lie that a subscription's key covers: what has a scope. */
export function literalBeginning(watched: string): string {
  if (!isPattern(watched)) {
    return watched;
  }
  // Without slashes at the end: what they begin may be nothing, and a prefix that ends in one covers only what is below.
  return watched.slice(0, watched.lastIndexOf('/', watched.indexOf('*'))).replace(/\/+$/, '');
}

/** @throws SkerryError `invalid` for a key that covers no public one. */
export function checkWatchedKey(watched: string): void {
  if (!isPattern(watched)) {
    checkPublicKey(watched);
    return;
  }
  const [empty, kind = '', ...segments] = watched.split('/');
  if (empty !== '' || isPattern(kind)) {
    throw badPattern(watched, 'does not begin with a literal kind of keys');
  }
  if (watched.length > MAX_PATTERN_CHARACTERS) {
    throw badPattern(watched, `is longer than ${MAX_PATTERN_CHARACTERS} characters`);
  }
  if (watched.endsWith('/')) {
    throw badPattern(watched, 'ends in a slash, where "/**" covers what is below');
  }
  if (segments.some((segment) => segment.includes('**') && segment !== '**')) {
    throw badPattern(watched, 'has "**" as a part of a segment');
  }
  const example = segments.filter((segment) => segment !== '**').map(exampleOf);
  checkPublicKey(['', kind, ...example].join('/'), watched);
}

function isPattern(key: string): boolean {
  return key.includes('*');
}

/** The shortest segment that a pattern covers, so that one is refused that covers only what cannot be. */
function exampleOf(segment: string): string {
  return isPattern(segment) ? segment.replaceAll('*', '') || 'x' : segment;
}

function badPattern(watched: string, fault: string) {
  return invalid(`The pattern "${watched.slice(0, 100)}" ${fault}.`, {
    field: 'key',
    fix: 'Use "*" for a segment or a part of one, and "**" for any number of segments, behind a kind: "/srv/*/one", "/kv/agent1/**/mtu".',
  });
}
