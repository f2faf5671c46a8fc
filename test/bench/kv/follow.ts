import { Connections } from './connections.ts';
import type { Watcher } from './key-value-server.ts';

/**
 * Runs `follow` over a connection of its own until the watcher is stopped.
 *
 * @param follow calls `ready` once the next change will be noticed, and returns soon after the signal; what it throws before
 *   it is ready fails the watch.
 */
export async function startWatcher(
  origin: string,
  follow: (connections: Connections, ready: () => void, signal: AbortSignal) => Promise<void>,
): Promise<Watcher> {
  const connections = new Connections(origin, 1);
  const end = new AbortController();
  const { promise: whenReady, resolve: ready } = Promise.withResolvers<undefined>();
  const ended = follow(connections, () => ready(undefined), end.signal)
    .then(() => new Error('The server ended a watch.'))
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
    .then((error) => (end.signal.aborted ? undefined : error));
  const early = await Promise.race([whenReady, ended]);
  if (early !== undefined) {
    await connections.close();
    throw early;
  }
  return {
    ended,
    async stop() {
      end.abort();
      await ended;
      await connections.close();
    },
  };
}

/** The lines of a stream of text, without their ends. */
export async function* linesOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
