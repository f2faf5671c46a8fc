import { SkerryError } from '../platform/errors.ts';
import {
  type Access,
  type AccessControl,
  ANONYMOUS,
  actorAt,
  type Caller,
  type HeaderReader,
  LOCAL,
  nobody,
  unrestricted,
} from '../platform/http/index.ts';
import type { Callers, Claims } from './callers.ts';
import { hasPrincipal, readPrincipal } from './entra/easy-auth.ts';
import type { EntraTokens } from './entra/entra-tokens.ts';
import type { LegacyAccess } from './legacy-access.ts';

/** A signed one in its compact form. */
const JWT = /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/;

export interface AccessControlOptions {
  /** Whether everybody may do everything, as on a laptop. */
  readonly isOpen: boolean;
  readonly callers: Pick<Callers, 'byToken' | 'byClaims' | 'byAddress'>;
  readonly legacy: LegacyAccess;
  /** Undefined where none are accepted. */
  readonly entraTokens?: Pick<EntraTokens, 'read'> | undefined;
  /** The tenant of those whom the platform signs in; undefined where it does not, and what its headers say is anybody's word. */
  readonly easyAuthTenant?: string | undefined;
}

/** Denies by default: a call needs credentials, unless its endpoint says otherwise (docs/access.md). */
export function createAccessControl(options: AccessControlOptions): AccessControl {
  const { isOpen, callers, legacy } = options;
  return {
    isOffered: (access, { clientAddress }) => isOpen || !isLegacy(access) || legacy.admits(clientAddress),
    async admit(access, { headers, clientAddress }) {
      if (isOpen) {
        return unrestricted(LOCAL);
      }
      if (access === 'open') {
        return nobody(ANONYMOUS);
      }
      const authorization = headers.get('authorization') ?? '';
      if (authorization !== '' || (options.easyAuthTenant !== undefined && hasPrincipal(headers))) {
        const known = await callerBy(authorization, headers, options);
        if (known === undefined) {
          const isOther = authorization !== '' && !/^Bearer\b/i.test(authorization);
          throw unauthorized(isOther ? 'Bearer' : 'Bearer error="invalid_token"');
        }
        return known;
      }
      if (isLegacy(access)) {
        return unrestricted(actorAt(clientAddress));
      }
      const caller = await callers.byAddress(clientAddress);
      if (caller === undefined) {
        throw unauthorized('Bearer');
      }
      return caller;
    },
  };
}

/** Undefined for credentials that are not accepted. */
async function callerBy(
  authorization: string,
  headers: HeaderReader,
  { callers, entraTokens, easyAuthTenant }: AccessControlOptions,
): Promise<Caller | undefined> {
  let claims: Claims | undefined;
  if (authorization !== '') {
    const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
    if (token === undefined || !JWT.test(token)) {
      return token === undefined ? undefined : await callers.byToken(token);
    }
    claims = await entraTokens?.read(token);
  }
  // Easy Auth has looked at whatever token came; where tokens are read here, what they say counts alone.
  if (easyAuthTenant !== undefined && (authorization === '' || entraTokens === undefined)) {
    claims = readPrincipal(headers, easyAuthTenant);
  }
  return claims && (await callers.byClaims(claims));
}

function isLegacy(access: Access): boolean {
  return typeof access === 'object' && access.legacy === true;
}

/** In the same words for all faults: which one it is helps those who guess. */
function unauthorized(challenge: string): SkerryError {
  return new SkerryError('unauthorized', 'This call needs a token that is known here.', {
    field: 'Authorization',
    fix: 'Send "Authorization: Bearer <token>".',
    headers: { 'WWW-Authenticate': challenge },
  });
}
