/** The version of a signature by Standard Webhooks 1.0: HMAC-SHA256, or ed25519. */
export type SignatureVersion = 'v1' | 'v1a';

/** What the signatures of one signing key are checked with. */
export interface VerificationKey {
  readonly version: SignatureVersion;
  /** In constant time: how long it takes tells nothing of the right signature. */
  verifies(signature: Uint8Array<ArrayBuffer>, content: Uint8Array<ArrayBuffer>): Promise<boolean>;
}

const ED25519_KEY_BYTES = 32;

/**
 * Reads a secret `whsec_…` or a public key `whpk_…`.
 *
 * @throws TypeError that does not quote it.
 */
export async function readVerificationKey(secret: string): Promise<VerificationKey> {
  const [, prefix, base64 = ''] = /^(whsec_|whpk_)(.*)$/.exec(secret.trim()) ?? [];
  const bytes = readBase64(base64);
  if (prefix === undefined || bytes === undefined || bytes.length === 0) {
    throw new TypeError(
      secret.trim().startsWith('whsk_')
        ? 'The secret is a private key (whsk_…), which only the sender may have: give the public one (whpk_…).'
        : 'A secret must be "whsec_" or "whpk_" and what follows it, exactly as Skerry answered it.',
    );
  }
  if (prefix === 'whsec_') return await keyFor('v1', bytes, { name: 'HMAC', hash: 'SHA-256' });
  if (bytes.length !== ED25519_KEY_BYTES) {
    throw new TypeError(
      `A public key (whpk_…) holds ${ED25519_KEY_BYTES} bytes, and this one ${bytes.length}.`,
    );
  }
  return await keyFor('v1a', bytes, { name: 'Ed25519' });
}

/** @returns undefined for what is no base64. */
export function readBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

async function keyFor(
  version: SignatureVersion,
  bytes: Uint8Array<ArrayBuffer>,
  algorithm: { readonly name: string; readonly hash?: string },
): Promise<VerificationKey> {
  const key = await crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify']);
  return {
    version,
    verifies: async (signature, content) =>
      await crypto.subtle.verify(algorithm.name, key, signature, content),
  };
}
