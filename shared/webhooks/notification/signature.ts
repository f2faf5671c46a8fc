import { createHmac, createPrivateKey, sign as signAsymmetrically } from 'node:crypto';
import type { SignatureVersion } from '../subscription/subscription.ts';

/** The beginning of an ed25519 private key in PKCS #8 (RFC 8410); the seed of 32 bytes follows. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const SEED_BYTES = 32;

/**
 * Signs one request by Standard Webhooks 1.0 ("Signature scheme").
 *
 * @param secret `whsec_…` for v1, `whsk_…` for v1a.
 * @param timestamp seconds since the Unix epoch.
 * @returns `v1,…` or `v1a,…`.
 */
export function sign(
  version: SignatureVersion,
  secret: string,
  id: string,
  timestamp: number,
  body: string,
): string {
  const signature = signBytes(version, secretBytes(secret), Buffer.from(`${id}.${timestamp}.${body}`));
  return `${version},${signature.toString('base64')}`;
}

/**
 * HMAC-SHA256 for v1, ed25519 for v1a.
 *
 * @param secret for v1a the seed, whatever follows it.
 */
export function signBytes(version: SignatureVersion, secret: Buffer, content: Buffer): Buffer {
  if (version === 'v1') {
    return createHmac('sha256', secret).update(content).digest();
  }
  const key = Buffer.concat([PKCS8_PREFIX, secret.subarray(0, SEED_BYTES)]);
  return signAsymmetrically(undefined, content, createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
}

function secretBytes(secret: string): Buffer {
  return Buffer.from(secret.slice(secret.indexOf('_') + 1), 'base64');
}
