/** One page of a listing; `next` is there when there is more. */
export interface Page<Item> {
  readonly items: readonly Item[];
  readonly next?: string;
}

/** The items of all pages, fetched as they are asked for. */
export async function* pages<Item>(
  fetchPage: (after: string | undefined) => Promise<Page<Item>>,
): AsyncGenerator<Item, void, undefined> {
  let after: string | undefined;
  do {
    const { items, next } = await fetchPage(after);
    yield* items;
    after = next;
  } while (after !== undefined);
}
