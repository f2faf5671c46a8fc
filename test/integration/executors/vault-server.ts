import { type ApiAnswer, type ApiCall, type ApiServer, startApiServer } from './api-server.ts';

interface Version {
  readonly data: Readonly<Record<string, unknown>>;
  isDeleted: boolean;
}

export interface Vault extends ApiServer {
  isSealed: boolean;
  /** The versions of a secret, the oldest first, by its path below the mount. */
  versions(path: string): readonly Version[];
  /** As somebody else would write it. */
  write(path: string, data: Readonly<Record<string, unknown>>): void;
}

export const VAULT_TOKEN = 'hvs.top-secret-of-vault';
const MOUNT = 'secret';
/** Mounted too, but of version 1. */
const OLD_MOUNT = 'old';
const TIME = '2026-01-02T03:04:05.000Z';

/** The part of Vault's HTTP API that is about the KV secrets engine, version 2: reading, writing with check-and-set, removing. */
export async function startVault(): Promise<Vault> {
  const secrets = new Map<string, Version[]>();

  function answer(call: ApiCall): ApiAnswer {
    if (vault.isSealed) {
      return { status: 503, body: { errors: ['Vault is sealed'] } };
    }
    if (call.headers['x-vault-token'] !== VAULT_TOKEN) {
      return { status: 403, body: { errors: ['permission denied'] } };
    }
    const namespace = call.headers['x-vault-namespace'];
    const [, mount, part, path = ''] = /^\/v1\/([^/]+)\/([^/]+)\/(.+)$/.exec(call.url.pathname) ?? [];
    if (mount === OLD_MOUNT) {
      return call.method === 'GET' ? { status: 404, body: { errors: [] } } : { status: 204 };
    }
    if (mount !== MOUNT) {
      return {
        status: 404,
        body: { errors: [`no handler for route "${mount}/${part}/${path}". route entry not found.`] },
      };
    }
    const name = namespace === undefined ? path : `${String(namespace)}:${path}`;
    switch (`${call.method} ${part}`) {
      case 'GET data':
        return read(name);
      case 'POST data':
        return write(name, call);
      case 'DELETE data':
        return deleteNewest(name);
      case 'DELETE metadata':
        secrets.delete(name);
        return { status: 204 };
      default:
        return { status: 405, body: { errors: ['unsupported operation'] } };
    }
  }

  function read(name: string): ApiAnswer {
    const versions = secrets.get(name) ?? [];
    const newest = versions.at(-1);
    if (newest === undefined) {
      return { status: 404, body: { errors: [] } };
    }
    const data = { data: newest.isDeleted ? null : newest.data, metadata: metadata(versions) };
    return {
      status: newest.isDeleted ? 404 : 200,
      body: { request_id: '1', lease_id: '', renewable: false, data },
    };
  }

  function write(name: string, { body }: ApiCall): ApiAnswer {
    const { data, options } = body as {
      readonly data?: Record<string, unknown>;
      readonly options?: { readonly cas?: number };
    };
    const versions = secrets.get(name) ?? [];
    if (data === undefined) {
      return { status: 400, body: { errors: ['no data provided'] } };
    }
    if (options?.cas !== undefined && options.cas !== versions.length) {
      return { status: 400, body: { errors: ['check-and-set parameter did not match the current version'] } };
    }
    versions.push({ data, isDeleted: false });
    secrets.set(name, versions);
    return { status: 200, body: { request_id: '1', data: metadata(versions) } };
  }

  function deleteNewest(name: string): ApiAnswer {
    const newest = secrets.get(name)?.at(-1);
    if (newest !== undefined) {
      newest.isDeleted = true;
    }
    return { status: 204 };
  }

  const server = await startApiServer(answer);
  const vault: Vault = Object.assign(server, {
    isSealed: false,
    versions: (path: string) => secrets.get(path) ?? [],
    write(path: string, data: Readonly<Record<string, unknown>>) {
      secrets.set(path, [...(secrets.get(path) ?? []), { data, isDeleted: false }]);
    },
  });
  return vault;
}

function metadata(versions: readonly Version[]) {
  return {
    version: versions.length,
    created_time: TIME,
    deletion_time: versions.at(-1)?.isDeleted === true ? TIME : '',
    destroyed: false,
    custom_metadata: null,
  };
}
