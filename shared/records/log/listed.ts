import type { Container } from '@azure/cosmos';
import { queryPages } from '../../platform/cosmos-query.ts';
import { readCursor, writeCursor } from '../../platform/cursor.ts';
import type { StoredRecord } from '../change.ts';
import { fromRecordDocument, listedPrefix, type RecordDocument } from '../documents.ts';
import type { KeyOrder } from '../key.ts';
import { parseScopeId, type Scope } from '../scope.ts';
import { takePage } from './take-page.ts';

export interface ListedRequest<Value> {
  /** Of `listed`; ascending, unless said otherwise, and the same on all pages. */
  readonly order?: KeyOrder | undefined;
  /** Cursor: the `next` of the page before. */
  readonly after?: string | undefined;
  /** Most records of a page. */
  readonly limit: number;
  /** Which records are wanted; all without it. Those that are not are read all the same. */
  readonly where?: ((record: StoredRecord<Value>) => boolean) | undefined;
}

export interface ListedRecord<Value> {
  readonly scope: Scope;
  readonly record: StoredRecord<Value>;
}

export interface ListedPage<Value> {
  readonly records: readonly ListedRecord<Value>[];
  /** Cursor of the next page; absent on the last one. A page may be short, or empty, and have one: where few records are wanted. */
  readonly next?: string;
}

/** Documents of one page of the query, which is what each physical partition is asked for. */
const DOCUMENTS_AT_ONCE = 500;
/** Records that are looked at for one page of those that are wanted. */
const MAX_LOOKED_AT = 1_000;

/**
 * @param isAlive whether a record has not come to its end.
 * @throws SkerryError `invalid` for a malformed cursor.
 */
export async function readListed<Value>(
  container: Container,
  range: { readonly ns: string; readonly kind: string },
  { order = 'ascending', after, limit, where }: ListedRequest<Value>,
  isAlive: (found: ListedRecord<Value>) => Promise<boolean>,
): Promise<ListedPage<Value>> {
  const cursor = after === undefined ? undefined : readCursor(after, takeListed);
  // One more tells whether there are more; by TOP, so that the SDK does not read on behind them.
  const top = where === undefined ? limit + 1 : MAX_LOOKED_AT;
  let lookedAt = 0;
  /** The last that was looked at, where that is all that one page may cost. */
  let stoppedAt: string | undefined;
  async function* wanted(): AsyncGenerator<ListedRecord<Value>[]> {
    const query = listedQuery(range, { order, cursor, top });
    const options = { maxItemCount: Math.min(DOCUMENTS_AT_ONCE, top) };
    for await (const documents of queryPages<RecordDocument<Value>>(container, query, options)) {
      const found = documents.flatMap(toListed);
      const areAlive = await Promise.all(found.map(isAlive));
      yield found.filter((one, index) => areAlive[index] === true && where?.(one.record) !== false);
      lookedAt += documents.length;
      stoppedAt = lookedAt >= top ? found.at(-1)?.record.listed : undefined;
    }
  }
  const { items, isCut } = await takePage(wanted(), limit, ({ record }) => record.value);
  const last = isCut ? items.at(-1)?.record.listed : stoppedAt;
  return { records: items, ...(last !== undefined && { next: writeCursor([last]) }) };
}

function toListed<Value>(document: RecordDocument<Value>): ListedRecord<Value>[] {
  const record = fromRecordDocument(document);
  return record === undefined ? [] : [{ scope: parseScopeId(document.scope), record }];
}

function listedQuery(
  { ns, kind }: { readonly ns: string; readonly kind: string },
  {
    order,
    cursor,
    top,
  }: { readonly order: KeyOrder; readonly cursor: string | undefined; readonly top: number },
) {
  const prefix = listedPrefix(ns, kind);
  const end = `${prefix.slice(0, -1)};`; // ';' follows ':'.
  const begin = cursor === undefined ? undefined : `${prefix}${cursor}`;
  const [above, below] = order === 'ascending' ? [begin ?? prefix, end] : [prefix, begin ?? end];
  return {
    query: `SELECT TOP ${top} * FROM c WHERE c.listed > @above AND c.listed < @below ORDER BY c.listed${order === 'ascending' ? '' : ' DESC'}`,
    parameters: [
      { name: '@above', value: above },
      { name: '@below', value: below },
    ],
  };
}

function takeListed([listed]: readonly unknown[]): string | undefined {
  return typeof listed === 'string' ? listed : undefined;
}
