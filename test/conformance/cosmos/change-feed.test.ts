import { randomUUID } from 'node:crypto';
import { type ChangeFeedPullModelIterator, ChangeFeedStartFrom, type Container } from '@azure/cosmos';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { batchOf, openAccount, refusal, type TestAccount } from './account.ts';

interface Changed {
  id: string;
  scope: string;
  _lsn: number;
  [name: string]: unknown;
}

let account: TestAccount;
let container: Container;

beforeAll(async () => {
  account = await openAccount();
});
afterAll(async () => account.close());
beforeEach(async () => {
  container = await account.container();
});

function feed(changeFeedStartFrom: ChangeFeedStartFrom, maxItemCount?: number, from = container) {
  return from.items.getChangeFeedIterator<Changed>({
    changeFeedStartFrom,
    ...(maxItemCount === undefined ? {} : { maxItemCount }),
  });
}

/** Reads until the feed has no more. */
async function drain(iterator: ChangeFeedPullModelIterator<Changed>): Promise<Changed[]> {
  const changes: Changed[] = [];
  for (;;) {
    const page = await iterator.readNext();
    if (page.statusCode === 304) return changes;
    changes.push(...page.result);
  }
}

const ids = (changes: readonly { id: string }[]) => changes.map(({ id }) => id);

describe('change feed, pull model', () => {
  it('from the beginning: every item once, in the order of its last change', async () => {
    for (const id of ['a', 'b', 'c']) await container.items.create({ id, scope: 's' });
    await container.items.upsert({ id: 'a', scope: 's', value: 2 });
    expect(ids(await drain(feed(ChangeFeedStartFrom.Beginning('s'))))).toEqual(['b', 'c', 'a']);
    expect(ids(await drain(feed(ChangeFeedStartFrom.Beginning())))).toEqual(['b', 'c', 'a']);
  });

  it('a deleted item is not told of', async () => {
    await container.items.create({ id: 'a', scope: 's' });
    await container.items.create({ id: 'b', scope: 's' });
    await container.item('a', 's').delete();
    expect(ids(await drain(feed(ChangeFeedStartFrom.Beginning())))).toEqual(['b']);
  });

  it('a partition key sees only its own changes', async () => {
    for (const scope of ['s', 't']) await container.items.create({ id: `in-${scope}`, scope });
    expect(ids(await drain(feed(ChangeFeedStartFrom.Beginning('t'))))).toEqual(['in-t']);
    expect(await drain(feed(ChangeFeedStartFrom.Beginning('nobody')))).toEqual([]);
  });

  it('from now on: only what is written afterwards', async () => {
    await container.items.create({ id: 'old', scope: 's' });
    const iterator = feed(ChangeFeedStartFrom.Now());
    expect((await iterator.readNext()).statusCode).toBe(304);
    await container.items.create({ id: 'new', scope: 's' });
    await vi.waitFor(async () => expect(ids((await iterator.readNext()).result)).toEqual(['new']), 45_000);
  });

  it('an idle poll keeps its position: 304 carries the etag', async () => {
    await container.items.create({ id: 'a', scope: 's' });
    const iterator = feed(ChangeFeedStartFrom.Beginning());
    await drain(iterator);
    for (let poll = 0; poll < 3; poll++) {
      const page = await iterator.readNext();
      expect([page.statusCode, page.count]).toEqual([304, 0]);
    }
    await container.items.create({ id: 'b', scope: 's' });
    await vi.waitFor(async () => expect(ids((await iterator.readNext()).result)).toEqual(['b']), 45_000);
  });

  it('a continuation token goes on exactly where it stands, in another client too', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await container.items.create({ id, scope: 's' });
    const other = account.connect().database(account.database.id).container(container.id);
    for (const start of [ChangeFeedStartFrom.Beginning(), ChangeFeedStartFrom.Beginning('s')]) {
      const first = await feed(start, 2).readNext();
      expect(ids(first.result)).toEqual(['a', 'b']);
      const rest = feed(ChangeFeedStartFrom.Continuation(first.continuationToken), undefined, other);
      expect(ids(await drain(rest))).toEqual(['c', 'd']);
    }
  });

  it('a token of a container that was made again is refused', async () => {
    const { id } = container;
    await container.items.create({ id: 'a', scope: 's' });
    const { continuationToken } = await feed(ChangeFeedStartFrom.Beginning()).readNext();
    await container.delete();
    await account.container({ id });
    const iterator = feed(ChangeFeedStartFrom.Continuation(continuationToken));
    expect((await refusal(() => iterator.readNext())).message).toMatch(/continuation token/i);
  });

  it('from a time: what changed then or later', async () => {
    await container.items.create({ id: 'a', scope: 's' });
    const hourAgo = new Date(Date.now() - 3_600_000);
    const inAnHour = new Date(Date.now() + 3_600_000);
    expect(ids(await drain(feed(ChangeFeedStartFrom.Time(hourAgo))))).toEqual(['a']);
    expect(await drain(feed(ChangeFeedStartFrom.Time(inAnHour)))).toEqual([]);
  });

  it('the changes of one batch share a sequence number and are never split between pages', async () => {
    const scope = randomUUID();
    for (const round of ['x', 'y']) {
      const bodies = Array.from({ length: 5 }, (_, number) => ({ id: `${round}${number}`, scope }));
      await container.items.batch(batchOf(...bodies), scope);
    }
    for (const start of [ChangeFeedStartFrom.Beginning(), ChangeFeedStartFrom.Beginning(scope)]) {
      const iterator = feed(start, 2);
      const pages = [await iterator.readNext(), await iterator.readNext()];
      expect(pages.map(({ result }) => ids(result))).toEqual([
        ['x0', 'x1', 'x2', 'x3', 'x4'],
        ['y0', 'y1', 'y2', 'y3', 'y4'],
      ]);
      expect(pages.map(({ result }) => new Set(result.map(({ _lsn }) => _lsn)).size)).toEqual([1, 1]);
    }
  });

  it('the feed ranges together cover the container', async () => {
    for (const scope of ['a', 'b', 'c', 'd']) await container.items.create({ id: scope, scope });
    const seen: string[] = [];
    for (const range of await container.getFeedRanges()) {
      seen.push(...ids(await drain(feed(ChangeFeedStartFrom.Beginning(range)))));
    }
    expect(seen.toSorted()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('a reader that follows while writers write misses nothing and repeats nothing', async () => {
    const iterator = feed(ChangeFeedStartFrom.Beginning(), 7);
    const written: string[] = [];
    const writer = async (name: string) => {
      for (let number = 0; number < 30; number++) {
        await container.items.create({ id: `${name}-${number}`, scope: `s${number % 3}` });
        written.push(`${name}-${number}`);
      }
    };
    const seen: string[] = [];
    const writers = Promise.all(['a', 'b', 'c', 'd'].map(writer));
    await vi.waitFor(
      async () => {
        seen.push(...ids(await drain(iterator)));
        expect(seen).toHaveLength(120);
      },
      { timeout: 45_000, interval: 5 },
    );
    await writers;
    expect(seen.toSorted()).toEqual(written.toSorted());
  });
});
