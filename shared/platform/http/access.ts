import { createHash, timingSafeEqual } from 'node:crypto';
import { SkerryError } from '../errors.ts';
import type { Settings } from '../settings.ts';
import type { Access } from './endpoint.ts';
import type { HeaderReader } from './request.ts';

export type AccessSettings = Pick<Settings, 'SKERRY_LOCAL' | 'SKERRY_TOKEN' | 'SKERRY_LEGACY_ACCESS'>;

export interface AccessControl {
  /** Whether an endpoint exists for anyone at all; a legacy surface that is off does not. */
  isOffered(access: Access): boolean;
  /**
   * Who asks, as changes record it.
   *
   * @throws SkerryError `unauthorized`.
   */
  admit(access: Access, headers: HeaderReader): string;
}

/**
 * Denies by default: outside local mode a call needs the shared token, unless its endpoint says otherwise
 * (README, "Running it").
 */
export function createAccessControl(settings: AccessSettings): AccessControl {
  const expected = settings.SKERRY_TOKEN === undefined ? undefined : digest(settings.SKERRY_TOKEN);
  return {
    isOffered: (access) =>
      settings.SKERRY_LOCAL || !isLegacy(access) || settings.SKERRY_LEGACY_ACCESS === 'open',
    admit(access, headers) {
      if (settings.SKERRY_LOCAL) {
        return 'local';
      }
      if (access === 'open' || isLegacy(access)) {
        return 'anonymous';
      }
      const token = bearerToken(headers);
      if (expected === undefined || token === undefined || !timingSafeEqual(digest(token), expected)) {
        throw unauthorized(expected === undefined);
      }
      return 'token';
    },
  };
}

function isLegacy(access: Access): boolean {
  return access !== 'open' && access.legacy === true;
}

function bearerToken(headers: HeaderReader): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(headers.get('authorization') ?? '')?.[1];
}

/** Digests are equally long, as the comparison in constant time needs. */
function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function unauthorized(isUnset: boolean): SkerryError {
  return new SkerryError('unauthorized', 'This call needs the shared token.', {
    field: 'Authorization',
    fix: isUnset
      ? 'Set SKERRY_TOKEN in the settings of the app, then send "Authorization: Bearer <token>".'
      : 'Send "Authorization: Bearer <token>".',
    headers: { 'WWW-Authenticate': 'Bearer' },
  });
}
