import { type Skerry, startSkerry } from '../../e2e/skerry.ts';
import { cpuMicroseconds, findChild } from '../product/processes.ts';
import { Connections } from './connections.ts';
import { linesOf, startWatcher } from './follow.ts';
import type { Entry, KeyValueClient, KeyValueServer, Watcher } from './key-value-server.ts';

const STORE = 'bench';
const JSON_TYPE = { 'content-type': 'application/json' };
/** Seconds that a poll waits. */
const WAIT = 30;

/** Skerry as `npm start` has it: functions host, worker, and the emulators of Cosmos DB and Service Bus. */
export async function startSkerryStore(dataFolder: string): Promise<KeyValueServer> {
  const skerry = await startSkerry({ traps: 'none', dataFolder, env: { SKERRY_WATCH_MAX_HELD: '20000' } });
  const host = findChild(skerry.pid, 'host/main.ts');
  const worker = findChild(host, 'host/worker.ts');
  return {
    name: 'Skerry',
    transactionLimit: 49,
    watches: {
      'long poll': (key, onEvents) => watchByPolls(skerry, key, onEvents),
      'event stream': (key, onEvents) => watchByStream(skerry, key, onEvents),
    },
    connect: (connections) => new SkerryClient(skerry.url, connections),
    readCpu: () => ({ functions: cpuMicroseconds(worker), emulators: cpuMicroseconds(skerry.pid) }),
    stop: () => skerry.stop(),
  };
}

class SkerryClient implements KeyValueClient {
  readonly #connections: Connections;

  constructor(origin: string, connections: number) {
    this.#connections = new Connections(origin, connections);
  }

  async put({ key, value }: Entry): Promise<void> {
    const path = `/api/v1/kv/${STORE}/${key}`;
    const answer = await this.#connections.ask({ method: 'PUT', path, headers: JSON_TYPE, body: value });
    JSON.parse(answer);
  }

  async get(key: string): Promise<string> {
    return await this.#connections.ask({ method: 'GET', path: `/api/v1/kv/${STORE}/${key}` });
  }

  async list(prefix: string): Promise<unknown[]> {
    const path = `/api/v1/kv/${STORE}/?prefix=${encodeURIComponent(prefix)}`;
    const { items } = JSON.parse(await this.#connections.ask({ method: 'GET', path }));
    return (items as { value: unknown }[]).map(({ value }) => value);
  }

  async putAll(entries: readonly Entry[]): Promise<void> {
    // The values are JSON already, and become part of the body as they are.
    const puts = entries.map(({ key, value }) => `{"put":{"key":${JSON.stringify(key)},"value":${value}}}`);
    const answer = await this.#connections.ask({
      method: 'POST',
      path: `/api/v1/kv-transactions/${STORE}`,
      headers: JSON_TYPE,
      body: `{"then":[${puts.join(',')}]}`,
    });
    if (JSON.parse(answer).succeeded !== true) throw new Error('Skerry took no transaction.');
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }
}

interface WatchAnswer {
  readonly changes?: readonly unknown[];
  readonly revision?: number;
}

function watchPath(key: string): string {
  return `/api/v1/watch/kv/${STORE}/${key}`;
}

async function watchByPolls(
  { url }: Skerry,
  key: string,
  onEvents: (count: number) => void,
): Promise<Watcher> {
  // A poll under way is not cut off: its server would hold it on, and answer the next change to nobody.
  return await startWatcher(url, async (connections, ready, signal) => {
    const ask = async (query: string): Promise<WatchAnswer> =>
      JSON.parse(await connections.ask({ method: 'GET', path: watchPath(key) + query }));
    let { revision } = await ask('');
    ready();
    while (!signal.aborted) {
      const answer = await ask(`?since=${revision}&wait=${WAIT}`);
      revision = answer.revision;
      if (answer.changes?.length) onEvents(answer.changes.length);
    }
  });
}

async function watchByStream(
  { url }: Skerry,
  key: string,
  onEvents: (count: number) => void,
): Promise<Watcher> {
  const headers = { accept: 'text/event-stream' };
  return await startWatcher(url, async (connections, ready, signal) => {
    const stream = await connections.open({ method: 'GET', path: watchPath(key), headers }, signal);
    for await (const line of linesOf(stream)) {
      if (!line.startsWith('data:')) continue;
      const { changes } = JSON.parse(line.slice('data:'.length)) as WatchAnswer;
      // The stream begins with the resync.
      if (changes === undefined) ready();
      else if (changes.length > 0) onEvents(changes.length);
    }
  });
}
