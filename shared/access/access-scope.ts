import type { Scope } from '../records/index.ts';

/** Roles and tokens of all namespaces share a log, so that every question is answered from one snapshot. */
export const ACCESS_SCOPE: Scope = { ns: 'default', kind: 'access', name: '' };

export const ROLES = '/access/roles';
export const TOKENS = '/access/tokens';

export function roleKey(name: string): string {
  return `${ROLES}/${name}`;
}

export function tokenKey(id: string): string {
  return `${TOKENS}/${id}`;
}
