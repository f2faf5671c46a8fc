import { describe, expect, it } from 'vitest';
import type { DatabaseEntry } from '../../../client/cli/sync/database-entry.ts';
import { decodeFile } from '../../../client/cli/sync/decode-file.ts';
import { type Difference, differenceOf } from '../../../client/cli/sync/difference.ts';
import { mergeFiles } from '../../../client/cli/sync/merge-files.ts';
import { defaultSyncName } from '../../../client/cli/sync/sync-name.ts';

const LABEL = '/vnf-agent/agent1/';

describe('a file of a database', () => {
  it.each([
    [
      'a.json',
      '{"data":[{"key":"/vnf-agent/agent1/config/if/1","value":{"mtu":1500}},{"key":"own","value":null}]}',
    ],
    [
      'a.yaml',
      `data:\n  - key: /vnf-agent/agent1/config/if/1\n    value: {mtu: 1500}\n  - key: own\n    value:\n`,
    ],
    ['a.yml', `data: [{key: /vnf-agent/agent1/config/if/1, value: {mtu: 1500}}, {key: own, value: null}]`],
  ])('%s names keys by the label of an agent, or within the store that was named', (file, text) => {
    expect(decodeFile(file, text, 'mine')).toEqual([
      { store: 'agent1', key: 'config/if/1', value: { mtu: 1500 } },
      { store: 'mine', key: 'own', value: null },
    ]);
  });

  it('may be empty', () => {
    expect(decodeFile('a.json', ' \n', undefined)).toEqual([]);
    expect(decodeFile('a.yaml', '# nothing yet\n', undefined)).toEqual([]);
    expect(decodeFile('a.yaml', 'data: []', undefined)).toEqual([]);
    expect(decodeFile('a.yaml', 'data:\n', undefined)).toEqual([]);
  });

  it.each([
    ['a.json', '{"data":[', /^a\.json: it cannot be decoded: /],
    ['a.yaml', 'data: [\n', /cannot be decoded/],
    ['a.yaml', 'data: []\n---\ndata: []\n', /cannot be decoded: .*multiple documents/i],
    ['a.yaml', 'data: []\ndata: []\n', /cannot be decoded: .*unique/i],
    [
      'a.yaml',
      `a: &a [x,x,x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(11)}]\nc: &c [${'*b,'.repeat(11)}]\ndata: [*c]`,
      /cannot be decoded: .*alias/i,
    ],
    ['a.json', '[]', /must hold \{"data"/],
    ['a.json', '{"data":{}}', /must hold \{"data"/],
    ['a.json', '{"data":[{"key":"a","value":1},{"key":"b"}]}', /data\[1\] must be an object/],
    ['a.json', '{"data":[{"key":7,"value":1}]}', /data\[0\] must be an object/],
    ['a.yaml', 'data: [{key: a, value: {deep: [.inf]}}]', /\("a"\): the value is not JSON/],
    ['a.json', `{"data":[{"key":"a","value":"${'x'.repeat(256 * 1024)}"}]}`, /larger than 256 KiB/],
    ['a.json', '{"data":[{"key":"a/../b","value":1}]}', /"\." or "\.\."/],
    ['a.json', '{"data":[{"key":"a\\nb","value":1}]}', /control character/],
    ['a.json', '{"data":[{"key":"a%2Fb","value":1}]}', /takes? for a slash/],
    ['a.json', '{"data":[{"key":"","value":1}]}', /the key is empty/],
    ['a.json', `{"data":[{"key":"${'é'.repeat(250)}","value":1}]}`, /longer than 500 bytes/],
    ['a.json', '{"data":[{"key":"/vnf-agent/a b/c","value":1}]}', /the label "a b"/],
    ['a.json', '{"data":[{"key":"/vnf-agent/skerry-sync/c","value":1}]}', /where syncs remember/],
  ])('%s is refused as a whole where something in it is wrong: %s', (file, text, message) => {
    expect(() => decodeFile(file, text, 'mine')).toThrow(message);
  });

  it('is refused where a key names no store and the user neither', () => {
    const text = '{"data":[{"key":"a","value":1}]}';
    expect(() => decodeFile('a.json', text, undefined)).toThrow(/--store must say where/);
  });
});

describe('several files', () => {
  it('say together what each store holds; the last by path order counts where they contradict each other', () => {
    const entry = (key: string, value: number, store = 's'): DatabaseEntry => ({ store, key, value });
    const { stores, repetitions } = mergeFiles(
      new Map([
        ['/b.json', [entry('x', 2), entry('y', 2)]],
        ['/a.json', [entry('x', 1), entry('x', 1, 'other'), entry('z', 1), entry('z', 9)]],
      ]),
    );
    expect(Object.fromEntries(stores.get('s') ?? [])).toEqual({ x: 2, y: 2, z: 9 });
    expect(Object.fromEntries(stores.get('other') ?? [])).toEqual({ x: 1 });
    expect(repetitions).toEqual([
      { store: 's', key: 'x', files: ['/a.json', '/b.json'] },
      { store: 's', key: 'z', files: ['/a.json', '/a.json'] },
    ]);
  });

  it('lead to puts and deletions as they come, change and go (cn-infra, filedb)', () => {
    const interfaces = (...data: { key: string; value: string }[]) =>
      decodeFile(
        '/db/if.json',
        JSON.stringify({ data: data.map(({ key, value }) => ({ key: LABEL + key, value })) }),
        undefined,
      );
    const steps = [
      interfaces({ key: 'if1', value: 'a' }, { key: 'if2', value: 'b' }),
      interfaces({ key: 'if1', value: 'changed' }, { key: 'if2', value: 'b' }),
      interfaces({ key: 'if2', value: 'b' }),
      undefined,
    ];
    let held: ReadonlyMap<string, unknown> = new Map();
    const differences: Difference[] = [];
    for (const entries of steps) {
      const { stores } = mergeFiles(new Map(entries === undefined ? [] : [['/db/if.json', entries]]));
      const next = stores.get('agent1') ?? new Map();
      differences.push(differenceOf(held as Parameters<typeof differenceOf>[0], next));
      held = next;
    }
    expect(differences).toEqual([
      {
        deletions: [],
        puts: [
          { key: 'if1', value: 'a' },
          { key: 'if2', value: 'b' },
        ],
      },
      { deletions: [], puts: [{ key: 'if1', value: 'changed', previous: 'a' }] },
      { deletions: [{ key: 'if1', previous: 'changed' }], puts: [] },
      { deletions: [{ key: 'if2', previous: 'b' }], puts: [] },
    ]);
  });
});

describe('the name of a sync', () => {
  it('stays for the same host and paths, and is another for any other', () => {
    const name = defaultSyncName(['/a', '/b'], undefined, 'host one');
    expect(name).toMatch(/^host-one-[0-9a-f]{12}$/);
    expect(defaultSyncName(['/b', '/a'], undefined, 'host one')).toBe(name);
    const others = [
      defaultSyncName(['/a'], undefined, 'host one'),
      defaultSyncName(['/a', '/b'], 's', 'host one'),
      defaultSyncName(['/a', '/b'], undefined, 'host-one'),
    ];
    expect(new Set([name, ...others]).size).toBe(4);
  });
});
