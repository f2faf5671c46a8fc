import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { Agent } from 'undici';
import { type Skerry, startSkerry } from '../../e2e/skerry.ts';
import { findChild } from '../product/processes.ts';
import { printTable, rounded } from '../statistics.ts';
import { pathOf } from './bundle-content.ts';
import { RawBlob } from './raw-blob.ts';
import { watchMemory } from './resident-memory.ts';

const SKERRY = path.resolve(import.meta.dirname, '../../../client/cli/skerry.mjs');
const FILES = 500;
/** More than the API takes in one request, so that the way is the same. */
const QUICK_FILES = 60;
const FILE_BYTES = 1_000_000;
const BLOCK_BYTES = 4 * 1024 * 1024;
const BLOCKS_AT_ONCE = 4;

/** Pushing and pulling 500 MB by the command line, through a product that has just begun: seconds, and the memory of each process. */
export async function benchPush({ quick, agent }: { quick: boolean; agent: Agent }): Promise<void> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'skerry-bench-push-'));
  const files = quick ? QUICK_FILES : FILES;
  const source = path.join(folder, 'source');
  for (let index = 0; index < files; index += 1) {
    const file = path.join(source, pathOf(index));
    if (index < 10) await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, randomBytes(FILE_BYTES));
  }
  const skerry = await startSkerry({ traps: 'none' });
  const seconds = new Map<string, number>();
  const time = async (name: string, work: () => Promise<unknown>) => {
    const startedAt = performance.now();
    await work();
    seconds.set(name, (performance.now() - startedAt) / 1000);
  };
  await time('raw blob, SDK: 4 blocks of 4 MB at a time', () => uploadRaw(skerry, source, files, agent));
  const proxy = await startTimingProxy(skerry.url);
  const memory = await watchCommand(skerry, async (setCommand) => {
    await time('push', () => run(['bundle', 'push', 'large', source], proxy.url, setCommand));
  });
  seconds.set('of these, the commit', proxy.commitSeconds());
  const pulled = await watchCommand(skerry, async (setCommand) => {
    await time('pull', () =>
      run(['bundle', 'pull', 'large', path.join(folder, 'pulled')], proxy.url, setCommand),
    );
  });
  proxy.stop();
  await skerry.stop();
  await rm(folder, { recursive: true });

  const floor = [...seconds.values()][0] ?? Number.NaN;
  printTable(
    `${files} files of 1 MB by the command line, once`,
    ['', 's', '÷ raw blob'],
    [...seconds].map(([name, each]) => [name, rounded(each), rounded(each / floor, 2)]),
  );
  printTable(
    'Resident memory meanwhile, MB',
    ['', 'before', 'most, push', 'most, pull'],
    [...memory].map(([name, { before, most }]) => [
      name,
      megabytes(before),
      megabytes(most),
      megabytes(pulled.get(name)?.most ?? Number.NaN),
    ]),
  );
}

async function uploadRaw(
  { connections }: Skerry,
  source: string,
  files: number,
  agent: Agent,
): Promise<void> {
  const raw = await RawBlob.open(connections.blob, agent);
  const { client } = await raw.blob('large');
  const content = async function* () {
    for (let index = 0; index < files; index += 1) yield await readFile(path.join(source, pathOf(index)));
  };
  await client.uploadStream(Readable.from(content()), BLOCK_BYTES, BLOCKS_AT_ONCE);
}

async function watchCommand(
  { pid }: Skerry,
  work: (setCommand: (command: ChildProcess) => void) => Promise<unknown>,
) {
  const host = findChild(pid, 'host/main.ts');
  const pids = new Map([
    ['command line', 0],
    ['functions', findChild(host, 'host/worker.ts')],
    ['emulators of Cosmos DB and Service Bus', pid],
    ['Azurite', findChild(pid, 'azurite/main.ts')],
  ]);
  return await watchMemory(pids, () => work((command) => pids.set('command line', command.pid ?? 0)));
}

async function run(
  args: readonly string[],
  url: string,
  setCommand: (command: ChildProcess) => void,
): Promise<void> {
  const command = spawn(process.execPath, [SKERRY, ...args], {
    env: { ...process.env, SKERRY_URL: url },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  setCommand(command);
  const [code] = await once(command, 'exit');
  if (code !== 0) throw new Error(`skerry ${args.join(' ')} ended with exit code ${code}.`);
}

/** Stands before the API, to tell how long a commit takes; what is large goes past it, straight to storage. */
async function startTimingProxy(target: string) {
  let commitSeconds = Number.NaN;
  const server = createServer((incoming, outgoing) => {
    const startedAt = performance.now();
    const { method, headers } = incoming;
    const asked = request(target + incoming.url, { method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
      answer.once('end', () => {
        if (incoming.url?.split('?', 1)[0]?.endsWith('/commit'))
          commitSeconds = (performance.now() - startedAt) / 1000;
      });
    });
    asked.once('error', () => outgoing.destroy());
    incoming.pipe(asked);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    commitSeconds: () => commitSeconds,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function megabytes(bytes: number): string {
  return rounded(bytes / 1e6, 0);
}
