import { type ApiAnswer, type ApiCall, type ApiServer, startApiServer } from './api-server.ts';

interface Entry {
  readonly value: string;
  readonly flags: number;
  readonly modifyIndex: number;
}

interface KvOperation {
  readonly Verb: string;
  readonly Key: string;
  readonly Value?: string;
  readonly Flags?: number;
  readonly Index?: number;
  readonly Namespace?: string;
}

export interface Consul extends ApiServer {
  /** Texts by `namespace:key`, the namespace empty unless said otherwise. */
  contents(): Record<string, string>;
  put(key: string, value: string, flags?: number): void;
}

export const CONSUL_TOKEN = 'b1gs33cr3t-0f-consul';
/** The token may write below it alone. */
const FORBIDDEN = 'forbidden/';
const MAX_OPERATIONS = 64;
const MAX_BYTES = 512 * 1024;

/** The part of Consul's HTTP API that is about keys: single ones and transactions, with its limits and its ways to say no. */
export async function startConsul(): Promise<Consul> {
  let entries = new Map<string, Entry>();
  let index = 10;

  function answer(call: ApiCall): ApiAnswer {
    if (call.headers['x-consul-token'] !== CONSUL_TOKEN) {
      return { status: 403, body: 'ACL not found' };
    }
    const { pathname } = call.url;
    if (pathname === '/v1/txn') {
      return call.method === 'PUT'
        ? transact(call)
        : { status: 405, body: `method ${call.method} not allowed` };
    }
    return pathname.startsWith('/v1/kv/') && call.method === 'GET' ? read(call) : { status: 404 };
  }

  function read({ url, headers }: ApiCall): ApiAnswer {
    const key = decodeURIComponent(url.pathname.slice('/v1/kv/'.length));
    const entry = entries.get(`${String(headers['x-consul-namespace'] ?? '')}:${key}`);
    return entry === undefined ? { status: 404 } : { status: 200, body: [shown(key, entry)] };
  }

  function transact(call: ApiCall): ApiAnswer {
    if (Buffer.byteLength(call.text) > MAX_BYTES) {
      return { status: 413, body: `Request body too large, max size: ${MAX_BYTES} bytes` };
    }
    if (!Array.isArray(call.body)) {
      return { status: 400, body: 'Failed to parse body: invalid character' };
    }
    if (call.body.length > MAX_OPERATIONS) {
      return {
        status: 413,
        body: `Transaction contains too many operations (${call.body.length} > ${MAX_OPERATIONS})`,
      };
    }
    const operations = (call.body as { readonly KV: KvOperation }[]).map(({ KV }) => KV);
    const next = new Map(entries);
    index += 1;
    const faults = operations.map((operation) => apply(next, operation));
    const Errors = faults.flatMap((What, OpIndex) => (What === undefined ? [] : [{ OpIndex, What }]));
    if (Errors.length > 0) {
      return { status: 409, body: { Results: null, Errors } };
    }
    entries = next;
    const Results = operations
      .filter(({ Verb }) => Verb === 'set')
      .map(({ Key, Flags = 0 }) => ({
        KV: { LockIndex: 0, Key, Flags, Value: null, CreateIndex: index, ModifyIndex: index },
      }));
    return { status: 200, body: { Results, Errors: null } };
  }

  /** What is wrong; undefined where it was done. */
  function apply(next: Map<string, Entry>, operation: KvOperation): string | undefined {
    const { Verb, Key, Value = '', Flags = 0, Namespace = '' } = operation;
    if (Key.startsWith(FORBIDDEN)) {
      return 'Permission denied';
    }
    switch (Verb) {
      case 'set':
        next.set(`${Namespace}:${Key}`, {
          value: Buffer.from(Value, 'base64').toString(),
          flags: Flags,
          modifyIndex: index,
        });
        return undefined;
      case 'delete':
        next.delete(`${Namespace}:${Key}`);
        return undefined;
      default:
        return `unknown KV verb "${Verb}"`;
    }
  }

  const server = await startApiServer(answer);
  return Object.assign(server, {
    contents: () => Object.fromEntries([...entries].map(([key, { value }]) => [key, value])),
    put(key: string, value: string, flags = 0) {
      index += 1;
      entries.set(`:${key}`, { value, flags, modifyIndex: index });
    },
  });
}

/** An empty value is null, as Go writes it. */
function shown(key: string, { value, flags, modifyIndex }: Entry) {
  return {
    LockIndex: 0,
    Key: key,
    Flags: flags,
    Value: value === '' ? null : Buffer.from(value).toString('base64'),
    CreateIndex: modifyIndex,
    ModifyIndex: modifyIndex,
  };
}
