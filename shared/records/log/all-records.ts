import type { Container } from '@azure/cosmos';
import { queryPages } from '../../platform/cosmos-query.ts';
import type { StoredRecord } from '../change.ts';
import { fromRecordDocument, type RecordDocument } from '../documents.ts';
import { parseScopeId, type Scope } from '../scope.ts';

/** Documents that a page asks for; Cosmos ends a page earlier at about 4 MB. */
const PAGE_SIZE = 1_000;

/**
 * All records of some kinds in a namespace, lapsed ones among them, by one query over all scopes: in no particular order, and each
 * as it is when its page is read.
 */
export async function* readAllRecords(
  container: Container,
  ns: string,
  kinds: readonly string[],
): AsyncGenerator<{ readonly scope: Scope; readonly record: StoredRecord<unknown> }[]> {
  const query = {
    query: "SELECT * FROM c WHERE c.type = 'record' AND c.ns = @ns AND ARRAY_CONTAINS(@kinds, c.kind)",
    parameters: [
      { name: '@ns', value: ns },
      { name: '@kinds', value: [...kinds] },
    ],
  };
  const pages = queryPages<RecordDocument<unknown>>(container, query, { maxItemCount: PAGE_SIZE });
  for await (const documents of pages) {
    yield documents.flatMap((document) => {
      const record = fromRecordDocument(document);
      return record === undefined ? [] : [{ scope: parseScopeId(document.scope), record }];
    });
  }
}
