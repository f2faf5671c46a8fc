import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TokenAuthority } from './token-authority.ts';

export interface IdentityEndpoint {
  /** By which SDKs find it, as Azure sets them in an app. */
  readonly environment: { readonly IDENTITY_ENDPOINT: string; readonly IDENTITY_HEADER: string };
  stop(): Promise<void>;
}

/**
 * The endpoint of App Service at which an app gets tokens of its managed identity ("How to use managed identities for App Service and
 * Azure Functions", REST endpoint reference, API version 2019-08-01).
 *
 * @param clientId of the one identity that there is.
 */
export async function startIdentityEndpoint(
  authority: TokenAuthority,
  clientId: string,
): Promise<IdentityEndpoint> {
  const secret = randomUUID();
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '/', 'http://identity').searchParams;
    const resource = query.get('resource');
    const refusal =
      request.headers['x-identity-header'] !== secret
        ? 'The header X-IDENTITY-HEADER is not the one of this app.'
        : resource === null
          ? 'No resource is named.'
          : query.get('client_id') !== clientId
            ? 'There is no such identity.'
            : undefined;
    response.setHeader('content-type', 'application/json');
    if (refusal !== undefined || resource === null) {
      response.writeHead(400).end(JSON.stringify({ statusCode: 400, message: refusal }));
      return;
    }
    const { token, expiresOn } = authority.issue(resource, Date.now());
    const answer = { access_token: token, expires_on: String(expiresOn), resource, token_type: 'Bearer' };
    response.end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    environment: { IDENTITY_ENDPOINT: `http://127.0.0.1:${port}/msi/token`, IDENTITY_HEADER: secret },
    async stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
