import { createHash, randomBytes } from 'node:crypto';

/**
 * A token of 256 random bits, and its SHA-256 in hex, by which a Skerry that was told it knows the token.
 *
 * @param token the text; a new one without.
 */
export function newToken(token = `skt_${randomBytes(32).toString('base64url')}`): {
  readonly token: string;
  readonly sha256: string;
} {
  return { token, sha256: createHash('sha256').update(token).digest('hex') };
}
