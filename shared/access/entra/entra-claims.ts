import type { Claims } from '../callers.ts';

/** Claims by their names in access tokens; what they are is not known. */
export type RawClaims = Readonly<Record<string, unknown>>;

const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Who an access token is for: a person, for whom a program asks with their consent (`scp`), or a program by itself. Undefined for what is
 * neither, such as the token by which a person signed in somewhere.
 */
export function claimsOfToken(raw: RawClaims): Claims | undefined {
  return typeof raw.scp === 'string' && raw.idtyp !== 'app' ? ofPerson(raw) : ofProgram(raw);
}

/** The same of what Easy Auth vouches for, where a person may have signed in by a browser. */
export function claimsOfPrincipal(raw: RawClaims): Claims | undefined {
  const isProgram = raw.idtyp === 'app' || (typeof raw.scp !== 'string' && clientOf(raw) !== undefined);
  return isProgram ? ofProgram(raw) : ofPerson(raw);
}

function ofPerson(raw: RawClaims): Claims | undefined {
  return isId(raw.oid) ? { actor: `user:${raw.oid.toLowerCase()}`, ...grantsOf(raw) } : undefined;
}

function ofProgram(raw: RawClaims): Claims | undefined {
  const client = clientOf(raw);
  return isId(client) ? { actor: `app:${client.toLowerCase()}`, ...grantsOf(raw) } : undefined;
}

/** In tokens of version 2 and of version 1. */
function clientOf({ azp, appid }: RawClaims): unknown {
  return azp ?? appid;
}

function grantsOf({ roles, groups }: RawClaims) {
  return { roles: textsOf(roles), groups: textsOf(groups) };
}

function textsOf(claim: unknown): string[] {
  const values: unknown[] = Array.isArray(claim) ? claim : [claim];
  return values.filter((value) => typeof value === 'string');
}

function isId(claim: unknown): claim is string {
  return typeof claim === 'string' && ID.test(claim);
}
