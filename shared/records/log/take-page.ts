/** JSON characters of the values of one page, about; it ends early beyond them. */
const MAX_PAGE_CHARACTERS = 4 * 1024 * 1024;

/** The first items, up to a number and a size, at least one; and whether there are more of them. Reads no further than it needs to. */
export async function takePage<Item>(
  batches: AsyncIterable<readonly Item[]>,
  limit: number,
  contentOf: (item: Item) => unknown,
): Promise<{ items: Item[]; isCut: boolean }> {
  const items: Item[] = [];
  let characters = 0;
  for await (const batch of batches) {
    for (const item of batch) {
      if (items.length === limit || characters > MAX_PAGE_CHARACTERS) {
        return { items, isCut: true };
      }
      items.push(item);
      characters += JSON.stringify(contentOf(item))?.length ?? 0;
    }
  }
  return { items, isCut: false };
}
