import type { Container } from '@azure/cosmos';
import { ConsistencyLevel } from '@azure/cosmos';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { indexOnly, isEmulator, openAccount, type TestAccount } from './account.ts';

let account: TestAccount;
let container: Container;

beforeAll(async () => {
  account = await openAccount();
  container = await account.container({ indexingPolicy: indexOnly('/a/?', '/b/?') });
});
afterAll(async () => account.close());

/** An item whose stored JSON is about so many bytes. */
const sized = (id: string, bytes: number) => ({ id, scope: 's', text: 'x'.repeat(Math.max(0, bytes - 270)) });

describe('session tokens', () => {
  it('every answer of a container carries one, refusals too, and it grows with each write', async () => {
    const { headers } = await container.items.upsert({ id: 'token', scope: 's' });
    const next = await container.items.upsert({ id: 'token', scope: 's' });
    const lsnOf = (token: unknown) => Number(/^\d+:-?\d+#(\d+)/.exec(String(token))?.[1]);
    expect(lsnOf(next.headers['x-ms-session-token'])).toBeGreaterThan(lsnOf(headers['x-ms-session-token']));
    const missing = await container.item('nothing', 's').read();
    expect(lsnOf(missing.headers['x-ms-session-token'])).toBeGreaterThan(0);
  });

  it.runIf(isEmulator)('a token from the future is 404/1002, and the SDK recovers from it', async () => {
    await container.items.upsert({ id: 'future', scope: 's' });
    const client = account.connect({ consistencyLevel: ConsistencyLevel.Session });
    const { item } = {
      item: client.database(account.database.id).container(container.id).item('future', 's'),
    };
    const { statusCode } = await item.read({ sessionToken: '0:-1#999999' });
    expect(statusCode).toBe(200);
  });
});

describe.runIf(isEmulator)('request charges, by the published model', () => {
  it.each([
    [1, 1],
    [4, 1.14],
    [16, 1.67],
    [64, 4.76],
  ])('a point read of %i KB costs %f, twice that under Strong', async (kilobytes, charge) => {
    await container.items.upsert(sized(`read-${kilobytes}`, kilobytes * 1024));
    const strong = await container.item(`read-${kilobytes}`, 's').read();
    const eventual = await container
      .item(`read-${kilobytes}`, 's')
      .read({ consistencyLevel: ConsistencyLevel.Eventual });
    expect(eventual.requestCharge).toBeCloseTo(charge, 1);
    expect(strong.requestCharge).toBeCloseTo(2 * charge, 1);
  });

  it('a create pays for size and indexed terms, a replace twice for size and for changed terms', async () => {
    const { requestCharge: small } = await container.items.create(sized('w1', 1024));
    const { requestCharge: large } = await container.items.create(sized('w64', 64 * 1024));
    expect(small).toBeCloseTo(4.95 + 0.2, 1);
    expect(large).toBeCloseTo(22.7 + 0.2, 0);
    const indexed = await container.items.create({ ...sized('w2', 900), a: 1, b: 2 });
    expect(indexed.requestCharge).toBeCloseTo(4.95 + 3 * 0.205, 1);
    const same = await container.item('w2', 's').replace({ ...sized('w2', 900), a: 1, b: 2 });
    const changed = await container.item('w2', 's').replace({ ...sized('w2', 900), a: 5, b: 6 });
    expect(same.requestCharge).toBeCloseTo(9.9, 1);
    expect(changed.requestCharge).toBeCloseTo(10.8, 1);
  });

  it('an idle feed poll costs 2 under weak consistency; a batch the sum of its operations', async () => {
    const { result, headers } = await container.items.batch(
      [
        { operationType: 'Create', resourceBody: { id: 'sum-1', scope: 's' } },
        { operationType: 'Create', resourceBody: { id: 'sum-2', scope: 's' } },
      ],
      's',
    );
    const sum = (result ?? []).reduce((total, { requestCharge }) => total + requestCharge, 0);
    expect(Number(headers?.['x-ms-request-charge'])).toBeCloseTo(sum, 1);
    const client = account.connect({ consistencyLevel: ConsistencyLevel.Eventual });
    const iterator = client
      .database(account.database.id)
      .container(container.id)
      .items.getChangeFeedIterator({});
    expect(Number((await iterator.readNext()).headers['x-ms-request-charge'])).toBe(2);
  });
});
