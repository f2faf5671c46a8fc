import { expect, it } from 'vitest';
import { systemClock } from '../../../../shared/platform/clock.ts';
import type { Change } from '../../../../shared/records/change.ts';
import type { LogStorage } from '../../../../shared/records/log/log-storage.ts';
import { ScopeState } from '../../../../shared/records/log/scope-state.ts';

const AT = '2026-01-01T00:00:00.000Z';

it('catches up by whole transactions, however the pages cut them', async () => {
  const changes = [1, 2, 3, 4, 5, 6, 7].map((revision): Change<string> => {
    const transaction = revision < 3 ? { first: 1, last: 2 } : { first: 3, last: 6 };
    const change = {
      revision,
      key: `/k${revision}`,
      type: 'put',
      value: 'x',
      actor: 'a',
      at: AT,
      writeId: 'w',
    } as const;
    return revision === 7 ? change : { ...change, transaction };
  });
  const seen: unknown[] = [];
  const storage = {
    readPosition: async () => 0,
    readRecords: async function* () {},
    readChangesAfter: async () => [],
    readChange: async (revision: number) => changes[revision - 1],
    async *readChangePages() {
      for (const page of [changes.slice(0, 1), changes.slice(1, 4), changes.slice(4, 5), changes.slice(5)]) {
        yield page;
        seen.push([state.position, state.snapshot?.size]);
      }
    },
  };
  const state = new ScopeState<string>(storage as unknown as LogStorage, systemClock, {
    records: 9,
    bytes: 9e9,
  });
  await state.loadedSnapshot();
  await state.catchUp();
  expect(seen).toEqual([
    [0, 0],
    [2, 2],
    [2, 2],
    [7, 7],
  ]);
});
