import { expect, it } from 'vitest';
import { LargeCommits } from '../../../shared/bundles/drafts/large-commits.ts';

const LARGE = 9 * 1024 * 1024;
const REFUSED = { kind: 'too-many-requests', retryAfterSeconds: 10 };

it('lets two large commits run at a time, in order, and small ones whenever they come', async () => {
  const commits = new LargeCommits();
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const commit = (name: string, bytes = LARGE) =>
    commits.hold(bytes, async () => {
      begun.push(name);
      await new Promise<void>((resolve) => ends.set(name, resolve));
      if (name === 'b') throw new Error('It failed.');
      return name;
    });
  const all = Promise.allSettled(['a', 'b', 'c', 'd'].map((name) => commit(name)));
  const small = commit('small', 100);
  await new Promise(setImmediate);
  expect(begun.toSorted()).toEqual(['a', 'b', 'small']);
  for (const name of ['small', 'b', 'a', 'c', 'd']) {
    ends.get(name)?.();
    await new Promise(setImmediate);
  }
  expect(begun.slice(3)).toEqual(['c', 'd']);
  expect(await small).toBe('small');
  expect((await all).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
  ]);
});

it('refuses those whose turn does not come, and more than may wait', async () => {
  const commits = new LargeCommits({ patience: 20 });
  const { promise: running, resolve: end } = Promise.withResolvers<void>();
  const held = [1, 2].map(() => commits.hold(LARGE, () => running));
  const waiting = Array.from({ length: 17 }, () => commits.hold(LARGE, () => Promise.resolve()));
  await expect(waiting.at(-1)).rejects.toMatchObject(REFUSED);
  expect(await Promise.allSettled(waiting)).toEqual(
    waiting.map(() =>
      expect.objectContaining({ status: 'rejected', reason: expect.objectContaining(REFUSED) }),
    ),
  );
  end();
  await Promise.all(held);
  expect(await commits.hold(LARGE, () => Promise.resolve('next'))).toBe('next');
});
