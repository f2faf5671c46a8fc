import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cpuMicroseconds } from '../product/processes.ts';
import { Connections } from './connections.ts';
import { linesOf, startWatcher } from './follow.ts';
import type { Entry, KeyValueClient, KeyValueServer, Watcher } from './key-value-server.ts';

const START_MILLISECONDS = 10_000;

export interface EtcdOptions {
  readonly dataFolder: string;
  /** Whether a write is on the disk when it is answered, as is etcd's way. */
  readonly synced: boolean;
}

/** The version of the etcd on PATH; undefined where there is none. */
export async function etcdVersion(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)('etcd', ['--version']);
    return /etcd Version: (\S+)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

/** A single etcd on free ports, asked through its HTTP/JSON gateway. */
export async function startEtcd({ dataFolder, synced }: EtcdOptions): Promise<KeyValueServer> {
  const [client, peer] = [await freeAddress(), await freeAddress()];
  const child = spawn(
    'etcd',
    [
      ...['--data-dir', dataFolder, '--log-level', 'error', '--logger', 'zap'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `default=${peer}`],
      ...(synced ? [] : ['--unsafe-no-fsync']),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let complaints = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaints += text;
  });
  if (!(await comesToAnswer(client, child))) {
    child.kill('SIGKILL');
    throw new Error(`etcd did not come to answer:\n${complaints}`);
  }
  return {
    name: synced ? 'etcd' : 'etcd, unsynced',
    transactionLimit: 128,
    watches: { stream: (key, onEvents) => watch(client, key, onEvents) },
    connect: (connections) => new EtcdClient(client, connections),
    readCpu: () => ({ etcd: cpuMicroseconds(child.pid ?? 0) }),
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    },
  };
}

class EtcdClient implements KeyValueClient {
  readonly #connections: Connections;

  constructor(origin: string, connections: number) {
    this.#connections = new Connections(origin, connections);
  }

  async put({ key, value }: Entry): Promise<void> {
    await this.#post('put', { key: toBase64(key), value: toBase64(value) });
  }

  async get(key: string): Promise<string> {
    const { kvs } = await this.#post<RangeAnswer>('range', { key: toBase64(key) });
    if (kvs?.length !== 1) throw new Error(`etcd has no key ${key}.`);
    return fromBase64(kvs[0]?.value ?? '');
  }

  async list(prefix: string): Promise<unknown[]> {
    const { kvs } = await this.#post<RangeAnswer>('range', {
      key: toBase64(prefix),
      range_end: toBase64(endOfPrefix(prefix)),
    });
    return kvs?.map(({ value }) => JSON.parse(fromBase64(value))) ?? [];
  }

  async putAll(entries: readonly Entry[]): Promise<void> {
    const success = entries.map(({ key, value }) => ({
      request_put: { key: toBase64(key), value: toBase64(value) },
    }));
    const { succeeded } = await this.#post<{ succeeded?: boolean }>('txn', { success });
    if (succeeded !== true) throw new Error('etcd took no transaction.');
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  async #post<Answer>(what: string, request: object): Promise<Answer> {
    const body = JSON.stringify(request);
    return JSON.parse(await this.#connections.ask({ method: 'POST', path: `/v3/kv/${what}`, body }));
  }
}

interface RangeAnswer {
  readonly kvs?: readonly { readonly key: string; readonly value: string }[];
}

/** Asks for the previous value too, which Skerry's events always have. */
async function watch(origin: string, key: string, onEvents: (count: number) => void): Promise<Watcher> {
  const body = JSON.stringify({ create_request: { key: toBase64(key), prev_kv: true } });
  return await startWatcher(origin, async (connections, ready, signal) => {
    const stream = await connections.open({ method: 'POST', path: '/v3/watch', body }, signal);
    for await (const line of linesOf(stream)) {
      const { result } = JSON.parse(line) as { result: { created?: boolean; events?: unknown[] } };
      if (result.created === true) ready();
      if (result.events !== undefined) onEvents(result.events.length);
    }
  });
}

async function comesToAnswer(origin: string, child: ChildProcess): Promise<boolean> {
  const deadline = performance.now() + START_MILLISECONDS;
  while (child.exitCode === null && performance.now() < deadline) {
    const answer = await fetch(`${origin}/health`).catch(() => undefined);
    if ((await answer?.text())?.includes('"true"')) return true;
    await sleep(50);
  }
  return false;
}

async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

function toBase64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function fromBase64(text: string): string {
  return Buffer.from(text, 'base64').toString();
}

/** The first key behind all that begin with the prefix. */
function endOfPrefix(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}
