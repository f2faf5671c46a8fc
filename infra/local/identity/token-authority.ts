import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';

const TENANT = randomUUID();

/** When a token of an identity ends (milliseconds since the Unix epoch), if it is good for the service that asks. */
export type CheckToken = (token: string) => number | undefined;

/** Gives out tokens in the form of Entra ID's, and tells its own again; they last as long as it does. */
export class TokenAuthority {
  readonly #key = randomBytes(32);
  readonly #lifetimeSeconds: number;

  constructor(lifetimeSeconds: number) {
    this.#lifetimeSeconds = lifetimeSeconds;
  }

  /** @returns the token, and when it ends, in seconds since the Unix epoch. */
  issue(audience: string, now: number): { readonly token: string; readonly expiresOn: number } {
    const issuedAt = Math.floor(now / 1000);
    const expiresOn = issuedAt + this.#lifetimeSeconds;
    const claims = {
      aud: bare(audience),
      iss: `https://sts.windows.net/${TENANT}/`,
      iat: issuedAt,
      nbf: issuedAt,
      exp: expiresOn,
      oid: randomUUID(),
      tid: TENANT,
    };
    const content = [{ typ: 'JWT', alg: 'HS256' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return { token: `${content}.${this.#sign(content).toString('base64url')}`, expiresOn };
  }

  /** @returns when the token ends, in milliseconds since the Unix epoch; undefined unless it is of here, for this audience and still good. */
  check(token: string, audience: string, now: number): number | undefined {
    const [, content = '', claims = '', signature = ''] = /^([^.]*\.([^.]*))\.([^.]*)$/.exec(token) ?? [];
    const given = Buffer.from(signature, 'base64url');
    const expected = this.#sign(content);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const { aud, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString());
    return aud === bare(audience) && exp * 1000 > now ? exp * 1000 : undefined;
  }

  #sign(content: string): Buffer {
    return createHmac('sha256', this.#key).update(content).digest();
  }
}

/** SDKs name some audiences with a slash at the end. */
function bare(audience: string): string {
  return audience.replace(/\/+$/, '');
}
