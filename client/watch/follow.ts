import { backoff } from '../transport/backoff.ts';
import { isForeign, isPassing } from '../transport/problem.ts';
import type { Transport } from '../transport/transport.ts';
import { type WatchOptions, watch } from './watch.ts';

/**
 * Calls `refresh` at the start and after every change under a prefix, until the signal is aborted: the watch is a hint, what is read
 * then is the truth. What fails in passing is reported and tried again.
 *
 * @throws what does not pass, and the reason of the signal.
 */
export async function follow(
  transport: Transport,
  prefix: string,
  refresh: () => Promise<void>,
  options: WatchOptions & { readonly signal: AbortSignal },
): Promise<void> {
  const { random, wait } = transport.timing;
  let hasRead = false;
  for await (const event of watch(transport, prefix, options)) {
    let isStale = event.kind === 'resync' || event.changes.length > 0;
    for (let failures = 1; isStale; failures += 1) {
      try {
        await refresh();
        isStale = false;
        hasRead = true;
      } catch (error) {
        if (!isPassing(error) && !(hasRead && isForeign(error))) throw error;
        options.onFault?.(error);
        await wait(backoff(failures, random()), options.signal);
      }
    }
  }
}
