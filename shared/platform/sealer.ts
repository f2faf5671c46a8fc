import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { type SkerryError, unavailable } from './errors.ts';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Without it, a tag that was cut short would do. */
const LENGTHS = { authTagLength: TAG_BYTES };

/**
 * Encrypts secrets before they are stored, by AES-256-GCM. What is sealed for one place opens in no other, and names the
 * key that opens it, so that keys can be replaced one after the other.
 */
export class Sealer {
  readonly #keys: readonly { readonly id: string; readonly key: Buffer }[];

  /** @param keys of 32 bytes each; the first one seals, every one opens. */
  constructor(keys: readonly Buffer[]) {
    this.#keys = keys.map((key) => ({ id: keyId(key), key }));
  }

  /** Whether there is a key to seal with. */
  get canSeal(): boolean {
    return this.#keys.length > 0;
  }

  /** Whether something was sealed with the key that seals now. */
  isNewest(sealed: string): boolean {
    return this.#keys[0]?.id === sealed.split('.', 1)[0];
  }

  /**
   * @param place what the secret belongs to, such as a namespace, a subscription and a key id.
   * @throws SkerryError `unavailable` when no key is configured.
   */
  seal(secret: string, place: readonly string[]): string {
    const [first] = this.#keys;
    if (first === undefined) {
      throw noKey('Secrets cannot be stored, because the setting SKERRY_SECRET_KEYS is empty.');
    }
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, first.key, nonce, LENGTHS).setAAD(toAad(place));
    const encrypted = Buffer.concat([
      nonce,
      cipher.update(secret, 'utf8'),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
    return `${first.id}.${encrypted.toString('base64url')}`;
  }

  /**
   * @param place the one it was sealed for.
   * @throws SkerryError `unavailable` when its key is not configured, Error when it was tampered with or belongs elsewhere.
   */
  open(sealed: string, place: readonly string[]): string {
    const [id, encoded = ''] = sealed.split('.');
    const known = this.#keys.find((key) => key.id === id);
    if (known === undefined) {
      throw noKey(
        'A stored secret cannot be read, because its key is not in the setting SKERRY_SECRET_KEYS.',
      );
    }
    const encrypted = Buffer.from(encoded, 'base64url');
    const decipher = createDecipheriv(ALGORITHM, known.key, encrypted.subarray(0, NONCE_BYTES), LENGTHS)
      .setAAD(toAad(place))
      .setAuthTag(encrypted.subarray(-TAG_BYTES));
    return Buffer.concat([
      decipher.update(encrypted.subarray(NONCE_BYTES, -TAG_BYTES)),
      decipher.final(),
    ]).toString('utf8');
  }
}

function keyId(key: Buffer): string {
  return createHash('sha256').update(key).digest('base64url').slice(0, 8);
}

function toAad(place: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(place));
}

function noKey(detail: string): SkerryError {
  return unavailable(detail, {
    fix: 'Set it to 32 random bytes in base64, as `openssl rand -base64 32` prints them; keep older keys behind the first.',
  });
}
