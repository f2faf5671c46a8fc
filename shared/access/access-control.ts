import { SkerryError } from '../platform/errors.ts';
import {
  type Access,
  type AccessControl,
  type Caller,
  nobody,
  unrestricted,
} from '../platform/http/index.ts';
import { ANONYMOUS, type Callers } from './callers.ts';
import type { LegacyAccess } from './legacy-access.ts';

export interface AccessControlOptions {
  /** Whether everybody may do everything, as on a laptop. */
  readonly isOpen: boolean;
  readonly callers: Pick<Callers, 'byToken' | 'byAddress'>;
  readonly legacy: LegacyAccess;
}

/** Denies by default: a call needs credentials, unless its endpoint says otherwise (docs/access.md). */
export function createAccessControl({ isOpen, callers, legacy }: AccessControlOptions): AccessControl {
  return {
    isOffered: (access, { clientAddress }) => isOpen || !isLegacy(access) || legacy.admits(clientAddress),
    async admit(access, credentials) {
      if (isOpen) {
        return unrestricted('local');
      }
      if (access === 'open') {
        return nobody(ANONYMOUS);
      }
      const { clientAddress } = credentials;
      const authorization = credentials.headers.get('authorization') ?? '';
      if (authorization !== '') {
        return await byAuthorization(authorization, callers);
      }
      if (isLegacy(access)) {
        return unrestricted(clientAddress === undefined ? ANONYMOUS : `address:${clientAddress}`);
      }
      const caller = await callers.byAddress(clientAddress);
      if (caller === undefined) {
        throw unauthorized('Bearer');
      }
      return caller;
    },
  };
}

async function byAuthorization(
  authorization: string,
  callers: AccessControlOptions['callers'],
): Promise<Caller> {
  const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1];
  const caller = token === undefined ? undefined : await callers.byToken(token);
  if (caller === undefined) {
    throw unauthorized(/^Bearer\b/i.test(authorization) ? 'Bearer error="invalid_token"' : 'Bearer');
  }
  return caller;
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
