import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodePath, parseRequestTarget, toTriggerMetadata } from '../../../infra/local/host/http-request.ts';

describe('a request target', () => {
  it.each([
    ['/a%20b/%2f%2Fc', '/a b/%2f%2Fc', ''],
    ['/a/%ff', '/a/%ff', ''],
    ['/%C3%A9%20%ff%E2%82%AC%c0%af', '/é %ff€%c0%af', ''],
    ['/%F0%9F%98%80%zz%', '/😀%zz%', ''],
    ['/a/../b/./c?x=/../y', '/b/c', '?x=/../y'],
    ['/a/%2e%2e/b', '/b', ''],
    ['/../..', '/', ''],
    ['/a/.', '/a/', ''],
    ['/.well-known', '/.well-known', ''],
    ['//a', '//a', ''],
    ['/?', '/', '?'],
    ['http://example.org/a?b', '/a', '?b'],
    ['http://example.org', '/', ''],
    ['HTTP://EXAMPLE.org:80?b', '/', '?b'],
  ])('%s is the path %s with the query %s', (target, path, query) => {
    expect(parseRequestTarget(target, 'example.org')).toEqual({ path, query });
  });

  it.each(['*', 'example.org:80', 'ftp://example.org/', '/a\u00e9', '/a b', '/%00', 'http://other.org/'])(
    '%s is refused',
    (target) => {
      expect(parseRequestTarget(target, 'example.org')).toBeUndefined();
    },
  );
});

it.each([
  ['/a b/é€😀', '/a%20b/%C3%A9%E2%82%AC%F0%9F%98%80'],
  ["/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"],
  ['/%2F%zz%41é%2f', '/%2F%25zz%41%C3%A9%2f'],
  ['/"<>[]{}|\\^`', '/%22%3C%3E%5B%5D%7B%7D%7C%5C%5E%60'],
])('the path %s stands in a URL as %s', (path, encoded) => {
  expect(encodePath(path)).toBe(encoded);
});

describe('what the host tells of a streamed request', () => {
  const headers = { host: 'x' };
  const metadataOf = (query: string, values = {}, body?: string) =>
    toTriggerMetadata(headers, { path: '/', query }, values, body === undefined ? body : Buffer.from(body));
  const jsonOf = (value: object) => ({ json: JSON.stringify(value) });

  it('is the headers, the query, and each value of the route and of the query but the key', () => {
    expect(metadataOf('?a=1&A=2&code=secret', { id: '7', missing: undefined })).toEqual({
      a: { string: '2' },
      id: { string: '7' },
      Query: jsonOf({ a: '2', code: 'secret' }),
      Headers: jsonOf(headers),
    });
  });

  it('is one dictionary without case, in which the route wins and the first spelling stays', () => {
    expect(metadataOf('?ID=1&gone=2', { id: '7', Gone: undefined }, '{"Id":0}')).toMatchObject({
      Id: { string: '7' },
    });
    expect(Object.keys(metadataOf('?ID=1&gone=2', { id: '7', Gone: undefined }))).toEqual([
      'ID',
      'Query',
      'Headers',
    ]);
  });

  it('has no headers where the query has something of that name', () => {
    expect(metadataOf('?headers=1')).toEqual({ headers: { string: '1' }, Query: jsonOf({ headers: '1' }) });
  });

  it('has the scalars of a JSON body as .NET writes them', () => {
    const body = '{"s":"x","n":1.5,"t":true,"none":null,"o":{},"a":[1]}';
    expect(metadataOf('', {}, body)).toEqual({
      s: { string: 'x' },
      n: { string: '1.5' },
      t: { string: 'True' },
      Query: jsonOf({}),
      Headers: jsonOf(headers),
    });
    for (const other of ['[1]', '"x"', '{broken', ''])
      expect(Object.keys(metadataOf('', {}, other))).toHaveLength(2);
  });

  it.each(['__proto__', 'constructor', 'toString'])('takes %s for a name like any other', (name) => {
    const metadata = metadataOf(`?${name}=1`, { [name]: undefined });
    expect(Object.keys(metadata)).toEqual(['Query', 'Headers']);
    expect(Object.entries(metadataOf(`?${name}=1`))[0]).toEqual([name, { string: '1' }]);
  });
});

it('a path survives being put in a URL, which the URL standard then leaves as it is', () => {
  const segment = fc
    .string({ unit: 'grapheme' })
    .filter((text) => !/[/%\0]/.test(text) && text !== '.' && text !== '..');
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1 }), (segments) => {
      const path = `/${segments.join('/')}`;
      const target = encodePath(path);
      expect(parseRequestTarget(target)?.path).toBe(path);
      expect(new URL(`http://example.org${target}`).pathname).toBe(target);
    }),
  );
});
