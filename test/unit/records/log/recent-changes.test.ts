import { expect, test } from 'vitest';
import type { Change } from '../../../../shared/records/index.ts';
import { RecentChanges } from '../../../../shared/records/log/recent-changes.ts';

const SCOPE = 'default:kv:s';

test('a change is read once, by all who ask for it at a time and after', async () => {
  const changes = new RecentChanges(1_000_000);
  let reads = 0;
  const read = async () => {
    reads += 1;
    return changeOf(7);
  };
  const both = await Promise.all([changes.get(SCOPE, 7, read), changes.get(SCOPE, 7, read)]);
  expect([...both, await changes.get(SCOPE, 7, read)]).toEqual([changeOf(7), changeOf(7), changeOf(7)]);
  expect(reads).toBe(1);
  await changes.get('default:kv:t', 7, read);
  await changes.get(SCOPE, 8, read);
  expect(reads).toBe(3);
});

test('what is not there, and what could not be read, is asked for again', async () => {
  const changes = new RecentChanges(1_000_000);
  expect(await changes.get(SCOPE, 1, async () => undefined)).toBeUndefined();
  const failing = changes.get(SCOPE, 1, async () => {
    throw new Error('away');
  });
  await expect(failing).rejects.toThrow('away');
  expect(await changes.get(SCOPE, 1, async () => changeOf(1))).toEqual(changeOf(1));
});

test('those that were used longest ago go when there are too many bytes', async () => {
  const changes = new RecentChanges(4_000);
  for (const revision of [1, 2, 3, 4]) {
    changes.put(SCOPE, changeOf(revision, 'x'.repeat(600)));
    await changes.get(SCOPE, 1, missing);
  }
  const isThere = async (revision: number) =>
    (await changes.get(SCOPE, revision, async () => undefined)) !== undefined;
  expect(await Promise.all([1, 2, 3, 4].map(isThere))).toEqual([true, false, true, true]);
  changes.put(SCOPE, changeOf(5, 'x'.repeat(10_000)));
  expect(await isThere(5)).toBe(false);
});

function changeOf(revision: number, value = 'v'): Change<unknown> {
  return { revision, key: '/kv/s/a', type: 'put', value, actor: 'test', at: '', writeId: '' };
}

async function missing(): Promise<undefined> {
  throw new Error('It is not at hand.');
}
