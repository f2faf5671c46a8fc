import { createHmac, timingSafeEqual } from 'node:crypto';
import type { CheckToken } from '../../identity/token-authority.ts';
import { unauthorized } from '../service-bus-error.ts';

export interface SharedAccessKey {
  readonly name: string;
  readonly key: string;
}

const JWT_TYPE = 'jwt';
const SAS_TOKEN_TYPE = 'servicebus.windows.net:sastoken';
const SAS_PREFIX = 'SharedAccessSignature ';

/** What the tokens that a client put on its connection allow: paths and when they end (milliseconds). */
export class Claims {
  readonly #key: SharedAccessKey;
  readonly #now: () => number;
  readonly #checkToken: CheckToken | undefined;
  readonly #expiryByPath = new Map<string, number>();

  /** @param checkToken absent where no tokens of identities are taken. */
  constructor(key: SharedAccessKey, now: () => number, checkToken?: CheckToken) {
    this.#key = key;
    this.#now = now;
    this.#checkToken = checkToken;
  }

  /** Verifies a token for the resource `audience` (a URI) and keeps it, or throws why not. */
  put(token: string, type: string, audience: string): void {
    if (type === JWT_TYPE && this.#checkToken !== undefined) {
      const expiresAt = this.#checkToken(token);
      if (expiresAt === undefined)
        throw unauthorized('InvalidToken: The token is not one of here, or has ended.');
      this.#expiryByPath.set(pathOf(audience), expiresAt);
      return;
    }
    if (type !== SAS_TOKEN_TYPE) throw unauthorized('The emulator accepts shared access signatures only.');
    const { resource, expiresAt } = this.#verify(token);
    const path = pathOf(audience);
    if (!covers(resource, path)) throw unauthorized('InvalidAudience: The token is for another resource.');
    this.#expiryByPath.set(path, expiresAt);
  }

  /** Throws unless a token that still holds covers the path. */
  require(path: string): void {
    const now = this.#now();
    const wanted = path.toLowerCase();
    for (const [granted, expiresAt] of this.#expiryByPath) {
      if (expiresAt > now && covers(granted, wanted)) return;
    }
    throw unauthorized(`Unauthorized access. 'Send' or 'Listen' claim(s) are required for '${path}'.`);
  }

  /** Service Bus documentation, "Service Bus access control with shared access signatures". */
  #verify(token: string): { resource: string; expiresAt: number } {
    if (!token.startsWith(SAS_PREFIX))
      throw unauthorized('InvalidToken: Expected a shared access signature.');
    const { encodedResource, fields } = fieldsOf(token.slice(SAS_PREFIX.length));
    const expiry = fields.get('se') ?? '';
    const expected = createHmac('sha256', this.#key.key)
      .update(`${encodedResource}\n${expiry}`)
      .digest('base64');
    if (fields.get('skn') !== this.#key.name || !equal(expected, fields.get('sig') ?? '')) {
      throw unauthorized('InvalidSignature: The token has an invalid signature.');
    }
    const expiresAt = Number(expiry) * 1000;
    if (!(expiresAt > this.#now())) throw unauthorized('ExpiredToken: The token is expired.');
    return { resource: pathOf(fields.get('sr') ?? ''), expiresAt };
  }
}

/** The fields as they are written; `sr` is signed in its encoded form. */
function fieldsOf(text: string): { readonly encodedResource: string; readonly fields: URLSearchParams } {
  const [, encodedResource = ''] = /(?:^|&)sr=([^&]*)/.exec(text) ?? [];
  return { encodedResource, fields: new URLSearchParams(text.replaceAll('+', '%2B')) };
}

/** The path of a resource URI; the host is not compared because a loopback address has several names. */
function pathOf(uri: string): string {
  return uri
    .toLowerCase()
    .replace(/^[a-z]+:\/\/[^/]*/, '')
    .replace(/^\/+|\/+$/g, '');
}

function covers(granted: string, path: string): boolean {
  return granted === '' || path === granted || path.startsWith(`${granted}/`);
}

function equal(left: string, right: string): boolean {
  const [first, second] = [Buffer.from(left), Buffer.from(right)];
  return first.length === second.length && timingSafeEqual(first, second);
}
