import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { CONNECTION_ENDPOINTS, IDENTITY_SETTINGS } from '../../../shared/platform/topology.ts';
import { startIdentityEndpoint } from '../identity/identity-endpoint.ts';
import { type Certificate, makeLoopbackCertificate } from '../identity/loopback-certificate.ts';
import { startTlsFront } from '../identity/tls-front.ts';
import { type CheckToken, TokenAuthority } from '../identity/token-authority.ts';
import { CONNECTION_SETTINGS } from './app-settings.ts';
import { BLOB_ACCOUNT } from './connection-strings.ts';
import type { ServerName } from './options.ts';
import type { Teardown } from './teardown.ts';

const AUDIENCES = { cosmos: 'https://cosmos.azure.com', servicebus: 'https://servicebus.azure.net' } as const;

/** Shorter than Azure's, so that whoever runs this for a while sees tokens replaced. */
const TOKEN_SECONDS = 600;

/** What an app has in Azure instead of keys. */
export interface ManagedIdentity {
  readonly checkToken: Readonly<Record<keyof typeof AUDIENCES, CheckToken>>;
  /** In PEM. */
  readonly files: { readonly certificate: string; readonly key: string };
  /**
   * The environment by which the functions reach the servers; what is undefined must not be there.
   *
   * @param connections the connection strings of the servers.
   */
  environmentFor(connections: Readonly<Record<ServerName, string>>): Promise<NodeJS.ProcessEnv>;
}

/** Starts what an identity needs; the servers are yet to be started, with {@link ManagedIdentity.checkToken}. */
export async function startManagedIdentity(folder: string, teardown: Teardown): Promise<ManagedIdentity> {
  const clientId = randomUUID();
  const authority = new TokenAuthority(TOKEN_SECONDS);
  const certificate = makeLoopbackCertificate(Date.now());
  const files = await writeCertificate(path.join(folder, 'identity'), certificate);
  // For what this process itself asks of the servers.
  setDefaultCACertificates([...getCACertificates('default'), certificate.certificate]);
  const endpoint = await startIdentityEndpoint(authority, clientId);
  teardown.add(() => endpoint.stop());
  const checkFor = (audience: string) => (token: string) => authority.check(token, audience, Date.now());

  return {
    checkToken: { cosmos: checkFor(AUDIENCES.cosmos), servicebus: checkFor(AUDIENCES.servicebus) },
    files,
    async environmentFor(connections) {
      const front = await startTlsFront(portIn(connections.servicebus), certificate);
      teardown.add(() => front.stop());
      return {
        ...endpoint.environment,
        NODE_EXTRA_CA_CERTS: files.certificate,
        ...settingsOf(
          'cosmos',
          CONNECTION_ENDPOINTS.cosmos,
          `http://127.0.0.1:${portIn(connections.cosmos)}/`,
        ),
        ...settingsOf('servicebus', CONNECTION_ENDPOINTS.serviceBus, `127.0.0.1:${front.port}`),
        ...settingsOf(
          'blob',
          CONNECTION_ENDPOINTS.blob,
          `https://127.0.0.1:${portIn(connections.blob)}/${BLOB_ACCOUNT}`,
        ),
      };
    },
  };

  function settingsOf(server: ServerName, name: string, endpointOfServer: string): NodeJS.ProcessEnv {
    const connection = CONNECTION_SETTINGS[server];
    return {
      [connection]: undefined,
      [`${connection}__${name}`]: endpointOfServer,
      [`${connection}__${IDENTITY_SETTINGS.credential}`]: IDENTITY_SETTINGS.managedIdentity,
      [`${connection}__${IDENTITY_SETTINGS.clientId}`]: clientId,
    };
  }
}

async function writeCertificate(folder: string, { certificate, key }: Certificate) {
  const files = { certificate: path.join(folder, 'certificate.pem'), key: path.join(folder, 'key.pem') };
  await mkdir(folder, { recursive: true });
  await writeFile(files.certificate, certificate);
  await writeFile(files.key, key, { mode: 0o600 });
  return files;
}

function portIn(connectionString: string): number {
  return Number(/127\.0\.0\.1:(\d+)/.exec(connectionString)?.[1]);
}
