import type { Container } from '@azure/cosmos';
import { queryPages } from '../../platform/cosmos-query.ts';
import type { Change } from '../change.ts';
import { type ChangeDocument, fromChangeDocument } from '../documents.ts';
import { parseScopeId, type Scope, scopeId } from '../scope.ts';
import { whereUnder } from '../where-under.ts';

/** A change as storage took it in. */
export interface StoredChange {
  readonly scope: Scope;
  readonly change: Change<unknown>;
  /** Seconds since the Unix epoch, by storage's clock. */
  readonly storedAt: number;
}

export interface ChangesByTimeRequest {
  /** Seconds since the Unix epoch by storage's clock, both included. */
  readonly from?: number | undefined;
  readonly upTo?: number | undefined;
  /** The one scope that is asked for, where it is one. */
  readonly scope?: Scope | undefined;
  /** What one of must hold; everything without any. */
  readonly ranges?: readonly ChangesRange[] | undefined;
  /** About how many changes will be looked at; there may be any number. */
  readonly wanted: number;
}

export interface ChangesRange {
  readonly ns?: string | undefined;
  /** As `isUnder` has it; without one, all keys. */
  readonly prefix?: string | undefined;
}

/** Documents that are read at a time. */
const SMALLEST_PAGE = 50;
const LARGEST_PAGE = 500;

/**
 * The changes of all scopes, as far as storage still has them, the oldest first, second by second; those of one second in an
 * order that is always the same. By a query over `_ts`, which Cosmos DB indexes of every document at no charge: an index of `at`
 * would cost something on every write.
 */
export async function* readChangesByTime(
  container: Container,
  { from = 0, upTo, scope, ranges = [], wanted }: ChangesByTimeRequest,
): AsyncGenerator<StoredChange[]> {
  const conditions = ["c.type = 'change'", 'c._ts >= @from'];
  const parameters: { name: string; value: string | number }[] = [{ name: '@from', value: from }];
  if (upTo !== undefined) {
    conditions.push('c._ts <= @upTo');
    parameters.push({ name: '@upTo', value: upTo });
  }
  if (ranges.length > 0) {
    const alternatives = ranges.map(({ ns, prefix }, index) => {
      const parts = [];
      if (ns !== undefined) {
        parts.push(`c.ns = @ns${index}`);
        parameters.push({ name: `@ns${index}`, value: ns });
      }
      if (prefix !== undefined) {
        const under = whereUnder(prefix, index);
        parts.push(under.condition);
        parameters.push(...under.parameters);
      }
      return parts.length === 0 ? 'true' : `(${parts.join(' AND ')})`;
    });
    conditions.push(`(${alternatives.join(' OR ')})`);
  }
  const pages = queryPages<ChangeDocument<unknown> & { readonly _ts: number }>(
    container,
    { query: `SELECT * FROM c WHERE ${conditions.join(' AND ')} ORDER BY c._ts`, parameters },
    {
      maxItemCount: Math.min(Math.max(SMALLEST_PAGE, wanted), LARGEST_PAGE),
      ...(scope !== undefined && { partitionKey: scopeId(scope) }),
    },
  );
  let second: StoredChange[] = [];
  for await (const documents of pages) {
    for (const document of documents) {
      if (second[0] !== undefined && second[0].storedAt !== document._ts) {
        yield second.sort(compareStored);
        second = [];
      }
      second.push({
        scope: parseScopeId(document.scope),
        change: fromChangeDocument(document),
        storedAt: document._ts,
      });
    }
  }
  if (second.length > 0) {
    yield second.sort(compareStored);
  }
}

/** Where a change stands among all others. */
export type ChangePlace = readonly [storedAt: number, at: string, scope: string, revision: number];

export function placeOfChange({ storedAt, change, scope }: StoredChange): ChangePlace {
  return [storedAt, change.at, scopeId(scope), change.revision];
}

export function comparePlaces(one: ChangePlace, other: ChangePlace): number {
  for (const [index, part] of one.entries()) {
    const otherPart = other[index] ?? 0;
    if (part !== otherPart) return part < otherPart ? -1 : 1;
  }
  return 0;
}

function compareStored(one: StoredChange, other: StoredChange): number {
  return comparePlaces(placeOfChange(one), placeOfChange(other));
}
