import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { toTimestamp } from '../../platform/clock.ts';
import { conflict, invalid } from '../../platform/errors.ts';
import type { Random } from '../../platform/random.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { SignatureVersion, SigningKey, SubscriptionValue } from './subscription.ts';

/** Each of them makes every request longer. */
const MAX_KEYS = 5;
const SECRET_BYTES = 32;
/** Standard Webhooks 1.0, "Signature scheme": bytes of a secret, in base64 behind its prefix. */
const GIVEN_SECRET = { pattern: /^whsec_([0-9A-Za-z+/]+={0,2})$/, min: 24, max: 64 };

export interface SigningKeyMaker {
  readonly sealer: Sealer;
  readonly random: Random;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
}

export interface NewSigningKey {
  readonly key: SigningKey;
  /** What receivers verify with, of v1, where it is secret: to be shown this once. */
  readonly secret?: string;
}

/** What the key of a subscription is sealed for. */
export function signingKeyPlace(ns: string, id: string, keyId: string): readonly string[] {
  return [ns, id, keyId];
}

/**
 * A new key for a subscription, in the forms of Standard Webhooks 1.0 ("Signature scheme").
 *
 * @param id of the subscription.
 * @param given the secret, of v1; one is made up without it.
 * @throws SkerryError `unavailable` when nothing can be sealed, `invalid` for a secret that is none.
 */
export function newSigningKey(
  ns: string,
  id: string,
  version: SignatureVersion,
  { sealer, random, now }: SigningKeyMaker,
  given?: string,
): NewSigningKey {
  const keyId = `key_${random.id()}`;
  const place = signingKeyPlace(ns, id, keyId);
  const common = { id: keyId, version, createdAt: toTimestamp(now) };
  if (version === 'v1') {
    const secret = given ?? `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
    checkSecret(secret);
    return { key: { ...common, sealed: sealer.seal(secret, place) }, secret };
  }
  const { secretKey, publicKey } = newKeyPair();
  return { key: { ...common, sealed: sealer.seal(secretKey, place), publicKey } };
}

function checkSecret(secret: string): void {
  const { pattern, min, max } = GIVEN_SECRET;
  const bytes = Buffer.from(pattern.exec(secret)?.[1] ?? '', 'base64').length;
  if (bytes < min || bytes > max) {
    throw invalid(`A secret is "whsec_" and ${min} to ${max} bytes in base64.`, {
      field: 'callbacksecret',
      fix: 'Make one up: whsec_$(openssl rand -base64 32).',
    });
  }
}

/** @returns the secret key as its seed and the public key, which is how Standard Webhooks writes it. */
function newKeyPair(): { secretKey: string; publicKey: string } {
  const { d = '', x = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  return {
    secretKey: `whsk_${Buffer.concat([seed, point]).toString('base64')}`,
    publicKey: `whpk_${point.toString('base64')}`,
  };
}

/**
 * The keys of a subscription with a new one in front of them.
 *
 * @param overlapSeconds for how long the older ones still sign, at most; 0 ends them at once.
 * @throws SkerryError `conflict` when too many keys would sign at a time.
 */
export function withNewKey(
  keys: readonly SigningKey[],
  key: SigningKey,
  overlapSeconds: number,
  now: number,
): readonly SigningKey[] {
  const end = toTimestamp(now + 1_000 * overlapSeconds);
  const older = keys.map(({ expiresAt, ...old }) => ({
    ...old,
    expiresAt: expiresAt !== undefined && expiresAt < end ? expiresAt : end,
  }));
  const rotated = [key, ...older.filter((old) => isInUse(old, now))];
  if (rotated.length > MAX_KEYS) {
    throw conflict(`${MAX_KEYS} keys sign for the subscription already.`, {
      field: 'overlapSeconds',
      fix: 'Ask for a shorter overlap, which older keys obey too, or wait until some have expired.',
    });
  }
  return rotated;
}

/** The value without keys that sign no more. */
export function withoutExpiredKeys(value: SubscriptionValue, now: number): SubscriptionValue {
  const { signing } = value;
  return signing?.some((key) => !isInUse(key, now)) === true
    ? { ...value, signing: signing.filter((key) => isInUse(key, now)) }
    : value;
}

/** @param now milliseconds since the Unix epoch. */
export function isInUse({ expiresAt }: Pick<SigningKey, 'expiresAt'>, now: number): boolean {
  return expiresAt === undefined || Date.parse(expiresAt) > now;
}
