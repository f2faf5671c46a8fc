import type { Verb } from '../../../shared/platform/http/index.ts';
import type { Ask } from './asked-table.ts';

interface Allowed {
  readonly verbs: readonly Verb[];
  /** Keys, each of which stands for itself and all below it; `/` for everything. No wildcards. */
  readonly keys: readonly string[];
  /** Every namespace unless given. */
  readonly ns?: string;
}

const SEES: Allowed = { verbs: ['read', 'list', 'watch'], keys: ['/'] };

/** The keys of the one whom a narrow role is for, as sample requests have them. */
const OWN = [
  '/app/own',
  '/srv/own',
  '/kv/own',
  '/bundle/own',
  '/tpl/own',
  '/tpl/own-base',
  '/env/own',
  '/op/op_own',
  '/election/own',
  '/hook/own',
  '/reg/own',
];

/** Roles as docs/access.md describes them, in so few words that one sees that they are right. */
export const ROLES: Readonly<Record<string, readonly Allowed[]>> = {
  viewer: [SEES],
  publisher: [SEES, { verbs: ['write', 'delete'], keys: ['/app', '/bundle', '/kv', '/tpl'] }],
  'agent:own': [
    {
      verbs: ['read', 'list', 'watch'],
      keys: ['/srv', '/app/own', '/bundle/own', '/election/own', '/kv/own'],
    },
    { verbs: ['write', 'delete'], keys: ['/srv/own'] },
  ],
  agent: [{ verbs: ['read', 'list', 'watch'], keys: ['/srv'] }],
  operator: [{ verbs: ['read', 'list', 'watch', 'write', 'delete', 'reveal'], keys: ['/'] }],
  admin: [{ verbs: ['read', 'list', 'watch', 'write', 'delete', 'admin', 'reveal'], keys: ['/'] }],
  narrow: [{ verbs: ['read', 'list', 'watch', 'write', 'delete'], keys: OWN, ns: 'default' }],
  reader: [{ verbs: ['read'], keys: OWN }],
  dropper: [{ verbs: ['write'], keys: ['/app', '/kv', '/bundle'] }],
};

/** Those that are no built-in ones, as they are put. */
export const CUSTOM_ROLES = ['narrow', 'reader', 'dropper'] as const;

export function modelAllows(role: string, ns: string, { verb, keys }: Ask): boolean {
  return (ROLES[role] ?? []).some(
    (allowed) =>
      allowed.verbs.includes(verb) &&
      (allowed.ns ?? ns) === ns &&
      allowed.keys.some((key) => key === '/' || keys === key || keys.startsWith(`${key}/`)),
  );
}

/** What becomes of a request with these asks: it goes on, is forbidden, or meets nothing. */
export function modelDecides(
  role: string,
  ns: string,
  asks: readonly Ask[],
): 'goes on' | 'is forbidden' | 'meets nothing' {
  if (asks.every((ask) => modelAllows(role, ns, ask))) {
    return 'goes on';
  }
  return asks.every(({ keys }) => modelAllows(role, ns, { verb: 'read', keys }))
    ? 'is forbidden'
    : 'meets nothing';
}
