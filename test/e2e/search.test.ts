import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { SkerryClient } from '../../client/index.ts';
import { runInProcess } from './command-line.ts';
import { connect, expectProblem, type HttpClient } from './http.ts';
import { shareSkerry } from './share-skerry.ts';

const NS = 'search';
const DEADLINE = { timeout: 45_000, interval: 50 };

let api: HttpClient;
let client: SkerryClient;
let skerryUrl: string;

beforeAll(async () => {
  const { url } = await shareSkerry('unswept');
  skerryUrl = url;
  api = connect(url, undefined, NS);
  client = new SkerryClient({ url, ns: NS });
  await api.put('apps/shop', { config: { title: 'Fine things', secret: 'none' } });
  await api.put('services/shop/instances/one', {
    endpoints: { http: 'http://10.0.0.1' },
    tags: ['team:web'],
  });
  await api.put('kv/shop/labels/shop', { text: 'a label' });
});

describe('search over HTTP', () => {
  it('finds what was written a moment ago, whichever process answers', async () => {
    for (let number = 0; number < 6; number += 1) {
      expect((await api.put(`kv/fresh/n${number}`, { text: `needle ${number}` })).status).toBe(201);
      const { body } = await api.get(`search?q=NEEDLE%20${number}&limit=1`);
      expect(body).toMatchObject({
        items: [
          { kind: 'key', id: `fresh/n${number}`, field: 'text', excerpt: `needle ${number}`, score: 1 },
        ],
      });
    }
    await api.delete('kv/fresh/n3');
    expect((await api.get('search?q=needle%203')).body).toEqual({ items: [] });
  });

  it('puts the best first, page by page, and filters', async () => {
    const found = await Array.fromAsync(client.search.list({ text: 'shop', limit: 2 }));
    expect(found.map(({ kind, id, score }) => [kind, id, score])).toEqual([
      ['app', 'shop', 6],
      ['key', 'shop/labels/shop', 6],
      ['service', 'shop', 6],
      ['instance', 'shop/one', 5],
    ]);
    expect((await client.search.page({ text: 'shop', kinds: ['app', 'service'] })).items).toHaveLength(2);
    expect((await client.search.page({ tags: ['team'] })).items).toMatchObject([
      { id: 'shop/one', field: 'id', excerpt: 'shop/one', score: 0 },
    ]);
    expect((await client.search.page({ tags: ['team:db'] })).items).toEqual([]);
  });

  it('refuses what asks for nothing', async () => {
    for (const query of [
      '',
      '?q=',
      '?q=%20%09',
      '?q=%00',
      `?q=${'x'.repeat(201)}`,
      '?q=a&kind=hook',
      '?q=a&after=bogus',
      '?q=a&q=b',
    ]) {
      expectProblem(await api.get(`search${query}`), 400);
    }
  });

  it('takes any question for a text', async () => {
    const questions = [
      '.*',
      '(',
      '[a-z',
      '\\',
      '%',
      '"]; drop',
      "'; --",
      '𝔘𝔫𝔦',
      '\ufdfa',
      'İ',
      '\u202e',
      '\ud83e\udd85',
      'e\u0301',
      'x'.repeat(200),
    ];
    for (const question of questions) {
      const answer = await api.get(`search?q=${encodeURIComponent(question)}`);
      expect(answer, question).toMatchObject({ status: 200, body: { items: [] } });
    }
    await api.put('kv/odd/key', { text: questions.join(' ') });
    for (const question of questions) {
      const { items } = await client.search.page({ text: question });
      expect(
        items.map(({ id }) => id),
        question,
      ).toEqual(['odd/key']);
    }
    expect((await api.get('search?q=%ff%fe')).status).toBe(200);
  });
});

describe('the command line', () => {
  const run = (...words: string[]) => runInProcess(words, { url: skerryUrl, ns: NS, folder: tmpdir() });

  it('searches', async () => {
    const { out, err, code } = await run(
      'search',
      'SHOP',
      '--limit',
      '2',
      '--kind',
      'app',
      '--kind',
      'key',
      '--kind',
      'service',
    );
    expect(code).toBe(0);
    expect(out).toMatch(
      /^KIND +ID +NAME +FOUND IN +EXCERPT\napp +shop +- +id +shop\nkey +shop\/labels\/shop +- +id +shop\n$/,
    );
    expect(err).toMatch(/^There is more: --after \S+\n$/);
    expect((await run('search', '--tag', 'team:web', '--json')).json).toMatchObject({
      items: [{ id: 'shop/one' }],
    });
    expect((await run('search')).code).not.toBe(0);
    expect((await run('search', 'x', '--kind', 'hook')).code).not.toBe(0);
  });

  it('says that there is nothing to draw', async () => {
    for (const words of [[], ['--json'], ['--as', 'dot']]) {
      const { out, err, code } = await run('graph', 'environment', 'nobody', ...words);
      expect({ out, isRefused: code !== 0, err }).toMatchObject({
        out: '',
        isRefused: true,
        err: expect.stringContaining('nobody'),
      });
    }
  });
});

describe('graphs over HTTP', () => {
  it('come as JSON and as drawings, whatever things are called', async () => {
    const evil = 'Drawn "]; drop';
    expect((await api.post('environments', { id: 'drawn', name: evil })).status).toBe(202);
    await vi.waitFor(async () => expect((await api.get('environments/drawn')).status).toBe(200), DEADLINE);
    const net = { name: 'net', dependencies: [{ external: 'dns' }] };
    expect((await api.put('resources/drawn/net', net)).status).toBe(201);
    expect(await client.graph.get('environment', 'drawn')).toEqual({
      root: 'environment/drawn',
      nodes: [
        { id: 'environment/drawn', kind: 'environment', name: evil },
        { id: 'resource/drawn/net', kind: 'resource', name: 'net' },
        { id: 'external/dns', kind: 'external', name: 'dns' },
      ],
      edges: [
        { from: 'environment/drawn', to: 'resource/drawn/net', type: 'contains' },
        { from: 'resource/drawn/net', to: 'external/dns', type: 'depends-on' },
      ],
      limit: 1000,
    });
    const found = await client.search.page({ text: 'drawn', kinds: ['environment', 'resource'] });
    expect(found.items.map(({ id, score }) => [id, score])).toEqual([
      ['drawn', 6],
      ['drawn/net', 5],
    ]);
    const mermaid = await api.get('graph/resource/drawn/net?direction=dependents', {
      accept: 'text/x-mermaid',
    });
    expect(mermaid.headers).toMatchObject({
      'content-type': 'text/x-mermaid; charset=utf-8',
      vary: 'Accept',
    });
    expect(mermaid.text).toContain('n1["Drawn #34;#93;#59; drop (environment)"]');
    const { out } = await runInProcess(['graph', 'environment', 'drawn', '--as', 'dot', '--depth', '1'], {
      url: skerryUrl,
      ns: NS,
      folder: tmpdir(),
    });
    expect(out).toContain(
      String.raw`n0 [label="Drawn \"]; drop\nenvironment", tooltip="environment/drawn", shape=house];`,
    );
    expect(out).not.toContain('dns');
  });

  it('are refused where there is nothing, or no such form', async () => {
    expectProblem(await api.get('graph/environment/nobody'), 404);
    expectProblem(await api.get('graph/resource/nobody/at/all'), 404);
    expectProblem(await api.get('graph/app/shop'), 400);
    expectProblem(await api.get('graph/environment/nobody?depth=0'), 400);
    expectProblem(await api.get('graph/environment/nobody', { accept: 'image/png' }), 406);
  });
});
