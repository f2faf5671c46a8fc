import { Connections } from './connections.ts';
import type { Watcher } from './key-value-server.ts';

/**
 * Runs `follow` over a connection of its own until the watcher is stopped.
 *
 * @param follow calls `ready` once the next change will be noticed; what it throws before that fails the watch, and what it
 *   throws later fails `stop`.
 */
export async function startWatcher(
  origin: string,
  follow: (connections: Connections, ready: () => void, signal: AbortSignal) => Promise<void>,
): Promise<Watcher> {
  const connections = new Connections(origin, 1);
  const end = new AbortController();
  const { promise: whenReady, resolve: ready } = Promise.withResolvers<void>();
  const fault = follow(connections, ready, end.signal).then(
    () => new Error('The server ended a watch.'),
    (error: unknown) => error,
  );
  const early = await Promise.race([whenReady, fault]);
  if (early !== undefined) {
    await connections.close();
    throw early;
  }
  return {
    async stop() {
      const wasStopped = Symbol('still running');
      const outcome = await Promise.race([fault, Promise.resolve(wasStopped)]);
      end.abort();
      await fault;
      await connections.close();
      if (outcome !== wasStopped) throw outcome;
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
