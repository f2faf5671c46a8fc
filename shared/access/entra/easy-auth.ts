import type { HeaderReader } from '../../platform/http/index.ts';
import type { Claims } from '../callers.ts';
import { claimsOfPrincipal, type RawClaims } from './entra-claims.ts';

const MAX_CHARACTERS = 64 * 1024;
const PROVIDER = 'aad';
/** As Easy Auth calls some claims; the others keep the names that they have in tokens. */
const NAMES: Readonly<Record<string, string>> = {
  'http://schemas.microsoft.com/identity/claims/objectidentifier': 'oid',
  'http://schemas.microsoft.com/identity/claims/tenantid': 'tid',
  'http://schemas.microsoft.com/identity/claims/scope': 'scp',
  'http://schemas.microsoft.com/ws/2008/06/identity/claims/role': 'roles',
};
/** Of which there may be several. */
const LISTS: ReadonlySet<string> = new Set(['roles', 'groups']);

/** Whether a request says whom the platform signed in. */
export function hasPrincipal(headers: HeaderReader): boolean {
  return headers.get('x-ms-client-principal') !== null;
}

/**
 * Whom Easy Auth signed in; undefined for anybody but members and programs of the tenant. To be asked only where the platform, which takes
 * these headers from what callers send, is known to do so.
 */
export function readPrincipal(headers: HeaderReader, tenant: string): Claims | undefined {
  const text = headers.get('x-ms-client-principal') ?? '';
  if (headers.get('x-ms-client-principal-idp') !== PROVIDER || text.length > MAX_CHARACTERS) {
    return undefined;
  }
  const principal = parse(text);
  if (principal?.auth_typ !== PROVIDER || !Array.isArray(principal.claims)) {
    return undefined;
  }
  const claims = byName(principal.claims, principal.role_typ);
  return claims.tid === tenant ? claimsOfPrincipal(claims) : undefined;
}

function byName(list: readonly unknown[], roleName: unknown): RawClaims {
  const claims = new Map<string, string | string[]>();
  for (const claim of list) {
    const { typ, val } = isObject(claim) ? claim : {};
    if (typeof typ === 'string' && typeof val === 'string') {
      const name = typ === roleName ? 'roles' : (NAMES[typ] ?? typ);
      claims.set(name, LISTS.has(name) ? [...(claims.get(name) ?? []), val] : val);
    }
  }
  return Object.fromEntries(claims);
}

function parse(text: string): RawClaims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64').toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is RawClaims {
  return typeof value === 'object' && value !== null;
}
