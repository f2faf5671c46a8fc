import { invalid } from '../platform/errors.ts';
import { NAME_PATTERN } from '../platform/http/name.ts';
import type { Scope } from '../records/index.ts';

const MAX_KEY_CHARACTERS = 500;

/** What the keys below a first segment are like, which is the kind of their scopes. */
interface Kind {
  /** Whether the second segment names the scope. */
  readonly isNamed: boolean;
  /** Most segments of a key after the first; the first of them is a name where it names the scope. */
  readonly depth: number;
  readonly segment: RegExp;
  /** Whether a value of the past may be written again as it was: no lease and no rule beside the log has a say in it. */
  readonly isRestorable: boolean;
}

/** The kinds whose records anyone may see who may see their keys; others, such as subscriptions, are shown by their own API alone. */
const PUBLIC_KINDS: ReadonlyMap<string, Kind> = new Map([
  ['app', { isNamed: false, depth: 1, segment: NAME_PATTERN, isRestorable: true }],
  ['srv', { isNamed: true, depth: 2, segment: NAME_PATTERN, isRestorable: false }],
  ['kv', { isNamed: true, depth: Number.POSITIVE_INFINITY, segment: /^(?!\.{1,2}$)/, isRestorable: true }],
  ['election', { isNamed: true, depth: 1, segment: NAME_PATTERN, isRestorable: false }],
  ['bundle', { isNamed: true, depth: 3, segment: NAME_PATTERN, isRestorable: false }],
  ['tpl', { isNamed: false, depth: 3, segment: NAME_PATTERN, isRestorable: false }],
  ['env', { isNamed: true, depth: 3, segment: NAME_PATTERN, isRestorable: false }],
  ['op', { isNamed: true, depth: 3, segment: NAME_PATTERN, isRestorable: false }],
  ['endpoint', { isNamed: false, depth: 1, segment: NAME_PATTERN, isRestorable: false }],
  ['reg', { isNamed: false, depth: 1, segment: /^.+$/, isRestorable: false }],
]);

/** Where a key belongs. */
export interface KeyPlace {
  readonly scope: Scope;
  readonly isRestorable: boolean;
}

/**
 * Checks a key prefix that is to be watched or looked into: by whole segments, as `isUnder` has it; `/` is everything.
 *
 * @param shown what was asked for, where the prefix stands for it.
 * @throws SkerryError `invalid`.
 */
export function checkPublicKey(prefix: string, shown = prefix): void {
  if (prefix !== '/' && !isPossible(prefix)) {
    throw invalid(`"${shown.slice(0, 100)}" is neither a key nor the beginning of keys.`, {
      field: 'key',
      fix: 'Use "/app", "/app/NAME", "/srv", "/srv/SERVICE", "/srv/SERVICE/INSTANCE", "/kv", "/kv/STORE", "/kv/STORE/KEY", "/election/NAME", "/bundle/NAME", "/bundle/NAME/channels/CHANNEL", "/tpl/ID", "/env/ID", "/env/ID/resources/RESOURCE", "/op/ID", "/endpoint/SUBSCRIPTION", "/reg", or "/" for all of them.',
    });
  }
}

/** Whether some public record may have this key, or one below it. */
function isPossible(prefix: string): boolean {
  const [empty, first = '', ...below] = prefix.split('/');
  const kind = PUBLIC_KINDS.get(first);
  if (empty !== '' || kind === undefined || prefix.length > MAX_KEY_CHARACTERS) {
    return false;
  }
  const segments = below.at(-1) === '' ? below.slice(0, -1) : below;
  const [name = '', ...rest] = segments;
  const isNamedRightly = segments.length === 0 || (kind.isNamed ? NAME_PATTERN : kind.segment).test(name);
  return (
    isNamedRightly && segments.length <= kind.depth && rest.every((segment) => kind.segment.test(segment))
  );
}

/** The one scope that holds all keys under a prefix; undefined where several may. */
export function scopeOfPrefix(ns: string, prefix: string): Scope | undefined {
  return placeOfKey(ns, prefix)?.scope;
}

/** The kinds that have keys under a prefix; none where there is no such kind, or it is shown by its own API alone. */
export function kindsOfPrefix(prefix: string): { readonly kind: string; readonly isNamed: boolean }[] {
  const [, first = ''] = prefix.split('/');
  return [...PUBLIC_KINDS].flatMap(([kind, { isNamed }]) =>
    first === '' || first === kind ? { kind, isNamed } : [],
  );
}

/** Where a key, or all keys under a prefix, belong; undefined where that is no single scope of a public kind. */
export function placeOfKey(ns: string, key: string): KeyPlace | undefined {
  const [, first = '', name = ''] = key.split('/');
  const kind = PUBLIC_KINDS.get(first);
  if (kind === undefined || (kind.isNamed && name === '')) {
    return undefined;
  }
  return {
    scope: { ns, kind: first, name: kind.isNamed ? name : '' },
    isRestorable: kind.isRestorable,
  };
}

/** Whether the records and changes of a scope may be shown beside its own API: nobody is told of subscriptions, whose endpoints are nobody else's business. */
export function isPublic(scope: Scope): boolean {
  return PUBLIC_KINDS.has(scope.kind);
}
