import { invalid } from '../platform/errors.ts';
import { NAME_PATTERN } from '../platform/http/name.ts';
import { isUnder, type Scope } from '../records/index.ts';
import { type SubscriptionValue, subscriptionScope } from './subscription.ts';

/** What the fan-out knows of a change. */
export interface Announcement {
  /** The scope's partition key. */
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  /** RFC 3339, perhaps rewritten by the host: to be compared as an instant only. */
  readonly at: string;
}

const MAX_KEY_CHARACTERS = 500;

/** What the keys below a first segment are like, which is the kind of their scopes. */
interface Root {
  /** Whether the second segment names the scope. */
  readonly isNamed: boolean;
  /** Segments of a key after the first. */
  readonly depth: number;
  readonly segment: RegExp;
}

const ROOTS: ReadonlyMap<string, Root> = new Map([
  ['app', { isNamed: false, depth: 1, segment: NAME_PATTERN }],
  ['srv', { isNamed: true, depth: 2, segment: NAME_PATTERN }],
  ['reg', { isNamed: false, depth: 1, segment: /^.+$/ }],
]);

/**
 * Checks a key prefix to be watched. Subscriptions themselves cannot be watched: their endpoints are nobody else's
 * business.
 *
 * @throws SkerryError `invalid`.
 */
export function checkWatchedKey(key: string): void {
  if (key !== '/' && !isWatchable(key)) {
    throw invalid(`"${key.slice(0, 100)}" is not a key prefix that can be watched.`, {
      field: 'key',
      fix: 'Use "/app", "/app/NAME", "/srv", "/srv/SERVICE", "/srv/SERVICE/INSTANCE", "/reg", or "/" for all of them.',
    });
  }
}

/** Whether some record may have this key, or one below it. */
function isWatchable(key: string): boolean {
  const [empty, first = '', ...below] = key.split('/');
  const root = ROOTS.get(first);
  const segments = below.at(-1) === '' ? below.slice(0, -1) : below;
  return (
    empty === '' &&
    root !== undefined &&
    key.length <= MAX_KEY_CHARACTERS &&
    segments.length <= root.depth &&
    segments.every((segment) => root.segment.test(segment))
  );
}

/** The one scope that holds all keys under a prefix; undefined where several may. */
export function scopeOfWatchedKey(ns: string, key: string): Scope | undefined {
  const [, kind = '', name = ''] = key.split('/');
  const root = ROOTS.get(kind);
  if (root === undefined || (root.isNamed && name === '')) {
    return undefined;
  }
  return { ns, kind, name: root.isNamed ? name : '' };
}

/** Whether changes of a scope are told to anyone; those of subscriptions are not, not even under the key `/`. */
export function isAnnounced(scope: Scope): boolean {
  return scope.kind !== subscriptionScope(scope.ns).kind;
}

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
  if (!isUnder(key, change.key)) {
    return false;
  }
  if ('scope' in since) {
    return change.scope === since.scope && change.revision > since.revision;
  }
  return Date.parse(change.at) >= Date.parse(since.at) - clockSkewMilliseconds;
}
