import { describe, expect, it } from 'vitest';
import { Mirror } from '../../../client/watch/mirror.ts';

const ROOT = '/kv/agent1//vnf-agent/vpp1/';

/** Seeds, section 7, "cn-infra". */
describe('what a watcher knows', () => {
  it('29: takes the delete of an unknown key for nothing', () => {
    const mirror = new Mirror(ROOT);
    const events = mirror.apply([remove('gone', 1), put('new', 'v', 2)]);
    expect(events).toEqual([{ key: 'new', type: 'Put', value: 'v', previous: null, revision: 2 }]);
    expect(mirror.apply([remove('new', 3), remove('new', 4)])).toEqual([
      { key: 'new', type: 'Delete', value: null, previous: 'v', revision: 3 },
    ]);
  });

  it('30: has no previous value of what a resync did not hold', () => {
    const mirror = new Mirror(ROOT);
    expect(previous(mirror.apply([put('A', '1', 1)]))).toEqual([null]);
    mirror.reset([put('X', 'x', 2), put('Y', 'y', 3)]);
    expect(previous(mirror.apply([put('A', 'abc', 4)]))).toEqual([null]);
    expect(previous(mirror.apply([put('A', 'A', 5)]))).toEqual(['abc']);
    expect(mirror.entries.map(({ key }) => key)).toEqual(['A', 'X', 'Y']);
  });

  it('takes null for a value like any other', () => {
    const mirror = new Mirror(ROOT);
    mirror.apply([put('A', null, 1)]);
    expect(mirror.apply([remove('A', 2)])).toMatchObject([{ type: 'Delete', previous: null }]);
  });
});

function put(key: string, value: string | null, revision: number) {
  return { key: ROOT + key, type: 'put' as const, value, revision };
}

function remove(key: string, revision: number) {
  return { key: ROOT + key, type: 'delete' as const, value: null, revision };
}

function previous(events: readonly { readonly previous: unknown }[]): unknown[] {
  return events.map((event) => event.previous);
}
