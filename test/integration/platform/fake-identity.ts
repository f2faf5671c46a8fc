import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { vi } from 'vitest';

interface Asked {
  readonly resource: string | null;
  readonly clientId: string | null;
}

export interface FakeIdentity {
  /** What was asked for since then, in order. The SDK keeps a token for as long as the process lives: ask with a client id of your own. */
  readonly asked: Asked[];
  /** Status of the next answers; 200 unless set. */
  status: number;
  stop(): void;
}

/** The SDK stays with the first endpoint of a process, and files of tests share one: so they share the endpoint. */
const ofThisProcess = globalThis as { fakeIdentity?: Promise<{ url: string; current: FakeIdentity }> };

/**
 * The managed identity endpoint of App Service (`IDENTITY_ENDPOINT`, `IDENTITY_HEADER`), which the environment of this process names until
 * it is stopped. A token for `https://vault.azure.net` is `token-for https://vault.azure.net`.
 */
export async function fakeIdentity(): Promise<FakeIdentity> {
  const identity: FakeIdentity = { asked: [], status: 200, stop: () => vi.unstubAllEnvs() };
  ofThisProcess.fakeIdentity ??= startEndpoint(identity);
  const endpoint = await ofThisProcess.fakeIdentity;
  endpoint.current = identity;
  vi.stubEnv('IDENTITY_ENDPOINT', endpoint.url);
  vi.stubEnv('IDENTITY_HEADER', 'header-of-identity');
  return identity;
}

async function startEndpoint(current: FakeIdentity) {
  const endpoint = { url: '', current };
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://identity').searchParams;
    const resource = query.get('resource');
    endpoint.current.asked.push({ resource, clientId: query.get('client_id') });
    const isKnown = request.headers['x-identity-header'] === 'header-of-identity';
    const status = isKnown ? endpoint.current.status : 401;
    const token = {
      access_token: `token-for ${resource}`,
      expires_on: `${Math.floor(Date.now() / 1000) + 86_400}`,
      resource,
      token_type: 'Bearer',
    };
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? token : { statusCode: status, message: 'refused' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  endpoint.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/msi/token`;
  return endpoint;
}
