import type { Container } from '@azure/cosmos';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchOf, indexOnly, isEmulator, openAccount, type TestAccount } from './account.ts';

const long = 'k'.repeat(200);
const VALUES = [
  undefined,
  null,
  true,
  false,
  -1.5,
  0,
  2,
  10,
  '',
  'a',
  'b',
  'z\uffff',
  '\u{1F600}',
  `${long}a`,
  `${long}b`,
];
const scalar = fc.constantFrom(...VALUES);
const bound = fc.constantFrom(...VALUES.filter((value) => value !== undefined));
const operator = fc.constantFrom('=', '!=', '<', '<=', '>', '>=');
const condition = fc.record({ path: fc.constantFrom('a', 'b', 'plain'), operator, value: bound });
const query = fc.record({
  conditions: fc.array(condition, { maxLength: 3 }),
  join: fc.constantFrom('AND', 'OR'),
  order: fc.constantFrom('', 'ORDER BY c.a', 'ORDER BY c.a DESC', 'ORDER BY c.b', 'ORDER BY c.b DESC'),
  top: fc.option(fc.integer({ min: 1, max: 7 }), { nil: undefined }),
  page: fc.constantFrom(1, 3, 100),
  partitionKey: fc.constantFrom('s', undefined),
});

let account: TestAccount;
let indexed: Container;
let scanned: Container;

beforeAll(async () => {
  account = await openAccount();
  indexed = await account.container({ indexingPolicy: indexOnly('/a/?', '/b/?') });
  scanned = await account.container();
  const random = fc.sample(fc.record({ a: scalar, b: scalar, plain: scalar }), { numRuns: 150, seed: 7 });
  const place = (number: number) => ({ id: `i${number}`, scope: number % 5 === 0 ? `t${number % 3}` : 's' });
  const put = (item: unknown) => Promise.all([indexed.items.upsert(item), scanned.items.upsert(item)]);
  // Overwritten, so that entries of the index move, and stay where a value stays.
  await Promise.all(random.map((values, number) => put({ ...values, b: random[0]?.b, ...place(number) })));
  await Promise.all(
    random.map(({ a, b, plain }, number) => put({ a: number % 2 ? a : b, b, plain, ...place(number) })),
  );
});
afterAll(async () => account.close());

describe.runIf(isEmulator)('queries over indexed paths', () => {
  it('give the same items in the same order as a scan, page by page', async () => {
    await fc.assert(
      fc.asyncProperty(query, async ({ conditions, join, order, top, page, partitionKey }) => {
        const where = conditions
          .map(({ path, operator: sign }, number) => `c.${path} ${sign} @v${number}`)
          .join(` ${join} `);
        const spec = {
          query: `SELECT ${top === undefined ? '' : `TOP ${top}`} VALUE c.id FROM c ${where && `WHERE ${where}`} ${order}`,
          parameters: conditions.map(({ value }, number) => ({ name: `@v${number}`, value })),
        };
        const [fast, slow] = await Promise.all(
          [indexed, scanned].map(async (container) => {
            const options = { maxItemCount: page, ...(partitionKey === undefined ? {} : { partitionKey }) };
            return (await container.items.query<string>(spec, options).fetchAll()).resources;
          }),
        );
        expect(fast).toEqual(slow);
      }),
      { numRuns: 120, seed: 11 },
    );
  });

  it('strings that share a long beginning are compared and sorted in full', async () => {
    const container = await account.container({ indexingPolicy: indexOnly('/a/?') });
    const beginning = 'x'.repeat(300);
    const values = ['b', 'd', 'a', 'c'].map((end) => beginning + end);
    for (const a of values) await container.items.create({ id: a.slice(-1), scope: 's', a });
    const ask = async (rest: string, value = `${beginning}b`) => {
      const spec = { query: `SELECT VALUE c.id FROM c ${rest}`, parameters: [{ name: '@v', value }] };
      return (
        await container.items.query<string>(spec, { partitionKey: 's', maxItemCount: 1 }).fetchAll()
      ).resources.join('');
    };
    expect(await ask('WHERE c.a < @v ORDER BY c.a')).toBe('a');
    expect(await ask('WHERE c.a <= @v ORDER BY c.a')).toBe('ab');
    expect(await ask('WHERE c.a > @v ORDER BY c.a')).toBe('cd');
    expect(await ask('WHERE c.a >= @v ORDER BY c.a DESC')).toBe('dcb');
    expect(await ask('WHERE c.a = @v')).toBe('b');
  });

  it('a long scan lets other requests through', async () => {
    const container = await account.container();
    const items = Array.from({ length: 4000 }, (_, number) => ({
      id: `i${number}`,
      scope: 's',
      text: 'x'.repeat(200),
    }));
    for (let start = 0; start < items.length; start += 100) {
      await container.items.batch(batchOf(...items.slice(start, start + 100)), 's');
    }
    let isScanning = true;
    const query = "SELECT VALUE COUNT(1) FROM c WHERE CONTAINS(c.text, 'y')";
    const scan = container.items.query<number>(query, { partitionKey: 's' }).fetchAll();
    const finished = scan.then(() => {
      isScanning = false;
    });
    let answered = 0;
    while (isScanning) {
      await container.item('i1', 's').read();
      if (isScanning) answered += 1;
    }
    await finished;
    expect((await scan).resources).toEqual([0]);
    expect(answered).toBeGreaterThan(0);
  });
});
