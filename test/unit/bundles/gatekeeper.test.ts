import { describe, expect, it } from 'vitest';
import type { Gates } from '../../../shared/bundles/channels/channel.ts';
import {
  type GateFailure,
  Gatekeeper,
  type GatesInput,
} from '../../../shared/bundles/channels/gatekeeper.ts';
import type { WebhookResult } from '../../../shared/webhooks/index.ts';

interface World {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly answer?: WebhookResult;
}

/** A gatekeeper of bundles whose versions all have these files, and of webhooks that all give this answer. */
function gatekeeper({ files = {}, answer = { status: 204, body: '' } }: World): Gatekeeper {
  return new Gatekeeper({
    versions: {
      find: () => Promise.reject(new Error('Nobody looks for a version.')),
      manifest: async () => ({
        files: Object.entries(files).map(([path, content]) => ({
          path,
          size: Buffer.byteLength(content),
          sha256: '',
        })),
      }),
      readFile: async (_ns, _name, _version, path) => ({ bytes: Buffer.from(files[path] ?? '') }),
    },
    post: async () => answer,
    endpointPolicy: { allowPrivate: false, ports: [443] },
  });
}

async function failuresOf(gates: Gates, world: World): Promise<readonly GateFailure[]> {
  const version = {
    version: 1,
    digest: 'sha256:1',
    blob: 'b1',
    files: 1,
    size: 1,
    archiveSize: 1,
    author: 'test',
    message: '',
    labels: [],
    revision: 1,
    createdAt: '2030-01-01T00:00:00Z',
  };
  const candidate = {
    ns: 'default',
    name: 'bundle',
    channel: 'prod',
    version,
    ownUrl: 'https://skerry.test',
  };
  return await gatekeeper(world).failures(gates, candidate);
}

describe('gates', () => {
  it('are normalised as the paths of bundles are, and none of them is no gate', async () => {
    const given = { required: ['./a.json', 'a.json'], schemas: { 'b//c.json': true } };
    expect(await gatekeeper({}).prepare(given)).toEqual({
      required: ['a.json'],
      schemas: { 'b/c.json': true },
    });
    expect(await gatekeeper({}).prepare({ required: [], schemas: {} })).toBeNull();
  });

  it.each([
    [{ status: 200, body: 'fine' }, 'neither empty nor JSON'],
    [{ status: 200 }, 'neither empty nor JSON'],
    [{ status: 200, body: '{"valid": "true"}' }, 'neither empty nor JSON'],
    [{ status: 200, body: '{"valid": false}' }, 'said no reason'],
    [{ status: 404, error: 'HTTP 404: no such hook', body: '{"valid": true}' }, 'HTTP 404: no such hook'],
  ])('are not passed by the answer %j', async (answer, reason) => {
    expect(await failuresOf({ webhook: 'https://gate.example' }, { answer })).toEqual([
      { gate: 'webhook', reason: expect.stringContaining(reason) },
    ]);
  });

  it.each([
    ['a.json', '{"a": 1,}', 'not JSON'],
    ['a.json', Buffer.from([0x22, 0xff, 0x22]), 'not UTF-8'],
    ['a.yaml', 'a: [1', 'not YAML'],
    ['a.yaml', 'a: 1\na: 2', 'the key "a" stands there twice'],
    ['a.yml', 'a: !secret x', 'Unresolved tag'],
    ['a.yml', 'a: 1\n---\nb: 2', 'multiple documents'],
    [
      'bomb.yaml',
      [
        'x0: &x0 [1, 1]',
        ...Array.from({ length: 40 }, (_, n) => `x${n + 1}: &x${n + 1} [*x${n}, *x${n}]`),
      ].join('\n'),
      'alias',
    ],
    ['deep.yaml', '['.repeat(3_000), 'not YAML'],
    ['large.json', `"${'x'.repeat(1024 * 1024)}"`, 'are the most'],
    ['large.yaml', `"${'x'.repeat(256 * 1024)}"`, 'are the most'],
  ])('refuse %s that cannot be read', async (path, content, reason) => {
    expect(await failuresOf({ schemas: { [path]: false } }, { files: { [path]: content } })).toEqual([
      { gate: 'schema', path, reason: expect.stringContaining(reason) },
    ]);
  });

  it('do not hang on a schema that takes for ever', async () => {
    const files = { 'a.json': `"${'a'.repeat(40)}!"` };
    expect(await failuresOf({ schemas: { 'a.json': { pattern: '^(a+)+$' } } }, { files })).toMatchObject([
      { gate: 'schema', reason: expect.stringContaining('reasonable time') },
    ]);
  });

  it.each([
    [{ schemas: { 'a.json': { type: 'strong' } } }, 'unprocessable', 'gates.schemas["a.json"].type'],
    [
      { schemas: { 'a.json': { $ref: 'https://x.example/s.json' } } },
      'unprocessable',
      'gates.schemas["a.json"].$ref',
    ],
    [{ webhook: 'https://10.0.0.1/' }, 'invalid', 'gates.webhook'],
    [{ webhook: 'ftp://x.example/' }, 'invalid', 'gates.webhook'],
    [{ required: Array.from({ length: 9000 }, (_, index) => `a${index}.json`) }, 'unprocessable', 'gates'],
    [{ required: ['../a.json'] }, 'unprocessable', 'path'],
  ])('are refused when they are no use (%#)', async (faulty, kind, field) => {
    await expect(gatekeeper({}).prepare(faulty as GatesInput)).rejects.toMatchObject({ kind, field });
  });
});
