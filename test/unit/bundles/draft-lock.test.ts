import { describe, expect, it } from 'vitest';
import { DraftLock } from '../../../shared/bundles/drafts/draft-lock.ts';

describe('the lock of a draft', () => {
  it('runs one after the other, whether they fail or not, and others beside them', async () => {
    const lock = new DraftLock();
    const events: string[] = [];
    const first = Promise.withResolvers<void>();
    const answers = [
      lock.hold('a', async () => {
        events.push('first begins');
        await first.promise;
        events.push('first ends');
        throw new Error('First failed.');
      }),
      lock.hold('a', async () => events.push('second')),
      lock.hold('b', async () => events.push('other')),
    ];
    await answers[2];
    expect(events).toEqual(['first begins', 'other']);
    first.resolve();
    const settled = await Promise.allSettled(answers);
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(events).toEqual(['first begins', 'other', 'first ends', 'second']);
    expect(await lock.hold('a', async () => 'third')).toBe('third');
  });
});
