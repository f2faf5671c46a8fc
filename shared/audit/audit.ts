import { hash } from 'node:crypto';
import type { Container } from '@azure/cosmos';
import { isPublic, scopeOfPrefix } from '../keyspace/index.ts';
import type { Clock } from '../platform/clock.ts';
import { readCursor, writeCursor } from '../platform/cursor.ts';
import { invalid } from '../platform/errors.ts';
import { actorAt, type Caller } from '../platform/http/index.ts';
import {
  type ChangePlace,
  type ChangesByTimeRequest,
  comparePlaces,
  isUnder,
  type Json,
  placeOfChange,
  readChangesByTime,
  type Scope,
  type StoredChange,
  scopeId,
} from '../records/index.ts';
import {
  ACCESS_LOG,
  ACCESS_LOG_SCOPE,
  type AccessEntry,
  REFUSALS,
  REVEALS,
  type WrittenEntries,
} from './access-log.ts';

export type AuditKind = 'change' | AccessEntry['kind'];

/** Which entries are wanted; all that the caller may see unless told. */
export interface AuditFilter {
  /** Undefined for all namespaces. */
  readonly ns: string | undefined;
  readonly actor?: string | undefined;
  /** That key and those below it, as `isUnder` has it. */
  readonly key?: string | undefined;
  /** Milliseconds since the Unix epoch: not before, and before. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly kind?: AuditKind | undefined;
}

export interface AuditRequest extends AuditFilter {
  readonly limit: number;
  /** Cursor: the `next` of the page before, of the same filter. */
  readonly after?: string | undefined;
}

export interface ChangeEntry {
  readonly kind: 'change';
  readonly at: string;
  readonly actor: string;
  readonly ns: string;
  readonly scope: string;
  readonly revision: number;
  readonly key: string;
  readonly type: string;
  /** Both absent where the caller may see that something changed, but not what it is. */
  readonly value?: Json;
  readonly previous?: Json;
  readonly traceparent?: string;
  readonly transaction?: { readonly first: number; readonly last: number };
}

export type AuditEntry = ChangeEntry | (AccessEntry & { readonly at: string });

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Cursor of the next page; absent on the last one. A page may be short, or empty, and have one. */
  readonly next?: string;
}

/** Changes that are looked at for one page of those that are wanted. */
const MAX_LOOKED_AT = 2_000;
/** JSON characters of the values of a page, about. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/**
 * Seconds that the time of a change and the time when storage took it in may be apart: what a commit takes at most, with
 * the repetitions that its time limits leave room for, and clocks that differ.
 */
const TIME_SLACK = 120;
/** Seconds after its beginning until nothing more is stored in a second: its own, and clocks that differ. */
const SETTLED_AFTER = 2;
/** Milliseconds that a page waits for that at most. */
const LONGEST_WAIT = 3_000;

type Place = readonly [...ChangePlace, index: number];

/** What happened: every change that storage still has, who was refused what, and who was shown secrets. */
export class Audit {
  readonly #container: Container;
  readonly #clock: Clock;

  /** @param container the Cosmos container `records`. */
  constructor(container: Container, clock: Clock) {
    this.#container = container;
    this.#clock = clock;
  }

  /**
   * A page of entries that a caller may see, the oldest first; that they may read the range that is asked for is for others to make
   * sure of. A page that ends in the last two seconds, and is not the last one, waits for them to be over: what is on its way to storage
   * may come to stand before its end.
   *
   * @throws SkerryError `invalid` when `after` is no cursor of these entries.
   */
  async page(request: AuditRequest, caller: Caller): Promise<AuditPage> {
    const { after } = request;
    const filter = digestOf(request);
    const cursor = after === undefined ? undefined : readCursor(after, (parts) => takePlace(parts, filter));
    let { entries, end } = await this.#read(request, caller, cursor);
    const rest = end === undefined ? 0 : 1000 * (end[0] + SETTLED_AFTER) - this.#clock.now();
    if (rest > 0) {
      await this.#clock.sleep(Math.min(rest, LONGEST_WAIT));
      ({ entries, end } = await this.#read(request, caller, cursor));
    }
    return { entries, ...(end !== undefined && { next: writeCursor([filter, ...end]) }) };
  }

  /** @returns `end` where there may be more behind it. */
  async #read(
    request: AuditRequest,
    caller: Caller,
    cursor: Place | undefined,
  ): Promise<{ entries: readonly AuditEntry[]; end?: Place }> {
    const { limit } = request;
    const entries: AuditEntry[] = [];
    let characters = 0;
    let lookedAt = 0;
    let last: Place | undefined;
    const query = queryFor(request, caller, cursor);
    for await (const second of query === undefined ? [] : readChangesByTime(this.#container, query)) {
      for (const stored of second) {
        const place = placeOfChange(stored);
        const order = cursor === undefined ? 1 : comparePlaces(place, firstFour(cursor));
        if (order < 0) {
          continue;
        }
        const from = cursor !== undefined && order === 0 ? cursor[4] + 1 : 0;
        for (const [index, entry] of entriesOf(stored, caller).entries()) {
          if (index < from || !isWanted(entry, request)) {
            continue;
          }
          if (last !== undefined && (entries.length >= limit || characters > MAX_CHARACTERS)) {
            return { entries, end: last };
          }
          entries.push(entry);
          characters += JSON.stringify(entry).length;
          last = [...place, index];
        }
        lookedAt += 1;
        if (lookedAt >= MAX_LOOKED_AT) {
          return { entries, end: [...place, Number.MAX_SAFE_INTEGER] };
        }
      }
    }
    return { entries };
  }
}

/** What has to be read for a request; undefined where nothing may be seen. */
function queryFor(
  { ns, key, since, until, kind, limit }: AuditRequest,
  caller: Caller,
  cursor: Place | undefined,
): ChangesByTimeRequest | undefined {
  const from = Math.max(cursor?.[0] ?? 0, since === undefined ? 0 : Math.floor(since / 1000) - TIME_SLACK);
  const upTo = until === undefined ? undefined : Math.ceil(until / 1000) + TIME_SLACK;
  // One more tells whether there are more.
  const bounds = { from, upTo, wanted: limit + 1 };
  const mayReadLog = mayReadAccessLog(caller);
  if (kind !== undefined && kind !== 'change') {
    const prefix = kind === 'reveal' ? REVEALS : REFUSALS;
    return mayReadLog ? { ...bounds, scope: ACCESS_LOG_SCOPE, ranges: [{ prefix }] } : undefined;
  }
  const changes = { ns, prefix: key === '/' ? undefined : key };
  if (kind === undefined && mayReadLog) {
    return { ...bounds, ranges: [changes, { ns: ACCESS_LOG_SCOPE.ns, prefix: ACCESS_LOG }] };
  }
  const scope = ns === undefined || key === undefined ? undefined : scopeOfPrefix(ns, key);
  return { ...bounds, ranges: [changes], ...(scope !== undefined && { scope }) };
}

/** What the caller may see of a change: nothing of what is kept for other eyes, or that it happened. */
function entriesOf(stored: StoredChange, caller: Caller): AuditEntry[] {
  const { scope, change } = stored;
  if (scope.kind === ACCESS_LOG_SCOPE.kind) {
    const { entries = [] } = (change.value ?? {}) as Partial<WrittenEntries>;
    return mayReadAccessLog(caller) ? entries.map((entry) => ({ ...entry, at: entry.lastAt })) : [];
  }
  const isPrivate = !isPublic(scope);
  if (isPrivate && !caller.may('admin', scope.ns, change.key)) {
    return [];
  }
  const showsValue = !isPrivate && caller.may('read', scope.ns, change.key);
  return [toChangeEntry(scope, change, showsValue)];
}

/** Who was refused what, and saw what, is for those who say who may. */
function mayReadAccessLog(caller: Caller): boolean {
  return caller.may('admin', ACCESS_LOG_SCOPE.ns, '/access');
}

function toChangeEntry(scope: Scope, change: StoredChange['change'], showsValue: boolean): ChangeEntry {
  const { at, actor, revision, key, type, value, previous, traceparent, transaction } = change;
  return {
    kind: 'change',
    at,
    actor,
    ns: scope.ns,
    scope: scopeId(scope),
    revision,
    key,
    type,
    ...(showsValue && { value: (value ?? null) as Json, previous: (previous?.value ?? null) as Json }),
    ...(traceparent !== undefined && { traceparent }),
    ...(transaction !== undefined && { transaction }),
  };
}

function isWanted(entry: AuditEntry, { ns, actor, key, since, until, kind }: AuditFilter): boolean {
  const at = Date.parse(entry.at);
  const { kind: ownKind, actor: who = placeOf(entry), ns: where = 'default' } = entry;
  return (
    (kind === undefined || kind === ownKind) &&
    (ns === undefined || ns === where) &&
    (actor === undefined || actor === who) &&
    (key === undefined || key === '/' || (entry.key !== undefined && isUnder(key, entry.key))) &&
    (since === undefined || at >= since) &&
    (until === undefined || at < until)
  );
}

function placeOf(entry: AuditEntry): string | undefined {
  return 'address' in entry && entry.address !== undefined ? actorAt(entry.address) : undefined;
}

function digestOf({ ns, actor, key, since, until, kind }: AuditFilter): string {
  return hash('sha256', JSON.stringify([ns, actor, key, since, until, kind]), 'base64url').slice(0, 16);
}

function firstFour([storedAt, at, scope, revision]: Place): ChangePlace {
  return [storedAt, at, scope, revision];
}

function takePlace(parts: readonly unknown[], wanted: string): Place | undefined {
  const [filter, storedAt, at, scope, revision, index] = parts;
  if (
    typeof storedAt !== 'number' ||
    typeof at !== 'string' ||
    typeof scope !== 'string' ||
    typeof revision !== 'number' ||
    typeof index !== 'number'
  ) {
    return undefined;
  }
  if (filter !== wanted) {
    throw invalid('"after" belongs to other entries than these.', {
      field: 'after',
      fix: 'Ask with the same filters as for the page before, or leave it out.',
    });
  }
  return [storedAt, at, scope, revision, index];
}
