import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';

export const TENANT = '11111111-2222-3333-4444-555555555555';
export const AUDIENCE = 'api://skerry';
export const OID = 'aaaaaaaa-0000-0000-0000-000000000001';
export const APP = 'bbbbbbbb-0000-0000-0000-000000000002';

export type KeyServer = Awaited<ReturnType<typeof startKeyServer>>;

/** An issuer of access tokens, with a key of each kind that is accepted and one that is not published. */
export async function startKeyServer() {
  const options = { extractable: true };
  const [rsa, elliptic, unknown] = await Promise.all([
    generateKeyPair('RS256', options),
    generateKeyPair('ES256', options),
    generateKeyPair('RS256', options),
  ]);
  const publicKeys = [
    { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', use: 'sig' },
    { ...(await exportJWK(elliptic.publicKey)), kid: 'elliptic', use: 'sig' },
  ];
  const state = {
    /** How it answers; as it should unless another way is set. */
    answer: (response: ServerResponse) => {
      response.end(JSON.stringify({ keys: publicKeys }));
    },
    /** Paths that it was asked for. */
    asked: [] as string[],
  };
  const server = createServer((request, response) => {
    state.asked.push(request.url ?? '');
    state.answer(response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const authority = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const claims = (now: number): JWTPayload => ({
    iss: `${authority}/${TENANT}/v2.0`,
    aud: AUDIENCE,
    tid: TENANT,
    iat: now - 10,
    nbf: now - 10,
    exp: now + 600,
    oid: OID,
    scp: 'access',
    roles: ['viewer'],
    groups: ['g1'],
  });
  return {
    state,
    authority,
    keys: { rsa, elliptic, unknown },
    publicKeys,
    /** A good token, but for what is said otherwise; `undefined` leaves a claim out. */
    async sign(
      changes: Readonly<Record<string, unknown>> = {},
      {
        alg = 'RS256',
        kid = alg === 'ES256' ? 'elliptic' : 'rsa',
        key = alg === 'ES256' ? elliptic.privateKey : rsa.privateKey,
        header = {},
      }: {
        alg?: string;
        kid?: string | undefined;
        key?: CryptoKey | Uint8Array;
        header?: object;
      } = {},
    ): Promise<string> {
      const payload = { ...claims(Math.floor(Date.now() / 1000)), ...changes };
      return await new SignJWT(payload).setProtectedHeader({ alg, ...(kid && { kid }), ...header }).sign(key);
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
