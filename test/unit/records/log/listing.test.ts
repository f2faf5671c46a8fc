import { expect, it } from 'vitest';
import { type Listing, listAllPages } from '../../../../shared/records/log/listing.ts';

it('lists all pages at the revision and the age of the first, since later ones may show more', async () => {
  const pages = [
    pageOf(['/a', '/b'], { revision: 7, ageSeconds: 2, next: 'second' }),
    pageOf([], { revision: 8, ageSeconds: 3, next: 'third' }),
    pageOf(['/c'], { revision: 9, ageSeconds: 0 }),
  ];
  const asked: (string | undefined)[] = [];
  const { records, ...facts } = await listAllPages(async (after) => {
    const page = pages[asked.length];
    if (page === undefined) throw new Error('Nobody asks behind the last page.');
    asked.push(after);
    return page;
  });
  expect(asked).toEqual([undefined, 'second', 'third']);
  expect(records.map(({ key }) => key)).toEqual(['/a', '/b', '/c']);
  expect(facts).toEqual({ revision: 7, ageSeconds: 2 });
});

function pageOf(
  keys: readonly string[],
  facts: Pick<Listing<string>, 'revision' | 'ageSeconds' | 'next'>,
): Listing<string> {
  const at = '2026-01-02T03:04:05.000Z';
  const records = keys.map((key) => ({ key, value: key, revision: 1, createdAt: at, updatedAt: at }));
  return { records, hidesLapsed: false, ...facts };
}
