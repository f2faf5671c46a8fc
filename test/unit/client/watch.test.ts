import type { WatchEvent } from 'skerry/client';
import { describe, expect, it } from 'vitest';
import { problem, type Scripted, scripted } from './scripted-skerry.ts';

const HUNG_UP = new TypeError('fetch failed');

describe('a watch', () => {
  it('puts the pages of a resync together, and goes on from where it says', async () => {
    const watched = scripted([
      { body: { resync: { items: [item('a', 1)], next: 'N' }, revision: 2 } },
      { body: { resync: { items: [item('b', 2)] }, revision: 2 } },
      { body: { changes: [change('a', 3)], revision: 3 } },
    ]);
    expect(await take(watched, 2)).toMatchObject([
      { kind: 'resync', items: [{ key: '/kv/s/a' }, { key: '/kv/s/b' }], position: '2' },
      { kind: 'changes', changes: [{ revision: 3 }], position: '3' },
    ]);
    expect(watched.requests).toEqual([
      'GET watch/kv/s',
      'GET watch/kv/s?after=N',
      'GET watch/kv/s?cursor=2&wait=30',
    ]);
  });

  it('goes on where it stood after a lost connection, and delivers nothing twice', async () => {
    const watched = scripted([
      { body: { resync: { items: [] }, revision: 1 } },
      { body: { changes: [change('a', 2), change('b', 3)], revision: 3 } },
      HUNG_UP,
      problem(503, 'unavailable'),
      { body: { changes: [change('b', 3), change('c', 4)], revision: 4 } },
    ]);
    const events = await take(watched, 3);
    expect(revisions(events)).toEqual([2, 3, 4]);
    expect(watched.waits).toEqual([50, 100]);
    expect(watched.requests.at(-1)).toContain('cursor=3');
  });

  it('begins again after a lost connection where it is told to', async () => {
    const watched = scripted([
      { body: { resync: { items: [] }, revision: 1 } },
      HUNG_UP,
      { body: { resync: { items: [] }, revision: 1 } },
    ]);
    const events = await take(watched, 2, { resyncAfterReconnect: true });
    expect(events.map(({ kind }) => kind)).toEqual(['resync', 'resync']);
  });

  it.each([
    ['when what came next is forgotten', problem(410, 'compacted')],
    ['when its position is not known any more', problem(400, 'invalid')],
    ['when the log went back', { body: { changes: [], revision: 3 } }],
  ])('resyncs at once %s', async (_, answer) => {
    const watched = scripted([
      { body: { resync: { items: [] }, revision: 7 } },
      answer,
      { body: { resync: { items: [item('a', 2)] }, revision: 3 } },
      { body: { changes: [change('a', 4)], revision: 4 } },
    ]);
    const events = await take(watched, 3);
    expect(events.map(({ kind }) => kind)).toEqual(['resync', 'resync', 'changes']);
    expect(revisions(events)).toEqual([4]);
    expect(watched.waits).toEqual([]);
  });

  it('ends when it is refused, again and again or for good', async () => {
    await expect(take(scripted([problem(401, 'unauthorized')]), 1)).rejects.toMatchObject({ status: 401 });
    const again = [{ body: { resync: { items: [] }, revision: 7 } }, problem(400, 'invalid')];
    await expect(take(scripted([again, again, again, again].flat()), 9)).rejects.toMatchObject({
      status: 400,
    });
  });

  it('gets over what something on the way answers, once it has begun', async () => {
    const page = { status: 403, body: 'This web app is stopped.' };
    await expect(take(scripted([page]), 1)).rejects.toMatchObject({ status: 403 });
    const watched = scripted([
      { body: { resync: { items: [] }, revision: 1 } },
      page,
      { status: 200, body: '<h1>Back soon</h1>' },
      { body: { changes: [change('a', 2)], revision: 2 } },
    ]);
    expect(revisions(await take(watched, 2))).toEqual([2]);
  });

  it('drops what a resync over several logs has seen already', async () => {
    const watched = scripted([
      { body: { resync: { items: [item('a', 5)] }, cursor: 'c1' } },
      { body: { changes: [change('b', 4), change('a', 5), change('a', 6)], cursor: 'c2' } },
    ]);
    expect(revisions(await take(watched, 2))).toEqual([4, 6]);
  });

  it('shows text and bytes as such', async () => {
    const watched = scripted([
      {
        body: { resync: { items: [item('a', 1, { $text: 'hé', contentType: 'text/plain' })] }, revision: 1 },
      },
      { body: { changes: [change('a', 2, { $bytes: 'AP8=', contentType: 'image/png' })], revision: 2 } },
    ]);
    const [resync, changes] = await take(watched, 2);
    expect(resync?.kind === 'resync' && resync.items[0]?.value).toMatchObject({ contentType: 'text/plain' });
    const value = changes?.kind === 'changes' ? changes.changes[0]?.value : undefined;
    expect(value).toMatchObject({ bytes: Uint8Array.of(0, 255), contentType: 'image/png' });
  });
});

async function take({ client }: Scripted, count: number, options = {}): Promise<WatchEvent[]> {
  const events: WatchEvent[] = [];
  for await (const event of client.watch('/kv/s', options)) {
    events.push(event);
    if (events.length === count) break;
  }
  return events;
}

function revisions(events: readonly WatchEvent[]): number[] {
  return events
    .flatMap((event) => (event.kind === 'changes' ? event.changes : []))
    .map(({ revision }) => revision);
}

function item(key: string, revision: number, value: unknown = 'v') {
  return { key: `/kv/s/${key}`, value, revision, createdAt: '', updatedAt: '' };
}

function change(key: string, revision: number, value: unknown = 'v') {
  const at = '2026-01-01T00:00:00Z';
  return {
    revision,
    key: `/kv/s/${key}`,
    type: 'put',
    value,
    previous: null,
    create: true,
    actor: 'local',
    at,
  };
}
