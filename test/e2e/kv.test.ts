import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { type Answer, connect, expectProblem, type HttpClient, type SendOptions } from './http.ts';
import { shareSkerry } from './share-skerry.ts';

const KIB = 1024;
const TEXT = { 'content-type': 'text/plain' };

let skerry: { readonly url: string };
let api: HttpClient;

beforeAll(async () => {
  skerry = await shareSkerry('swept');
  api = connect(skerry.url);
});

/** A transaction's `then`; written out, it would look like a promise. */
function onSuccess(operations: readonly object[]): object {
  return Object.fromEntries([['then', operations]]);
}

function keys({ body }: Answer): string[] {
  return (body as { items: { key: string }[] }).items.map(({ key }) => key);
}

describe.concurrent('a key', () => {
  it('is created with 201, replaced with 200, left alone by an equal PUT, and deleted with 204', async () => {
    const path = 'kv/life/config/dm?ns=other';
    const created = await api.put(path, { greeting: 'hello' });
    expect(created).toMatchObject({
      status: 201,
      headers: {
        etag: '"1"',
        'x-skerry-revision': '1',
        location: `${skerry.url}/api/v1/kv/life/config/dm?ns=other`,
      },
      body: { key: 'config/dm', revision: 1 },
    });
    expect(created.body).not.toHaveProperty('value');
    expect(await api.put(path, { greeting: 'goodbye' })).toMatchObject({
      status: 200,
      body: { revision: 2 },
    });
    const equal = await api.put(path, '{ "greeting" : "goodbye" }');
    expect(equal).toMatchObject({ status: 200, headers: { etag: '"2"' }, body: { revision: 2 } });

    const got = await api.get(path);
    expect(got).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-cache',
        etag: '"2"',
        'x-skerry-revision': '2',
      },
      body: { greeting: 'goodbye' },
    });
    expect(Date.parse(got.headers['last-modified'] ?? '')).toBeGreaterThan(Date.now() - 60_000);
    expect(await api.get(path, { 'if-none-match': '"2"' })).toMatchObject({ status: 304, text: '' });
    const head = await api.send('HEAD', path);
    expect(head).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-length': String(got.text.length) },
    });

    expect(await api.delete(path)).toMatchObject({
      status: 204,
      text: '',
      headers: { 'x-skerry-revision': '3' },
    });
    expectProblem(await api.get(path), 404, {
      fix: 'Create it with PUT /api/v1/kv/life/config/dm?ns=other.',
    });
    expectProblem(await api.delete(path), 404);
  });

  it('is taken in chunks, without its length', async () => {
    await api.send('PUT', 'kv/chunks/a', { body: '{"in":"chunks"}', chunked: true });
    expect((await api.get('kv/chunks/a')).body).toEqual({ in: 'chunks' });
  });

  it('is guarded by preconditions', async () => {
    const path = 'kv/guarded/k';
    const failed = { field: 'If-Match' };
    expectProblem(await api.put(path, 1, { 'if-match': '*' }), 412, failed);
    expect((await api.put(path, 1, { 'if-none-match': '*' })).status).toBe(201);
    expectProblem(await api.put(path, 2, { 'if-none-match': '*' }), 412, { field: 'If-None-Match' });
    expectProblem(await api.put(path, 2, { 'if-match': '"7"' }), 412, failed);
    expect((await api.put(path, 2, { 'if-match': '"1"' })).status).toBe(200);
    expectProblem(await api.delete(path, { 'if-match': '"1"' }), 412, failed);
    expect((await api.delete(path, { 'if-match': '"2"' })).status).toBe(204);
    expectProblem(await api.delete(path, { 'if-match': '"2"' }), 404);
  });

  it('gives back content of any type as it was, which no browser runs', async () => {
    const bytes = randomBytes(256 * KIB);
    const url = `${skerry.url}/api/v1/kv/raw/logo.png`;
    const put = await fetch(url, { method: 'PUT', body: bytes, headers: { 'content-type': 'image/png' } });
    expect(put.status).toBe(201);
    const got = await fetch(url);
    expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
    expect(Object.fromEntries(got.headers)).toMatchObject({
      'content-type': 'image/png',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      etag: '"1"',
    });
    const text = '\ufeffgrüße\r\n';
    const html = { 'content-type': 'text/html; charset=utf-8' };
    expect((await api.put('kv/raw/page', Buffer.from(text), html)).status).toBe(201);
    expect(await api.get('kv/raw/page')).toMatchObject({ headers: html });
    expect((await fetch(`${skerry.url}/api/v1/kv/raw/page`)).headers.get('content-length')).toBe('12');
    expect((await api.put('kv/raw/nothing', Buffer.alloc(0), TEXT)).status).toBe(201);
    expect(await api.get('kv/raw/nothing')).toMatchObject({ status: 200, text: '', headers: TEXT });
    expect((await api.get('kv/raw/')).body).toMatchObject({
      items: [
        { key: 'logo.png', value: { $bytes: bytes.toString('base64'), contentType: 'image/png' } },
        { key: 'nothing', value: { $text: '', contentType: 'text/plain' } },
        { key: 'page', value: { $text: text, contentType: 'text/html; charset=utf-8' } },
      ],
    });
  });

  it.each<[what: string, body: Buffer | string, headers: Record<string, string>]>([
    ['no content type', '[1,null,"ü"]', { 'content-type': '' }],
    ['JSON of a kind', '[1,null,"ü"]', { 'content-type': 'application/vnd.my_api+json' }],
    ['JSON of another type', '[1,null,"ü"]', { 'content-type': 'model/gltf+json; v=2' }],
    ['null', 'null', { 'content-type': 'application/json' }],
  ])('may hold JSON of %s', async (what, body, headers) => {
    const path = `kv/json/${encodeURIComponent(what)}`;
    expect((await api.put(path, body, headers)).status).toBe(201);
    const got = await api.get(path);
    expect(got.body).toEqual(JSON.parse(String(body)));
    expect(got.headers['content-type']).toBe('application/json');
  });

  it('may have any name that a path can carry', async () => {
    const names = [
      '/lead',
      'end/',
      'a//b',
      '%',
      '%2',
      'a+b',
      ' ',
      'sp ',
      '?q=1&r#f',
      'größe 🐟',
      '\'"\\|~;=@,$',
      'a/.b',
    ];
    for (const name of names) {
      expect(
        (await api.put(`kv/odd/${encodeURIComponent(name)}`, JSON.stringify(name))).body,
        name,
      ).toMatchObject({
        key: name,
      });
    }
    expect(keys(await api.get('kv/odd/'))).toEqual(names.toSorted());
    for (const name of names) {
      expect((await api.get(`kv/odd/${encodeURIComponent(name)}`)).body).toBe(name);
    }
    expect((await api.get('kv/odd//lead')).body).toBe('/lead');
    expect((await api.get('kv/odd/end/')).body).toBe('end/');
    expect((await api.get('kv/odd/a//b')).body).toBe('a//b');
    expectProblem(await api.get('kv/odd/end'), 404);
  });

  it('with a ttl is gone on time, and nobody gets 304 for a listing that had it', async () => {
    expect((await api.put('kv/ttl/stays', 1)).status).toBe(201);
    const put = await api.put('kv/ttl/goes?ttl=3', 2);
    const { expiresAt = '' } = put.body as { expiresAt?: string };
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now() - 60_000);
    const before = await api.get('kv/ttl/');
    await vi.waitFor(async () => expect((await api.get('kv/ttl/goes')).status).toBe(404), 45_000);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(expiresAt));
    const after = await api.get('kv/ttl/', { 'if-none-match': before.headers.etag ?? '' });
    expect([keys(before), keys(after)]).toEqual([['goes', 'stays'], ['stays']]);
  });
});

describe.concurrent('the keys of a store', () => {
  it('are listed in order, in pages, under a prefix, without their values', async () => {
    for (const key of ['b', 'a/y', 'a', 'ab', 'a/x']) {
      expect((await api.put(`kv/list/${key}`, JSON.stringify(key))).status).toBe(201);
    }
    const all = await api.get('kv/list');
    expect(keys(all)).toEqual(['a', 'a/x', 'a/y', 'ab', 'b']);
    expect(all).toMatchObject({ headers: { etag: '"5"', 'x-skerry-revision': '5' }, body: { revision: 5 } });
    expect((await api.get('kv/list/')).text).toBe(all.text);
    expect((await api.get('kv/list/', { 'if-none-match': '"5"' })).status).toBe(304);
    expect(keys(await api.get('kv/list/?prefix=a'))).toEqual(['a', 'a/x', 'a/y']);
    const page = await api.get('kv/list/?prefix=a%2F&keysOnly&limit=1');
    const { items, next } = page.body as { items: object[]; next?: string };
    expect(items).toEqual([
      { key: 'a/x', revision: 5, createdAt: expect.any(String), updatedAt: expect.any(String) },
    ]);
    expect(keys(await api.get(`kv/list/?prefix=a/&after=${next}`))).toEqual(['a/y']);
    const longest = '"'.repeat(500 - '/kv/long/'.length);
    for (const key of [longest, 'z']) await api.put(`kv/long/${encodeURIComponent(key)}`, 1);
    const { next: behind } = (await api.get('kv/long/?limit=1')).body as { next?: string };
    expect(keys(await api.get(`kv/long/?after=${behind}`))).toEqual(['z']);
    const stale = await api.get('kv/list/', { 'cache-control': 'max-stale=60' });
    expect(stale.headers).toHaveProperty('age');
    expect((await api.get('kv/never/')).body).toEqual({ items: [], revision: 0 });
  });

  it('are deleted under a prefix, and the answer says whether at once', async () => {
    const puts = Array.from({ length: 49 }, (_, index) => ({ put: { key: `n/${index}`, value: index } }));
    expect((await api.post('kv-transactions/gone', onSuccess(puts))).status).toBe(200);
    await api.put('kv/gone/n2', 1);
    await api.put('kv/gone/n', 1);
    expectProblem(await api.delete('kv/gone/n?prefix=true&atomic=true'), 422, { field: 'atomic' });
    expect((await api.delete('kv/gone/n/?prefix=true&atomic=true')).body).toEqual({
      deleted: 49,
      revision: 100,
      atomic: true,
      batches: 1,
    });
    expect(keys(await api.get('kv/gone/'))).toEqual(['n', 'n2']);
    expect((await api.delete('kv/gone/?prefix')).body).toMatchObject({ deleted: 2, atomic: true });
    expect((await api.delete('kv/gone/?prefix')).body).toMatchObject({ deleted: 0, revision: 102 });
  });
});

describe.concurrent('a transaction', () => {
  it('does one list of operations or the other, of raw content too', async () => {
    const logo = { $bytes: 'AAEC', contentType: 'image/png' };
    const first = await api.post('kv-transactions/txn', {
      compare: [{ key: 'a', revision: 0 }],
      ...onSuccess([{ put: { key: 'a', value: null } }, { put: { key: 'logo', value: logo, ttl: 60 } }]),
      else: [{ get: { key: 'a' } }],
    });
    expect(first).toMatchObject({
      status: 200,
      headers: { 'x-skerry-revision': '2' },
      body: {
        succeeded: true,
        revision: 2,
        results: [{ put: { key: 'a', revision: 1 } }, { put: { key: 'logo', revision: 2 } }],
      },
    });
    expect((await api.get('kv/txn/logo')).headers['content-type']).toBe('image/png');
    const second = await api.post('kv-transactions/txn', {
      compare: [
        { key: 'a', value: null },
        { key: 'logo', value: logo },
        { key: 'a', exists: false },
      ],
      ...onSuccess([{ delete: { key: 'a' } }]),
      else: [{ get: { key: 'a' } }, { get: { key: 'b' } }],
    });
    expect(second.body).toMatchObject({
      succeeded: false,
      revision: 2,
      results: [{ get: { key: 'a', value: null, revision: 1 } }, { get: null }],
    });
  });

  it('holds more than one value of 256 KiB', async () => {
    const value = 'x'.repeat(256 * KIB - 2);
    const puts = ['a', 'b'].map((key) => ({ put: { key, value } }));
    expect((await api.post('kv-transactions/large', onSuccess(puts))).status).toBe(200);
    const others = ['a', 'b', 'c'].map((key) => ({ put: { key, value: value.replace('x', 'y') } }));
    const answer = await api.post('kv-transactions/large', onSuccess(others));
    expectProblem({ ...answer, text: answer.text.slice(0, 500) }, 413);
    expect(keys(await api.get('kv/large/?keysOnly'))).toEqual(['a', 'b']);
  });
});

describe.concurrent('nonsense is refused, and changes nothing', () => {
  const bundles = expect.stringContaining('bundle');
  const put = (key: string, more: object = {}) => ({ put: { key, value: 1, ...more } });
  const many = (count: number) => Array.from({ length: count }, (_, index) => put(`k${index}`));

  it.each<[what: string, request: [string, string, SendOptions?], status: number, problem: object]>([
    ['JSON that is none', ['PUT', 'k', { body: '{"a":' }], 400, {}],
    [
      'content that is packed',
      ['PUT', 'k', { body: 'x', headers: { ...TEXT, 'content-encoding': 'gzip' } }],
      415,
      { field: 'Content-Encoding' },
    ],
    ['no body', ['PUT', 'k', { body: '' }], 400, {}],
    ['a prototype', ['PUT', 'k', { body: '{"__proto__":1}' }], 400, { field: '__proto__' }],
    [
      'JSON in another charset',
      ['PUT', 'k', { body: '1', headers: { 'content-type': 'application/json; charset=utf-16' } }],
      415,
      { field: 'Content-Type' },
    ],
    [
      'a content type that is none',
      ['PUT', 'k', { body: 'x', headers: { 'content-type': 'nonsense' } }],
      400,
      { field: 'Content-Type' },
    ],
    [
      'text of more than 256 KiB that does not say so',
      ['PUT', 'k', { body: 'x'.repeat(256 * KIB + 1), chunked: true, headers: TEXT }],
      413,
      { fix: bundles },
    ],
    [
      'JSON of more than 256 KiB',
      ['PUT', 'k', { body: JSON.stringify('x'.repeat(256 * KIB)) }],
      413,
      { fix: bundles },
    ],
    [
      'text of more than 256 KiB',
      ['PUT', 'k', { body: 'x'.repeat(256 * KIB + 1), headers: TEXT }],
      413,
      { fix: bundles },
    ],
    ['20 MB', ['PUT', 'k', { body: Buffer.alloc(20_000_000), headers: TEXT }], 413, { fix: bundles }],
    [
      'raw content that is none',
      ['PUT', 'k', { body: { $bytes: '!', contentType: 'image/png' } }],
      400,
      { field: '$bytes' },
    ],
    ['a ttl of nothing', ['PUT', 'k?ttl=0', { body: '1' }], 400, { field: 'ttl' }],
    ['a ttl beyond a day', ['PUT', 'k?ttl=86401', { body: '1' }], 400, { field: 'ttl' }],
    ['a ttl that is none', ['PUT', 'k?ttl=1.5', { body: '1' }], 400, { field: 'ttl' }],
    ['an unknown parameter', ['PUT', 'k?tll=5', { body: '1' }], 400, { field: 'tll' }],
    [
      'a precondition that is none',
      ['PUT', 'k', { body: '1', headers: { 'if-match': '42' } }],
      400,
      { field: 'If-Match' },
    ],
    ['a slash escaped twice', ['GET', '?prefix=a%252Fb'], 400, { field: 'prefix' }],
    ['no key', ['PUT', '', { body: '1' }], 400, { field: 'key' }],
    ['no key to delete', ['DELETE', ''], 400, { field: 'key' }],
    ['a key that is too long', ['PUT', 'x'.repeat(500), { body: '1' }], 400, { field: 'key' }],
    ['a control character in a key', ['PUT', 'a%01', { body: '1' }], 400, { field: 'key' }],
    ['a key that is no UTF-8', ['GET', 'a%ff'], 400, { field: 'key' }],
    ['an atomic deletion of one key', ['DELETE', 'k?atomic'], 400, { field: 'atomic' }],
    [
      'a prefix with a tag',
      ['DELETE', 'k?prefix', { headers: { 'if-match': '"1"' } }],
      400,
      { field: 'If-Match' },
    ],
    ['a prefix that is a guess', ['DELETE', 'k?prefix=maybe'], 400, { field: 'prefix' }],
    ['a listing of a key', ['GET', 'k?prefix=a'], 400, { field: 'prefix' }],
    ['a listing under no key', ['GET', '?prefix=a%01'], 400, { field: 'prefix' }],
    ['a page of nothing', ['GET', '?limit=0'], 400, { field: 'limit' }],
    ['a cursor that is none', ['GET', '?after=nonsense'], 400, { field: 'after' }],
    ['another method', ['PATCH', 'k', { body: '1' }], 405, {}],
  ])('%s', async (_, [method, key, options], status, problem) => {
    expectProblem(await api.send(method, `kv/nonsense/${key}`, options), status, {
      fix: expect.any(String),
      ...problem,
    });
    expect((await api.get('kv/nonsense/')).body).toEqual({ items: [], revision: 0 });
  });

  it('a name that no store can have', async () => {
    expectProblem(await api.put('kv/a%2Fb/k', 1), 400, { field: 'store' });
    expectProblem(await api.post('kv-transactions/a%20b', {}), 400, { field: 'store' });
  });

  it.each<[what: string, body: unknown, status: number, field: string | undefined]>([
    ['a list', [], 400, undefined],
    ['an unknown member', { otherwise: [] }, 400, 'otherwise'],
    ['an operation that is none', onSuccess([{ move: { key: 'a' } }]), 400, 'then[0].move'],
    ['no operation', onSuccess([{}]), 400, 'then[0]'],
    ['two operations in one', onSuccess([{ get: { key: 'a' }, delete: { key: 'b' } }]), 400, 'then[0]'],
    ['a put of nothing', onSuccess([{ put: { key: 'a' } }]), 400, 'then[0].put.value'],
    ['a ttl of nothing', onSuccess([put('a', { ttl: 0 })]), 400, 'then[0].put.ttl'],
    ['a comparison of nothing', { compare: [{ key: 'a' }] }, 400, 'compare[0]'],
    ['two comparisons in one', { compare: [{ key: 'a', revision: 1, exists: true }] }, 400, 'compare[0]'],
    ['a revision that is none', { compare: [{ key: 'a', revision: -1 }] }, 400, 'compare[0].revision'],
    ['an empty key', onSuccess([put('')]), 400, 'then[0].put.key'],
    ['a key twice', onSuccess([put('a'), { get: { key: 'a' } }]), 422, 'then[1].get.key'],
    ['a key twice in the other branch', { else: [put('a'), put('a')] }, 422, 'else[1].put.key'],
    ['50 writes', onSuccess(many(50)), 422, 'then'],
    ['129 operations', { else: Array(129).fill({ get: { key: 'a' } }) }, 422, 'else'],
    ['129 comparisons', { compare: Array(129).fill({ key: 'a', exists: false }) }, 422, 'compare'],
    [
      'a value that is too large',
      onSuccess([put('a', { value: 'x'.repeat(300 * KIB) })]),
      413,
      'then[0].put.value',
    ],
    ['a body that is too large', onSuccess([put('a', { value: 'x'.repeat(2000 * KIB) })]), 413, undefined],
  ])('a transaction with %s', async (_, body, status, field) => {
    const answer = await api.post('kv-transactions/nonsense', body);
    expectProblem(answer, status, { ...(field !== undefined && { field }), fix: expect.any(String) });
    expect((await api.get('kv/nonsense/')).body).toEqual({ items: [], revision: 0 });
  });

  it('methods are told', async () => {
    expect((await api.send('OPTIONS', 'kv/nonsense/k')).headers.allow).toBe(
      'DELETE, GET, HEAD, OPTIONS, PUT',
    );
    expect((await api.get('kv-transactions/nonsense')).status).toBe(405);
  });
});
