import { describe, expect, it } from 'vitest';
import { endpoints } from '../../../../functions/http/endpoints.ts';
import { createRouteHandlers } from '../../../../shared/platform/http/index.ts';
import {
  functionName,
  loggedPath,
  parseRoute,
  pathOf,
  type RouteSegment,
  type RouteTemplate,
  readParameters,
} from '../../../../shared/platform/http/route.ts';
import { systemRandom } from '../../../../shared/platform/random.ts';
import { OPEN } from './call.ts';

const routes = [...new Set([...endpoints.map(({ route }) => route.text), '{*path}'])].map(parseRoute);
const pairs = routes.flatMap((a, index) => routes.slice(index + 1).map((b) => [a, b] as const));

/** Whether some path matches both, from a segment on. */
function overlap(a: readonly RouteSegment[], b: readonly RouteSegment[]): boolean {
  const [first, ...restOfA] = a;
  const [second, ...restOfB] = b;
  if (first?.kind === 'catch-all' || second?.kind === 'catch-all') {
    return true;
  }
  if (first === undefined || second === undefined) {
    return first === second;
  }
  const bothLiteral = first.kind === 'literal' && second.kind === 'literal';
  return (
    (!bothLiteral || first.text.toUpperCase() === second.text.toUpperCase()) && overlap(restOfA, restOfB)
  );
}

/** How specific a route is, segment by segment: a literal before a parameter, both before the end, a catch-all last. */
function specificity({ segments }: RouteTemplate): string {
  const ranks = { literal: '0', parameter: '1', 'catch-all': '3' };
  return `${segments.map(({ kind }) => ranks[kind]).join('')}2`;
}

function ordinal(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

describe('the functions of the app', () => {
  it('sort the more specific of two overlapping routes first, as the host compares names', () => {
    const overlapping = pairs.filter(([a, b]) => overlap(a.segments, b.segments));
    expect(overlapping.length).toBeGreaterThan(0);
    const wrong = overlapping.filter(([a, b]) => {
      const byName = ordinal(functionName(a).toUpperCase(), functionName(b).toUpperCase());
      return byName !== ordinal(specificity(a), specificity(b));
    });
    expect(wrong.map(([a, b]) => [a.text, b.text])).toEqual([]);
  });

  it('have names that are valid and unique whatever their case', () => {
    const handlers = createRouteHandlers(endpoints, {
      services: JSON.parse('{}'),
      access: OPEN,
      settings: { SKERRY_PUBLIC_URL: undefined },
      random: systemRandom,
    });
    const names = handlers.map(({ name }) => name.toUpperCase());
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) {
      expect(name).toMatch(/^[A-Z][0-9A-Z_-]{0,127}$/);
    }
  });

  it('declare access to keys that their routes name', () => {
    for (const { name, access, route } of endpoints) {
      if (typeof access === 'object') {
        const placeholders = [...access.keys.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
        expect(route.parameters, name).toEqual(expect.arrayContaining(placeholders));
        expect(access.keys, name).toMatch(/^\//);
      }
    }
  });
});

describe('a route', () => {
  it('names its function so that literals come before parameters before catch-alls', () => {
    expect(functionName(parseRoute('srv/{name}/web-hooks'))).toBe('http-srv-_name-web-hooks');
    expect(functionName(parseRoute('api/v1/kv/{store}/{*key}'))).toBe('http-api-v1-kv-_store-__key');
    expect(functionName(parseRoute('api/v1/openapi.json'))).toBe('http-api-v1-openapi-json');
  });

  it.each([['a/{b}-c'], ['{*rest}/a'], ['a//b'], ['/a'], ['a/{b:int}'], ['_a']])(
    'of the form %s is refused',
    (text) => {
      expect(() => parseRoute(text)).toThrow(/not supported/);
    },
  );

  it('reads its parameters from the path as it was sent', () => {
    const route = parseRoute('kv/{store}/{*key}');
    const read = (path: string) => readParameters(route, `https://host${path}`);
    expect(read('/kv/a%20b/if/eth0?x=/y/')).toEqual({ store: 'a b', key: 'if/eth0' });
    expect(read('/KV/a%2Fb/x')).toEqual({ store: 'a/b', key: 'x' });
    expect(read('/kv/a/')).toEqual({ store: 'a', key: '' });
    expect(() => read('/kv/%zz/x')).toThrow(expect.objectContaining({ kind: 'invalid', field: 'store' }));
  });

  it('does not decode twice what the host has decoded once', () => {
    const route = parseRoute('kv/{store}/{*key}');
    const read = (key: string) =>
      readParameters(route, `https://host/kv/a/${key}`, { store: 'a', key, other: 'x' });
    expect(read('a%2ecfg')).toEqual({ store: 'a', key: 'a%2ecfg' });
    expect(read('b%2Fc%41')).toEqual({ store: 'a', key: 'b/c%41' });
  });

  it('knows what of a path may be logged', () => {
    const route = parseRoute('links/{id}/{token}');
    expect(loggedPath(route, 'https://host/links/one/secret?x=y')).toBe('/links/one/***');
    expect(loggedPath(parseRoute('kv/{store}'), 'https://host/kv/a')).toBe('/kv/a');
  });

  it('knows the path of a URL', () => {
    expect(pathOf('http://host:1/a/b?c=/d')).toBe('/a/b');
    expect(pathOf('http://host')).toBe('/');
  });
});
