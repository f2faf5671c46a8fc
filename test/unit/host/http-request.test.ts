import { expect, it } from 'vitest';
import { parseRequestTarget } from '../../../infra/local/host/http-request.ts';

it.each([
  ['/a%20b/%2f%2Fc', '/a b/%2f%2Fc', ''],
  ['/a/%ff', '/a/%ff', ''],
  ['/a/../b/./c?x=/../y', '/b/c', '?x=/../y'],
  ['/a/%2e%2e/b', '/b', ''],
  ['/../..', '/', ''],
  ['/a/.', '/a/', ''],
  ['/.well-known', '/.well-known', ''],
  ['http://example.org/a?b', '/a', '?b'],
])('the target %s is the path %s with the query %s', (target, path, query) => {
  expect(parseRequestTarget(target)).toMatchObject({ path, query });
});

it('a target that is no path has none', () => {
  expect(parseRequestTarget('*')).toBeUndefined();
});
