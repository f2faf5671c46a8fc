import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpoints } from '../../../functions/http/endpoints.ts';
import type { Caller, RequestContext, UncheckedInput, Verb } from '../../../shared/platform/http/index.ts';
import { type Api, startApi } from '../api-fixture.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});

afterAll(() => api.stop());

describe('/api/v1/apps/{name}', () => {
  it('is created, read, replaced and deleted, with revision and entity tag throughout', async () => {
    const created = await api.call('PUT', '/apps/dm?ns=life', { config: { a: 1 } });
    expect(created.status).toBe(201);
    expect(created.headers).toMatchObject({
      ETag: '"1"',
      'X-Skerry-Revision': '1',
      Location: 'http://skerry.test/api/v1/apps/dm?ns=life',
    });
    expect(created.json).toEqual({
      name: 'dm',
      config: { a: 1 },
      revision: 1,
      createdAt: expect.stringMatching(/Z$/),
      updatedAt: expect.stringMatching(/Z$/),
    });

    const read = await api.call('GET', '/apps/dm?ns=life');
    expect(read).toMatchObject({ status: 200, headers: { ETag: '"1"' }, json: created.json });

    const replaced = await api.call('PUT', '/apps/dm?ns=life', { config: { a: 2 } });
    expect(replaced).toMatchObject({ status: 200, headers: { ETag: '"2"' }, json: { revision: 2 } });
    const repeated = await api.call('PUT', '/apps/dm?ns=life', { config: { a: 2 } });
    expect(repeated).toMatchObject({ status: 200, headers: { ETag: '"2"' }, json: replaced.json });

    const deleted = await api.call('DELETE', '/apps/dm?ns=life');
    expect(deleted).toMatchObject({ status: 204, headers: { 'X-Skerry-Revision': '3' } });
    expect((await api.call('GET', '/apps/dm?ns=life')).status).toBe(404);
    expect((await api.call('DELETE', '/apps/dm?ns=life')).status).toBe(404);
  });

  it('is the same under HEAD, without the body', async () => {
    await api.call('PUT', '/apps/dm?ns=head', { config: 1 });
    const head = await api.call('HEAD', '/apps/dm?ns=head');
    expect(head).toMatchObject({ status: 200, headers: { ETag: '"1"' }, json: undefined });
    expect((await api.call('HEAD', '/apps/none?ns=head')).status).toBe(404);
  });

  it('is 304 for who has it, and 412 for who writes on an old one', async () => {
    await api.call('PUT', '/apps/dm?ns=tags', { config: 1 });
    const known = await api.call('GET', '/apps/dm?ns=tags', undefined, { 'if-none-match': '"1"' });
    expect(known).toMatchObject({ status: 304, headers: { ETag: '"1"' } });
    const conflicting = await api.call('PUT', '/apps/dm?ns=tags', { config: 2 }, { 'if-match': '"7"' });
    expect(conflicting).toMatchObject({ status: 412, json: { field: 'If-Match' } });
    const second = await api.call('PUT', '/apps/dm?ns=tags', { config: 2 }, { 'if-none-match': '*' });
    expect(second.status).toBe(412);
    const first = await api.call('PUT', '/apps/new?ns=tags', { config: 2 }, { 'if-match': '*' });
    expect(first.status).toBe(412);
    expect((await api.call('GET', '/apps?ns=tags')).json.revision).toBe(1);
  });

  it.each([
    [{ config: { port: 'x' }, schema: { properties: { port: { type: 'integer' } } } }, 422, 'config.port'],
    [{ config: 1, schema: { type: 'nothing' } }, 422, 'schema.type'],
    [{ config: 1, schema: 'text' }, 400, 'schema'],
    [{ config: 1, extra: [] }, 400, 'extra'],
    [{ schema: {} }, 400, 'config'],
    [{ config: 1, colour: 2 }, 400, 'colour'],
    [[], 400, undefined],
    [{ config: 'x'.repeat(256 * 1024) }, 413, 'config'],
    [{ config: 'x'.repeat(310 * 1024) }, 413, undefined],
  ])('refuses %.60j with %i about %s and writes nothing', async (body, status, field) => {
    const answer = await api.call('PUT', '/apps/bad?ns=bad', body);
    expect(answer.json).toMatchObject({ status, detail: expect.any(String) });
    expect(answer.json.field).toBe(field);
    expect((await api.call('GET', '/apps?ns=bad')).json).toEqual({ items: [], revision: 0 });
  });
});

describe('/api/v1/apps/{name}?secrets=true', () => {
  it('has secrets in clear, for nothing on the way to keep', async () => {
    const config = { db: { password: { $secret: 'hunter2' } } };
    const stored = await api.call('PUT', '/apps/dm?ns=secrets', { config });
    expect(stored).toMatchObject({
      status: 201,
      json: { config: { db: { password: { $secret: { sealed: expect.any(String) } } } } },
    });
    expect((await api.call('GET', '/apps/dm?ns=secrets')).json).toEqual(stored.json);
    const revealed = await api.call('GET', '/apps/dm?ns=secrets&secrets=true');
    expect(revealed).toMatchObject({
      status: 200,
      headers: { 'Cache-Control': 'no-store', 'X-Skerry-Revision': '1' },
      json: { config: { db: { password: 'hunter2' } } },
    });
    expect(revealed.headers).not.toHaveProperty('ETag');
    expect((await api.call('PUT', '/apps/dm?ns=secrets', { config })).json).toEqual(stored.json);
  });

  it('takes the right to see them, beside that to read', async () => {
    await api.call('PUT', '/apps/dm?ns=rights', { config: { $secret: 'hunter2' } });
    const getApp = endpoints.find(({ name }) => name === 'getApp');
    const read = (secrets: string, verbs: readonly Verb[]) => {
      const caller: Caller = {
        maker: { actor: 'token:x' },
        may: (verb, ns, keys) => ns === 'rights' && keys === '/app/dm' && verbs.includes(verb),
      };
      const context = { ns: 'rights', caller, headers: new Headers() } as unknown as RequestContext;
      const query = { params: { name: 'dm' }, query: { secrets } };
      const input = { url: 'http://skerry.test/api/v1/apps/dm', ...query } as unknown as UncheckedInput;
      return getApp?.invoke(context, input, api.services);
    };
    await expect(read('true', ['read', 'list', 'write', 'delete', 'admin'])).rejects.toMatchObject({
      kind: 'forbidden',
    });
    await expect(read('true', ['reveal'])).rejects.toMatchObject({ kind: 'not-found' });
    expect(await read('false', ['read'])).toMatchObject({ status: 200 });
    expect(await read('true', ['read', 'reveal'])).toMatchObject({
      body: expect.stringContaining('hunter2'),
    });
  });

  it('says which reference leads to a vault that is not to be read', async () => {
    await api.call('PUT', '/apps/dm?ns=refs', { config: { a: [{ $ref: 'keyvault://skerry/db' }] } });
    const refused = await api.call('GET', '/apps/dm?ns=refs&secrets');
    expect(refused).toMatchObject({ status: 422, json: { field: 'config.a[0]' } });
    expect(refused.json.detail).toContain('"skerry"');
  });
});

describe('/api/v1/apps', () => {
  it('lists by name in pages, under one revision', async () => {
    for (const name of ['b', 'a', 'c']) {
      await api.call('PUT', `/apps/${name}?ns=pages`, { config: name });
    }
    const first = await api.call('GET', '/apps?ns=pages&limit=2');
    expect(first.headers).toMatchObject({ ETag: '"3"', 'X-Skerry-Revision': '3', Age: '0' });
    expect(first.json.items.map(({ name }: { name: string }) => name)).toEqual(['a', 'b']);
    const second = await api.call('GET', `/apps?ns=pages&limit=2&after=${first.json.next}`);
    expect(second.json).toMatchObject({ revision: 3, items: [{ name: 'c' }] });
    expect(second.json).not.toHaveProperty('next');
    expect((await api.call('GET', '/apps?ns=pages&after=nonsense')).status).toBe(400);
  });

  it('is 304 until something changes', async () => {
    await api.call('PUT', '/apps/dm?ns=listed', { config: 1 });
    const { headers } = await api.call('GET', '/apps?ns=listed');
    const conditional = { 'if-none-match': headers.ETag ?? '' };
    expect((await api.call('GET', '/apps?ns=listed', undefined, conditional)).status).toBe(304);
    await api.call('PUT', '/apps/dm?ns=listed', { config: 2 });
    expect((await api.call('GET', '/apps?ns=listed', undefined, conditional)).status).toBe(200);
  });
});

describe('while the database is away', () => {
  it('reads and writes are 503 with Retry-After, and listings that may be old still answer', async () => {
    await api.call('PUT', '/apps/dm?ns=away', { config: 1 });
    await api.call('GET', '/apps?ns=away');
    await api.cosmos.server.stop();
    const write = await api.call('PUT', '/apps/dm?ns=away', { config: 2 });
    expect(write).toMatchObject({ status: 503, headers: { 'Retry-After': '2' } });
    expect(write.json.type).toBe('https://skerry.dev/problems/unavailable');
    expect(write.logged).toHaveLength(1);
    expect((await api.call('GET', '/apps/dm?ns=away')).status).toBe(503);
    expect((await api.call('GET', '/apps?ns=away')).status).toBe(503);
    const stale = await api.call('GET', '/apps?ns=away', undefined, { 'cache-control': 'max-stale=60' });
    expect(stale).toMatchObject({ status: 200, json: { items: [{ name: 'dm', config: 1 }] } });
  });
});
