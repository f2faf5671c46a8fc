import { SkerryClient, SkerryProblem, SkerryUnreachable } from 'skerry/client';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { manualTiming } from './manual-timing.ts';
import { scripted } from './scripted-skerry.ts';

const RESYNC = { body: { resync: { items: [] }, revision: 1 } };
const CHANGES = {
  body: {
    changes: [{ revision: 2, key: '/srv/web/a', type: 'put', value: {}, previous: null, create: true }],
    revision: 2,
  },
};

it('a listener that throws keeps neither a view nor another listener from what is new', async () => {
  const faults: unknown[] = [];
  const told: string[] = [];
  const { client } = scripted([RESYNC, service(), CHANGES, service('a')]);
  const view = client.discover('web', { onFault: (error) => faults.push(error) });
  view.onChange(() => {
    throw new Error('of the listener');
  });
  view.onChange((instances) => told.push(...instances.map(({ id }) => id)));
  await expect.poll(() => told).toEqual(['a']);
  await view.ready;
  expect(faults).toContainEqual(new Error('of the listener'));
  view.close();
});

it('a view stays as it was when something on the way says that there is nothing', async () => {
  const faults: unknown[] = [];
  const { client, requests } = scripted([
    RESYNC,
    service('a'),
    CHANGES,
    { status: 404, body: 'No site here.' },
  ]);
  const view = client.discover('web', { onFault: (error) => faults.push(error) });
  await expect.poll(() => faults.some((error) => error instanceof SkerryProblem)).toBe(true);
  expect(view.instances).toHaveLength(1);
  await expect.poll(() => requests.length).toBeGreaterThan(4);
  view.close();
});

it('a view looks neither all the time nor never, where the clock is wrong, and not for who has expired', async () => {
  const timing = { ...manualTiming(), now: () => 0 };
  let lookUps = 0;
  let health = 'passing';
  const client = new SkerryClient({
    url: 'http://skerry',
    timing,
    async fetch(input, init) {
      const { pathname, search } = new URL(String(input));
      if (pathname.includes('/watch/')) {
        if (search === '') return Response.json(RESYNC.body);
        return await new Promise((_, reject) => {
          init?.signal?.addEventListener('abort', () => reject(init.signal?.reason));
        });
      }
      lookUps += 1;
      return Response.json(service('a', health).body);
    },
  });
  await using view = client.discover('web');
  await view.ready;
  await timing.pass(100_000);
  expect(lookUps).toBeGreaterThan(2);
  expect(lookUps).toBeLessThan(10);
  health = 'expired';
  await timing.pass(100_000);
  const known = lookUps;
  await timing.pass(1_000_000);
  expect(lookUps).toBe(known);
});

it.each(['null', '"text"', '{}', '{"config":', ''])(
  'a last good configuration that is spoilt (%s) is as good as none',
  async (text) => {
    const faults: unknown[] = [];
    const { client } = scripted([new TypeError('fetch failed')], { timeout: 1 });
    const opened = client.config('shop', z.object({ open: z.boolean() }), {
      lastGood: { load: async () => text, save: async () => {} },
      onFault: (error) => faults.push(error),
    });
    await expect(opened).rejects.toThrow(SkerryUnreachable);
    expect(faults).toHaveLength(1);
  },
);

function service(id?: string, health = 'passing') {
  const expiresAt = '2026-11-25T12:00:00.000Z';
  const instances = id === undefined ? [] : [{ id, endpoints: {}, ttl: 10, health, expiresAt, weight: 1 }];
  return { body: { name: 'web', revision: 1, instances } };
}
