import type { Container, FeedOptions, SqlQuerySpec } from '@azure/cosmos';
import { askCosmos } from './ask-cosmos.ts';

/** The pages of a query, each asked for as `askCosmos` does; who stops reading ends the query. */
export async function* queryPages<Document>(
  container: Container,
  specification: SqlQuerySpec,
  options: FeedOptions,
): AsyncGenerator<Document[]> {
  const reading = new AbortController();
  const pages = container.items.query<Document>(specification, { ...options, abortSignal: reading.signal });
  try {
    while (pages.hasMoreResults()) {
      const { resources } = await askCosmos(() => pages.fetchNext());
      yield resources ?? [];
    }
  } finally {
    // After the last page only the SDK's own request for the query's plan may be under way; to cut that off costs its connection.
    if (pages.hasMoreResults()) reading.abort();
  }
}

/** All results of a query; see `queryPages`. */
export async function queryAll<Document>(
  container: Container,
  specification: SqlQuerySpec,
  options: FeedOptions = {},
): Promise<Document[]> {
  const documents: Document[] = [];
  for await (const page of queryPages<Document>(container, specification, options)) {
    documents.push(...page);
  }
  return documents;
}
