import { createHash, timingSafeEqual } from 'node:crypto';
import { SkerryError } from '../platform/errors.ts';
import {
  type Access,
  type AccessControl,
  type CallerOf,
  type HeaderReader,
  nobody,
  unrestricted,
} from '../platform/http/index.ts';
import type { Settings } from '../platform/settings.ts';

export type AccessSettings = Pick<
  Settings,
  'SKERRY_LOCAL' | 'SKERRY_AUTH' | 'SKERRY_BOOTSTRAP_TOKEN_SHA256' | 'SKERRY_LEGACY_ACCESS'
>;

const BOOTSTRAP = 'token:bootstrap';

/** Denies by default: a call needs a token, unless its endpoint says otherwise (README, "Running it"). */
export function createAccessControl(settings: AccessSettings): AccessControl {
  const isOpen = isOpenToAll(settings);
  const hash = settings.SKERRY_BOOTSTRAP_TOKEN_SHA256;
  const expected = hash === undefined ? undefined : Buffer.from(hash, 'hex');
  return {
    isOffered: (access) => isOpen || !isLegacy(access) || settings.SKERRY_LEGACY_ACCESS === 'open',
    async admit(access, { headers }) {
      if (isOpen) {
        return unrestricted('local');
      }
      if (access === 'open' || isLegacy(access)) {
        return unrestricted('anonymous');
      }
      const token = bearerToken(headers);
      if (expected === undefined || token === undefined || !timingSafeEqual(digest(token), expected)) {
        throw unauthorized();
      }
      return unrestricted(BOOTSTRAP);
    },
  };
}

/** What makers may do now. */
export function createCallerOf(settings: AccessSettings): CallerOf {
  const mayAll = isOpenToAll(settings);
  return async ({ actor }) => (mayAll || actor === BOOTSTRAP ? unrestricted(actor) : nobody(actor));
}

function isOpenToAll({ SKERRY_LOCAL, SKERRY_AUTH }: AccessSettings): boolean {
  return SKERRY_LOCAL && SKERRY_AUTH !== 'on';
}

function isLegacy(access: Access): boolean {
  return typeof access === 'object' && access.legacy === true;
}

function bearerToken(headers: HeaderReader): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(headers.get('authorization') ?? '')?.[1];
}

/** Digests are equally long, as the comparison in constant time needs. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function unauthorized(): SkerryError {
  return new SkerryError('unauthorized', 'This call needs a token that is known here.', {
    field: 'Authorization',
    fix: 'Send "Authorization: Bearer <token>".',
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}
