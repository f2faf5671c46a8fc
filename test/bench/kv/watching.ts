import { setTimeout as sleep } from 'node:timers/promises';
import { repeat, times } from '../cloud/work.ts';
import type { Entry, KeyValueClient, KeyValueServer, Watch, Watcher } from './key-value-server.ts';

/** How long events may take, in milliseconds. */
const PATIENCE = 60_000;
const WRITERS = 16;
/** A moment in which the server comes to rest, and a long poll is back at it, in milliseconds. */
const PAUSE = 10;

/** Milliseconds from a write to its event, one for each of some writes that follow one another. */
export interface EventLatencies {
  readonly fromAnswer: readonly number[];
  readonly fromRequest: readonly number[];
}

export async function measureEventLatencies(
  server: KeyValueServer,
  watch: Watch,
  entries: readonly Entry[],
): Promise<EventLatencies> {
  const fromAnswer: number[] = [];
  const fromRequest: number[] = [];
  const client = server.connect(1);
  let arrived: (at: number) => void = () => {};
  const watcher = await watch(entries[0]?.key ?? '', () => arrived(performance.now()));
  for (const entry of entries) {
    const arrival = new Promise<number>((resolve) => {
      arrived = resolve;
    });
    const askedAt = performance.now();
    await client.put(entry);
    const answeredAt = performance.now();
    const arrivedAt = await inTime(arrival, () => `No event of ${server.name} arrived.`);
    fromAnswer.push(arrivedAt - answeredAt);
    fromRequest.push(arrivedAt - askedAt);
    await sleep(PAUSE);
  }
  await stopAll([watcher], client, [entries[0]?.key ?? '']);
  await client.close();
  return { fromAnswer, fromRequest };
}

/**
 * Events that reach watchers a second, from the first write until all have all.
 *
 * @param watched a key for each watcher.
 * @param entries what is written, by 16 writers side by side: changes of watched keys only.
 */
export async function measureFanOut(
  server: KeyValueServer,
  watch: Watch,
  watched: readonly string[],
  entries: readonly Entry[],
): Promise<number> {
  const watchersOf = Map.groupBy(watched, (key) => key);
  const expected = entries.reduce((sum, { key }) => sum + (watchersOf.get(key)?.length ?? 0), 0);
  let received = 0;
  const { promise: complete, resolve } = Promise.withResolvers<void>();
  const watchers: Watcher[] = [];
  for (const key of watched) {
    const watcher = await watch(key, (count) => {
      received += count;
      if (received >= expected) resolve();
    });
    watchers.push(watcher);
  }
  const client = server.connect(WRITERS);
  const left = entries.values();
  const startedAt = performance.now();
  await repeat(
    Array(WRITERS).fill(() => putNext()),
    times(entries.length),
  );
  const failed = watchers.map(async ({ ended }) => {
    throw (await ended) ?? new Error('A watcher was stopped.');
  });
  for (const failure of failed) failure.catch(() => {});
  await inTime(
    Promise.race([complete, ...failed]),
    () => `${received} of ${expected} events of ${server.name} arrived.`,
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const surplus = received - expected;
  await stopAll(watchers, client, watched);
  await client.close();
  if (surplus > 0) throw new Error(`${server.name} sent ${surplus} events too many.`);
  return expected / seconds;

  async function putNext(): Promise<void> {
    const { value: entry } = left.next();
    if (entry !== undefined) await client.put(entry);
  }
}

/** Writes what is watched once more, so that polls under way end. */
async function stopAll(
  watchers: readonly Watcher[],
  client: KeyValueClient,
  watched: readonly string[],
): Promise<void> {
  const stopped = watchers.map((watcher) => watcher.stop());
  await Promise.all([...new Set(watched)].map((key) => client.put({ key, value: `${performance.now()}` })));
  await Promise.all(stopped);
}

async function inTime<Result>(promise: Promise<Result>, describe: () => string): Promise<Result> {
  const patience = new AbortController();
  const late = sleep(PATIENCE, undefined, { signal: patience.signal }).then(() => {
    throw new Error(describe());
  });
  late.catch(() => {});
  try {
    return await Promise.race([promise, late]);
  } finally {
    patience.abort();
  }
}
