import type { ContainerEntry } from './catalog.ts';
import { badRequest, CosmosError } from './cosmos-error.ts';
import { indexedValueOf, valueAtPath } from './indexed-value.ts';
import { indexedTerms } from './indexing-policy.ts';
import type { JsonObject, JsonValue } from './json.ts';
import { itemResourceId } from './resource-id.ts';
import type { ItemHead } from './store.ts';

/** An item as it is stored: `body` is its JSON with the system properties in it, sent as it is. */
export interface Item {
  readonly head: ItemHead;
  readonly body: Buffer;
}

export interface Placement {
  readonly lsn: number;
  readonly sequence: number;
  readonly itemNumber: number;
  /** Seconds since 1970. */
  readonly now: number;
}

const MAX_ITEM_BYTES = 2 * 1024 * 1024;
const MAX_ID_BYTES = 1023;
const MAX_TIME_TO_LIVE = 2 ** 31 - 1;
/** Cosmos DB docs, "Service quotas and default limits": levels of embedded objects and arrays. */
const MAX_DEPTH = 128;

/** Adds what the service adds. @throws CosmosError 400 or 413 */
export function buildItem(container: ContainerEntry, given: JsonObject, placement: Placement): Item {
  checkValues(given, MAX_DEPTH);
  const { _rid, _self, _etag, _attachments, _ts, _lsn, ...own } = given;
  const { lsn, sequence, itemNumber, now } = placement;
  const rid = itemResourceId(container.databaseNumber, container.number, itemNumber);
  const etag = etagOf(container, placement);
  const system = {
    _rid: rid,
    _self: `${container.selfLink}docs/${rid}/`,
    _etag: etag,
    _attachments: 'attachments/',
    _ts: now,
  };
  const ownText = JSON.stringify(own);
  const body = Buffer.from(`${ownText.slice(0, -1)},${JSON.stringify(system).slice(1)}`);
  if (body.length > MAX_ITEM_BYTES) throw new CosmosError(413, 'Request size is too large.');
  const bodyBytes = body.length;
  return {
    head: { etag, lsn, sequence, timestamp: now, itemNumber, bodyBytes, ...policyRows(container, own, now) },
    body,
  };
}

/** The head of a stored item as a container with another indexing policy or time to live has it. */
export function headUnder(container: ContainerEntry, { head, body }: Item): ItemHead {
  const { _rid, _self, _etag, _attachments, _ts, ...own } = JSON.parse(body.toString()) as JsonObject;
  return { ...head, ...policyRows(container, own, head.timestamp) };
}

/** What of a head follows from the container's indexing policy and time to live. */
function policyRows(
  container: ContainerEntry,
  own: JsonObject,
  timestamp: number,
): Pick<ItemHead, 'expiresAt' | 'terms' | 'indexed'> {
  return {
    expiresAt: expiry(container, own.ttl, timestamp),
    terms: indexedTerms(container.indexing, own),
    indexed: container.indexing.scalarPaths.map((path) =>
      indexedValueOf(path[0] === '_ts' ? timestamp : valueAtPath(own, path)),
    ),
  };
}

/** @throws CosmosError 400 for too deep an item, and for a number (`1e999`) that no double holds */
function checkValues(value: JsonValue, levels: number): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw badRequest('The item holds too large a number.');
  if (typeof value !== 'object' || value === null) return;
  if (levels === 0) throw badRequest(`The item is nested more than ${MAX_DEPTH} levels deep.`);
  for (const child of Object.values(value)) checkValues(child, levels - 1);
}

/** @throws CosmosError 400 for an id that the service does not take */
export function itemId(item: JsonObject): string {
  const { id } = item;
  if (typeof id !== 'string' || id === '') {
    throw badRequest("The input content is invalid because the required properties - 'id; ' - are missing");
  }
  if (/[/\\?#]/.test(id))
    throw badRequest(`The id ${JSON.stringify(id)} contains one of the characters / \\ ? #`);
  if (Buffer.byteLength(id) > MAX_ID_BYTES) throw badRequest('The id is longer than 1023 bytes.');
  return id;
}

export function isExpired(head: ItemHead, now: number): boolean {
  return head.expiresAt !== 0 && head.expiresAt <= now;
}

function expiry(container: ContainerEntry, ttl: JsonValue | undefined, now: number): number {
  if (container.defaultTtl === undefined) return 0;
  const seconds = timeToLive(ttl) ?? container.defaultTtl;
  return seconds === -1 ? 0 : now + seconds;
}

/** A `ttl` or `defaultTtl` in seconds; -1 = never. @throws CosmosError 400 */
export function timeToLive(value: JsonValue | undefined): number | undefined {
  if (value === undefined || value === null) return undefined;
  const isSeconds = Number.isInteger(value) && Number(value) >= 1 && Number(value) <= MAX_TIME_TO_LIVE;
  if (typeof value === 'number' && (value === -1 || isSeconds)) return value;
  throw badRequest(
    `The input ttl '${JSON.stringify(value)}' is invalid. Ensure to provide a nonzero positive integer less than or equal to '${MAX_TIME_TO_LIVE}', or -1.`,
  );
}

/** Unique for each write, also within a second and after a container was made again. */
function etagOf(container: ContainerEntry, { lsn, sequence, now }: Placement): string {
  const parts = [
    hexadecimal(lsn, 8),
    hexadecimal(sequence, 4),
    hexadecimal(container.number, 4),
    '0000',
    hexadecimal(now, 12),
  ];
  return `"${parts.join('-')}"`;
}

function hexadecimal(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
