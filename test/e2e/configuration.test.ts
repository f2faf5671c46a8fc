import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Answer, connect, expectProblem, type HttpClient } from './http.ts';
import { type Skerry, startSkerry } from './skerry.ts';

const RFC_3339_UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const VALUE_LIMIT = 256 * 1024;

let skerry: Skerry;
let api: HttpClient;

beforeAll(async () => {
  skerry = await startSkerry({ traps: 'strict' });
  api = connect(skerry.url);
});

afterAll(async () => {
  await skerry?.stop();
});

/** Expects an answer that carries an application, and a revision in every place that has one. */
function expectApp(answer: Answer, status: number, app: { name: string; config: unknown; revision: number }) {
  expect(answer, answer.text).toMatchObject({
    status,
    headers: {
      'content-type': 'application/json',
      etag: `"${app.revision}"`,
      'x-skerry-revision': String(app.revision),
    },
    body: app,
  });
}

/** The names on a page of a listing. */
function names({ body }: Answer): string[] {
  return (body as { items: { name: string }[] }).items.map(({ name }) => name);
}

function nextOf({ body }: Answer): string | undefined {
  return (body as { next?: string }).next;
}

describe.concurrent('an application', () => {
  it('is created with 201, replaced with 200, left alone by an equal PUT, and deleted with 204', async () => {
    const path = 'apps/dm?ns=life';
    const created = await api.put(path, { config: { greeting: 'hello' } });
    expectApp(created, 201, { name: 'dm', config: { greeting: 'hello' }, revision: 1 });
    expect(created.headers.location).toBe(`${skerry.url}/api/v1/apps/dm?ns=life`);
    expect(created.body).toMatchObject({
      createdAt: expect.stringMatching(RFC_3339_UTC),
      updatedAt: expect.stringMatching(RFC_3339_UTC),
    });

    const replaced = await api.put(path, { config: { greeting: 'goodbye' } });
    expectApp(replaced, 200, { name: 'dm', config: { greeting: 'goodbye' }, revision: 2 });
    const equal = await api.put(path, { config: { greeting: 'goodbye' } });
    expect(equal).toMatchObject({ status: 200, body: replaced.body });
    expectApp(await api.get(path), 200, { name: 'dm', config: { greeting: 'goodbye' }, revision: 2 });

    const deleted = await api.delete(path);
    expect(deleted).toMatchObject({ status: 204, text: '', headers: { 'x-skerry-revision': '3' } });
    expectProblem(await api.get(path), 404);
    expectProblem(await api.delete(path), 404);
    expectApp(await api.put(path, { config: 1 }), 201, { name: 'dm', config: 1, revision: 4 });
  });

  it.each([
    ['a text', 'é 🦭 "quoted" \\ \u2028'],
    ['null', null],
    ['false', false],
    ['a number', -12.5e-7],
    ['an empty array', []],
    ['members that look like a prototype', { constructor: 1, toString: { a: [] }, '': 0 }],
    ['a time as text', { at: '2024-02-30T10:00:00+02:00' }],
    ['deep nesting', { a: { b: [[[{ c: [null] }]]] } }],
  ])('gives %s back as it was stored', async (what, config) => {
    const path = `apps/${what.replaceAll(' ', '-')}?ns=values`;
    expect(await api.put(path, { config })).toMatchObject({ status: 201, body: { config } });
    expect((await api.get(path)).body).toMatchObject({ config });
  });

  it('answers HEAD as GET, without the body', async () => {
    await api.put('apps/dm?ns=head', { config: { a: 1 } });
    const [got, headed] = [await api.get('apps/dm?ns=head'), await api.send('HEAD', 'apps/dm?ns=head')];
    expect(headed).toMatchObject({ status: 200, text: '' });
    for (const name of ['etag', 'x-skerry-revision', 'content-type', 'content-length']) {
      expect(headed.headers[name], name).toBe(got.headers[name]);
    }
    expect(await api.send('HEAD', 'apps/none?ns=head')).toMatchObject({ status: 404, text: '' });
    expect(await api.send('HEAD', 'apps?ns=head')).toMatchObject({ status: 200, text: '' });
  });

  it('takes a configuration of exactly 256 KiB, and refuses one byte more', async () => {
    const largest = 'x'.repeat(VALUE_LIMIT - 2);
    expect((await api.put('apps/dm?ns=large', { config: largest })).status).toBe(201);
    expect((await api.put('apps/dm?ns=large', { config: largest.replace('x', 'y') })).status).toBe(200);
    expectProblem(await api.put('apps/dm?ns=large', { config: `${largest}x` }), 413, { field: 'config' });
    expectProblem(await api.put('apps/new?ns=large', { config: `${largest}x` }), 413, { field: 'config' });
    expect(await api.get('apps/dm?ns=large')).toMatchObject({
      headers: { etag: '"2"' },
      body: { config: largest.replace('x', 'y') },
    });
    expect(names(await api.get('apps?ns=large'))).toEqual(['dm']);
  });

  it('lives in its namespace only, which counts its own revisions', async () => {
    await api.put('apps/dm?ns=ours', { config: 'ours' });
    await api.put('apps/dm?ns=ours', { config: 'ours, again' });
    expectApp(await api.put('apps/dm?ns=theirs', { config: 'theirs' }), 201, {
      name: 'dm',
      config: 'theirs',
      revision: 1,
    });
    expect((await api.get('apps/dm?ns=ours')).body).toMatchObject({ config: 'ours, again', revision: 2 });
    expectProblem(await api.get('apps/dm?ns=nobodys'), 404);
    await api.delete('apps/dm?ns=theirs');
    expect((await api.get('apps/dm?ns=ours')).status).toBe(200);
    expect(names(await api.get('apps?ns=nobodys'))).toEqual([]);
  });

  it('stands in the namespace "default" where none is named', async () => {
    const created = await api.put('apps/of-default', { config: 1 });
    expect(created.headers.location).toBe(`${skerry.url}/api/v1/apps/of-default`);
    expect((await api.get('apps/of-default?ns=default')).body).toEqual(created.body);
  });
});

describe.concurrent('entity tags', () => {
  it('let a write happen only over the state that its author saw', async () => {
    const path = 'apps/dm?ns=if-match';
    await api.put(path, { config: 1 });
    expect((await api.put(path, { config: 2 }, { 'if-match': '"1"' })).status).toBe(200);
    expectProblem(await api.put(path, { config: 3 }, { 'if-match': '"1"' }), 412, { field: 'If-Match' });
    expectProblem(await api.put(path, { config: 2 }, { 'if-match': '"1"' }), 412);
    expectProblem(await api.put(path, { config: 3 }, { 'if-match': 'W/"2"' }), 412);
    expectProblem(await api.delete(path, { 'if-match': '"1"' }), 412);
    expectApp(await api.get(path), 200, { name: 'dm', config: 2, revision: 2 });
    expect((await api.put(path, { config: 3 }, { 'if-match': '"7", "2"' })).status).toBe(200);
    expect((await api.put(path, { config: 4 }, { 'if-match': '*' })).status).toBe(200);
    expect((await api.delete(path, { 'if-match': '"4"' })).status).toBe(204);
    expectProblem(await api.put(path, { config: 5 }, { 'if-match': '*' }), 412);
    expectProblem(await api.get(path), 404);
  });

  it('let exactly one of many creators win with If-None-Match: *', async () => {
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, author) =>
        api.put('apps/dm?ns=create-once', { config: author }, { 'if-none-match': '*' }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(11).fill(412)]);
    const winner = answers.find(({ status }) => status === 201);
    expect((await api.get('apps/dm?ns=create-once')).body).toEqual(winner?.body);
  });

  it('let exactly one of many writers of a revision win', async () => {
    await api.put('apps/dm?ns=race', { config: 'start' });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, author) =>
        api.put('apps/dm?ns=race', { config: author }, { 'if-match': '"1"' }),
      ),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(11).fill(412)]);
    expect((await api.get('apps/dm?ns=race')).body).toMatchObject({ revision: 2 });
  });

  it('refuse a reader who wants another state than the present one', async () => {
    await api.put('apps/wanted', { config: 1 });
    expect((await api.get('apps/wanted', { 'if-match': '"1"' })).status).toBe(200);
    expectProblem(await api.get('apps/wanted', { 'if-match': '"9"' }), 412, { field: 'If-Match' });
  });

  it('spare a reader what it has', async () => {
    const path = 'apps/dm?ns=if-none-match';
    await api.put(path, { config: 1 });
    for (const tag of ['"1"', 'W/"1"', '"0", "1"', '*']) {
      const answer = await api.get(path, { 'if-none-match': tag });
      expect(answer, tag).toMatchObject({ status: 304, text: '', headers: { etag: '"1"' } });
    }
    await api.put(path, { config: 2 });
    expect((await api.get(path, { 'if-none-match': '"1"' })).status).toBe(200);
  });
});

describe.concurrent('the listing', () => {
  it('shows all applications by name, and the revision that it stands for', async () => {
    const empty = await api.get('apps?ns=listing');
    expect(empty).toMatchObject({ status: 200, body: { items: [], revision: 0 } });
    for (const name of ['b', 'a', 'C', 'a.b', 'a-b']) {
      await api.put(`apps/${name}?ns=listing`, { config: { name } });
    }
    await api.delete('apps/C?ns=listing');
    const listing = await api.get('apps?ns=listing');
    expect(listing).toMatchObject({
      status: 200,
      headers: { etag: '"6"', 'x-skerry-revision': '6', age: '0' },
      body: { revision: 6 },
    });
    expect(names(listing)).toEqual(['a', 'a-b', 'a.b', 'b']);
    expect((listing.body as { items: unknown[] }).items[0]).toEqual(
      (await api.get('apps/a?ns=listing')).body,
    );
  });

  it('is 304 until something changes', async () => {
    await api.put('apps/dm?ns=listing-304', { config: 1 });
    const { headers } = await api.get('apps?ns=listing-304');
    const known = { 'if-none-match': headers.etag ?? '' };
    expect(await api.get('apps?ns=listing-304', known)).toMatchObject({ status: 304, text: '' });
    await api.put('apps/dm?ns=listing-304', { config: 1 });
    expect((await api.get('apps?ns=listing-304', known)).status).toBe(304);
    await api.put('apps/dm?ns=listing-304', { config: 2 });
    expect((await api.get('apps?ns=listing-304', known)).status).toBe(200);
    await api.delete('apps/dm?ns=listing-304');
    expect(names(await api.get('apps?ns=listing-304', known))).toEqual([]);
  });

  it.each(['max-stale=60', 'max-stale', 'max-age=60'])(
    'may be old under %s, and says how old it is',
    async (cacheControl) => {
      const ns = cacheControl.replace('=', '-');
      const ageUnder = async (headers = {}) => (await api.get(`apps?ns=${ns}`, headers)).headers.age;
      await api.put(`apps/dm?ns=${ns}`, { config: 1 });
      await vi.waitFor(
        async () => {
          expect(await ageUnder()).toBe('0');
          // It is 1 for a second only: who misses that begins anew.
          const age = await vi.waitUntil(
            async () => {
              const told = await ageUnder({ 'cache-control': cacheControl });
              return told !== '0' && told;
            },
            { timeout: 10_000, interval: 20 },
          );
          expect(age).toBe('1');
        },
        { timeout: 45_000, interval: 20 },
      );
      expect(await ageUnder()).toBe('0');
    },
  );

  it('comes in pages that together are the whole', async () => {
    const all = Array.from({ length: 7 }, (_, index) => `app${index}`);
    await Promise.all(all.map((name) => api.put(`apps/${name}?ns=pages`, { config: name })));
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await api.get(`apps?ns=pages&limit=3${after === undefined ? '' : `&after=${after}`}`);
      expect(names(page).length).toBeLessThanOrEqual(3);
      seen.push(...names(page));
      after = nextOf(page);
    } while (after !== undefined);
    expect(seen).toEqual(all);
    expect(nextOf(await api.get('apps?ns=pages&limit=7'))).toBeUndefined();
  });
});

describe.concurrent('a schema', () => {
  const schema = {
    type: 'object',
    properties: {
      currency: { enum: ['EUR', 'SEK'] },
      limits: { type: 'array', items: { type: 'integer' } },
    },
    required: ['currency'],
    additionalProperties: false,
  };

  it.each([
    ['a value that is not allowed', { currency: 'seashells' }, 'config.currency'],
    ['a fault deep inside', { currency: 'EUR', limits: [1, 'two'] }, 'config.limits[1]'],
    ['a missing member', {}, 'config.currency'],
    ['a member too many', { currency: 'EUR', colour: 'red' }, 'config.colour'],
    ['another type', 'EUR', 'config'],
  ])('refuses %s with 422 and its path, and nothing is written', async (what, config, field) => {
    const ns = `schema-${what.replaceAll(' ', '-')}`;
    expectProblem(await api.put(`apps/new?ns=${ns}`, { config, schema }), 422, {
      field,
      detail: expect.stringContaining(field),
      fix: expect.any(String),
    });
    expect((await api.get(`apps?ns=${ns}`)).body).toMatchObject({ items: [], revision: 0 });
  });

  it('is stored and shown beside the configuration that satisfies it, until it is left out', async () => {
    const path = 'apps/dm?ns=schema';
    const put = await api.put(path, { config: { currency: 'EUR' }, schema });
    expect(put).toMatchObject({ status: 201, body: { schema } });
    expect((await api.get(path)).body).toEqual(put.body);
    expectProblem(await api.put(path, { config: { currency: 'NOK' }, schema }), 422);
    expect((await api.get(path)).body).toEqual(put.body);
    expect((await api.put(path, { config: { currency: 'NOK' } })).body).not.toHaveProperty('schema');
  });

  it.each([
    ['that is no JSON Schema', { type: 'objekt' }, 'schema.type'],
    ['that refers to nowhere', { $ref: '#/$defs/none' }, 'schema.$ref'],
    ['of another dialect', { $schema: 'http://json-schema.org/draft-04/schema#' }, 'schema.$schema'],
  ])('%s is 422 itself', async (_, faulty, field) => {
    expectProblem(await api.put('apps/dm?ns=faulty-schema', { config: {}, schema: faulty }), 422, { field });
    expect(names(await api.get('apps?ns=faulty-schema'))).toEqual([]);
  });
});

describe('every write', () => {
  it('answers with the revision of its change, in the header and where there is a body in it', async () => {
    const instance = { endpoints: { http: 'http://10.0.0.1:80' } };
    const hook = { name: 'a', key: '/app', endpoint: 'http://127.0.0.1:1/' };
    const posted = await api.post('subscriptions?ns=writes', hook);
    const { id } = posted.body as { id: string };
    const writes: [answer: Answer, revision: number][] = [
      [posted, 1],
      [await api.put(`subscriptions/${id}?ns=writes`, { ...hook, name: 'b' }), 2],
      [await api.delete(`subscriptions/${id}?ns=writes`), 3],
      [await api.put('apps/dm?ns=writes', { config: 1 }), 1],
      [await api.put('apps/dm?ns=writes', { config: 2 }), 2],
      [await api.delete('apps/dm?ns=writes'), 3],
      [await api.put('services/web/instances/one?ns=writes', instance), 1],
      [await api.put('services/web/instances/one?ns=writes', { ...instance, weight: 0 }), 2],
      [await api.delete('services/web/instances/one?ns=writes'), 3],
    ];
    for (const [answer, revision] of writes) {
      expect(answer.headers['x-skerry-revision'], answer.text).toBe(String(revision));
      if (answer.status !== 204) {
        expect(answer).toMatchObject({ headers: { etag: `"${revision}"` }, body: { revision } });
      }
    }
    expect(writes.map(([{ status }]) => status)).toEqual([201, 200, 204, 201, 200, 204, 201, 200, 204]);
  });
});
