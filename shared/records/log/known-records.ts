import type { StoredRecord } from '../change.ts';
import type { IsGone } from '../leases/lifetimes.ts';
import type { KeyRange, WriteSet } from '../write.ts';
import type { KnownState } from './batch-plan.ts';
import type { LogStorage } from './log-storage.ts';
import type { ScopeState } from './scope-state.ts';
import type { Snapshot } from './snapshot.ts';

type KnownRecords<Value> = Pick<KnownState<Value>, 'base' | 'records' | 'ranges'>;

/**
 * The records that some writes look at and a revision at which they were so: from the snapshot, or by reads. Whether that
 * revision is still the newest is proven by the batch that follows, or by a proof where nothing is written.
 *
 * @param isGone whether a record has lapsed; the range of a transaction does not count it.
 */
export async function readKnownRecords<Value>(
  storage: LogStorage,
  state: ScopeState<Value>,
  writes: readonly WriteSet<Value>[],
  isGone: IsGone,
): Promise<KnownRecords<Value>> {
  const base = await state.knownPosition();
  const keys = [...new Set(writes.flatMap((write) => write.keys))];
  const ranges = writes.flatMap(({ range }) => range ?? []);
  const { snapshot } = state;
  if (snapshot !== undefined) {
    return gather(
      snapshot.revision,
      keys.map((key) => [key, snapshot.get(key)]),
      ranges.map((range) => [range, firstRecords(snapshot, range, isGone)]),
    );
  }
  // Writes of one batch often look at the same range, which is read once for all of them.
  const reads = new Map<string, Promise<StoredRecord<Value>[]>>();
  const readRange = (range: KeyRange) => {
    const { prefix, after = '', limit } = range;
    const isWanted = (record: StoredRecord<Value>) => !isGone(record);
    const reading =
      reads.get(rangeText(range)) ?? storage.readFirstRecords<Value>({ prefix, after, limit }, isWanted);
    reads.set(rangeText(range), reading);
    return reading;
  };
  const [named, ranged] = await Promise.all([
    Promise.all(keys.map(async (key) => [key, await storage.readRecord<Value>(key)] as const)),
    Promise.all(ranges.map(async (range) => [range, await readRange(range)] as const)),
  ]);
  return gather(base, named, ranged);
}

/** The same for ranges that hold the same records. */
export function rangeText({ prefix, after = '', limit }: KeyRange): string {
  return JSON.stringify([prefix, after, limit]);
}

function gather<Value>(
  base: number,
  named: readonly (readonly [string, StoredRecord<Value> | undefined])[],
  ranged: readonly (readonly [KeyRange, readonly StoredRecord<Value>[]])[],
): KnownRecords<Value> {
  const records = new Map(named);
  const ranges = new Map<KeyRange, readonly string[]>();
  for (const [range, found] of ranged) {
    const keys = found.map((record) => {
      records.set(record.key, record);
      return record.key;
    });
    ranges.set(range, keys);
  }
  return { base, records, ranges };
}

function firstRecords<Value>(
  snapshot: Snapshot<Value>,
  { prefix, after = '', limit }: KeyRange,
  isGone: IsGone,
): StoredRecord<Value>[] {
  const found: StoredRecord<Value>[] = [];
  for (const record of snapshot.recordsUnder(prefix, after)) {
    if (found.length === limit) {
      break;
    }
    if (!isGone(record)) {
      found.push(record);
    }
  }
  return found;
}
