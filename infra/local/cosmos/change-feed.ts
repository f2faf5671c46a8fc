import type { ContainerEntry } from './catalog.ts';
import { isExpired } from './item.ts';
import type { PartitionKey } from './partition-key.ts';
import { type EpkRange, isWithin } from './partition-ranges.ts';
import { AFTER_ALL, type FeedEntry, type Store } from './store.ts';

export interface FeedRequest {
  /** One logical partition, or all of the physical one whose keys fall in `keys`. */
  readonly partitionKey: PartitionKey | undefined;
  readonly range: string;
  readonly keys: EpkRange;
  /** Changes with a greater sequence number. */
  readonly after: number;
  /** What the reader may see; the position never runs ahead of it. */
  readonly upTo: number;
  /** Only changes of this second (since 1970) or later. */
  readonly since: number;
  readonly maxItems: number;
}

export interface FeedPage {
  /** Item bodies with `_lsn`. */
  readonly bodies: readonly Buffer[];
  readonly sizes: readonly number[];
  /** The sequence number to go on from. */
  readonly position: number;
}

interface Change {
  readonly lsn: number;
  readonly place: FeedEntry;
}

const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/**
 * The newest version of each item that changed, in the order of the changes. Changes of one transaction share a
 * sequence number and come in one page, which may therefore be larger than asked for.
 */
export function readFeed(store: Store, container: ContainerEntry, request: FeedRequest): FeedPage {
  const now = Math.floor(Date.now() / 1000);
  const bodies: Buffer[] = [];
  const sizes: number[] = [];
  let bytes = 0;
  let position = request.after;
  for (const change of changesOf(store, container, request)) {
    const isFull = bodies.length >= request.maxItems || bytes >= MAX_PAGE_BYTES;
    if (change.lsn !== position && isFull) return { bodies, sizes, position };
    position = change.lsn;
    const key = [container.number, ...change.place];
    const head = store.heads.get(key);
    const body = store.bodies.get(key);
    if (head === undefined || body === undefined || isExpired(head, now) || head.timestamp < request.since)
      continue;
    bodies.push(withSequenceNumber(body, change.lsn));
    sizes.push(body.length);
    bytes += body.length;
  }
  return { bodies, sizes, position: Math.max(request.after, request.upTo) };
}

function* changesOf(store: Store, container: ContainerEntry, request: FeedRequest): Generator<Change> {
  const { partitionKey, range, keys, after, upTo } = request;
  const prefix = [container.number, partitionKey?.keyPart ?? range];
  const bounds = { start: [...prefix, after, AFTER_ALL], end: [...prefix, upTo, AFTER_ALL] };
  if (partitionKey !== undefined) {
    for (const { key, value: id } of store.partitionFeed.getRange(bounds)) {
      yield { lsn: Number(key[2]), place: [partitionKey.keyPart, id] };
    }
    return;
  }
  for (const { key, value: place } of store.feed.getRange(bounds)) {
    if (isWithin(keys, place[0])) yield { lsn: Number(key[2]), place };
  }
}

function withSequenceNumber(body: Buffer, lsn: number): Buffer {
  return Buffer.concat([body.subarray(0, -1), Buffer.from(`,"_lsn":${lsn}}`)]);
}
