import type { Container, CosmosClient } from '@azure/cosmos';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isEmulator, openAccount, refusal, type TestAccount } from './account.ts';

let account: TestAccount;
let container: Container;
let client: CosmosClient;

beforeAll(async () => {
  if (!isEmulator) return;
  account = await openAccount({ faults: true });
  const { id } = await account.container();
  // Without discovery and throttling retries, so that each fault is seen as it is.
  client = account.connect({
    connectionPolicy: { enableEndpointDiscovery: false, retryOptions: { maxRetryAttemptCount: 0 } },
  });
  container = client.database(account.database.id).container(id);
  await container.item('warm', 's').read();
});
afterAll(async () => account?.close());
afterEach(async () => {
  await fetch(`${account.server?.endpoint}_skerry/faults`, { method: 'DELETE' });
});

async function inject(...rules: unknown[]): Promise<Response> {
  const url = `${account.server?.endpoint}_skerry/faults`;
  return fetch(url, { method: 'PUT', body: JSON.stringify({ rules }) });
}

async function firedCounts(): Promise<number[]> {
  const response = await fetch(`${account.server?.endpoint}_skerry/faults`);
  const { rules } = (await response.json()) as { rules: { fired: number }[] };
  return rules.map(({ fired }) => fired);
}

describe.runIf(isEmulator)('injected faults', () => {
  it.each([429, 449, 410, 408, 503])(
    'status %i reaches the caller as the service would send it',
    async (status) => {
      await inject({
        match: { operation: 'create' },
        count: 1,
        action: { kind: 'status', status, retryAfterMs: 7 },
      });
      const refused = await refusal(() => container.items.create({ id: `s${status}`, scope: 's' }));
      expect(refused.code).toBe(status);
      expect((await container.item(`s${status}`, 's').read()).statusCode).toBe(404);
    },
  );

  it('429 carries sub-status 3200 and how long to wait', async () => {
    await inject({ match: { operation: 'read' }, action: { kind: 'status', status: 429, retryAfterMs: 1 } });
    await expect(container.item('a', 's').read()).rejects.toMatchObject({
      code: 429,
      substatus: 3200,
      retryAfterInMs: 1,
    });
  });

  it('429 is waited out by the SDK, which asks again after the time it was told', async () => {
    await container.items.create({ id: 'patient', scope: 's' });
    await inject({
      match: { operation: 'read', path: 'docs/patient' },
      count: 2,
      action: { kind: 'status', status: 429, retryAfterMs: 60 },
    });
    const own = account.connect().database(account.database.id).container(container.id);
    const before = performance.now();
    expect((await own.item('patient', 's').read()).statusCode).toBe(200);
    expect(performance.now() - before).toBeGreaterThan(115);
    expect(await firedCounts()).toEqual([2]);
  });

  it('410 of a feed read makes the SDK ask for the ranges again, and the reader goes on', async () => {
    const own = account.connect().database(account.database.id).container(container.id);
    const feed = own.items.getChangeFeedIterator({ maxItemCount: 1 });
    await feed.readNext();
    await inject(
      { match: { operation: 'feed' }, count: 1, action: { kind: 'status', status: 410 } },
      { match: { operation: 'ranges' }, action: { kind: 'delay', ms: 0 } },
    );
    expect((await feed.readNext()).statusCode).toBe(304);
    expect(await firedCounts()).toEqual([1, 1]);
  });

  it('a delay holds the answer back', async () => {
    await inject({ match: { operation: 'read' }, count: 1, action: { kind: 'delay', ms: 150 } });
    const before = performance.now();
    await container.item('slow', 's').read();
    expect(performance.now() - before).toBeGreaterThan(145);
  });

  it('drop-before ends the connection and nothing was written', async () => {
    await inject({ match: { operation: 'create' }, count: 1, action: { kind: 'drop-before' } });
    await expect(container.items.create({ id: 'dropped', scope: 's' })).rejects.toThrow();
    expect((await container.item('dropped', 's').read()).statusCode).toBe(404);
  });

  it('drop-after ends the connection though the batch stands', async () => {
    await inject({ match: { operation: 'batch' }, count: 1, action: { kind: 'drop-after' } });
    const batch = () =>
      container.items.batch([{ operationType: 'Create', resourceBody: { id: 'stands', scope: 's' } }], 's');
    await expect(batch()).rejects.toThrow();
    expect((await container.item('stands', 's').read()).statusCode).toBe(200);
  });

  it('a rule fires only where it matches, at most `count` times, and tells how often it did', async () => {
    await inject(
      { match: { method: 'GET', path: 'docs/only' }, count: 2, action: { kind: 'status', status: 449 } },
      { match: { operation: 'query' }, action: { kind: 'delay', ms: 1 } },
    );
    const reads = await Promise.allSettled(
      ['other', 'only-1', 'only-2', 'only-3'].map((id) => container.item(id, 's').read()),
    );
    expect(reads.filter(({ status }) => status === 'rejected')).toHaveLength(2);
    await container.items.query('SELECT * FROM c', { partitionKey: 's' }).fetchAll();
    expect(await firedCounts()).toEqual([2, 1]);
  });

  it('a probability with a seed fails the same requests each time', async () => {
    const pattern = async () => {
      const rule = {
        match: { operation: 'read' },
        probability: 0.5,
        action: { kind: 'status', status: 449 },
        seed: 42,
      };
      await inject(rule);
      const outcomes: boolean[] = [];
      for (let count = 0; count < 20; count++) {
        outcomes.push(
          await container
            .item('a', 's')
            .read()
            .then(
              () => true,
              () => false,
            ),
        );
      }
      return outcomes;
    };
    const first = await pattern();
    expect(await pattern()).toEqual(first);
    expect(new Set(first).size).toBe(2);
  });

  it('a rule that makes no sense is refused and the others stay', async () => {
    await inject({ match: {}, action: { kind: 'delay', ms: 0 } });
    expect((await inject({ action: { kind: 'explode' } })).status).toBe(400);
    expect(await firedCounts()).toHaveLength(1);
  });

  it('a warm client does not ask for the account again with each operation', async () => {
    await inject({ match: { operation: 'account' }, action: { kind: 'delay', ms: 0 } });
    const warm = account.connect().database(account.database.id).container(container.id);
    for (let count = 0; count < 5; count++) await warm.item('a', 's').read();
    expect(await firedCounts()).toEqual([1]);
  });

  it('without the option the control endpoint is not there', async () => {
    const plain = await openAccount();
    const response = await fetch(`${plain.server?.endpoint}_skerry/faults`);
    expect(response.status).toBe(401);
    await plain.close();
  });
});
