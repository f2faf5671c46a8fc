import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RouteTemplate } from '../../../infra/local/host/route-template.ts';

const match = (template: string, path: string) => new RouteTemplate(template).match(path);

describe('a route template', () => {
  it.each<[string, string, Record<string, string>]>([
    ['', '/', {}],
    ['api/Items', '/API/items', {}],
    ['items', '/items/', {}],
    ['items/{id}', '/items/A b', { id: 'A b' }],
    ['items/{id?}', '/items', {}],
    ['items/{id?}', '/items/', {}],
    ['items/{id?}', '/items/7', { id: '7' }],
    ['items/{page=1}', '/items', { page: '1' }],
    ['items/{page=1}', '/items/3', { page: '3' }],
    ['{a=x}/{b?}', '/', { a: 'x' }],
    ['{*rest}', '/', {}],
    ['files/{*rest}', '/files', {}],
    ['files/{*rest}', '/files/', {}],
    ['files/{**rest}', '/files/a//b/', { rest: 'a//b/' }],
    ['files/{*rest=none}', '/files', { rest: 'none' }],
    ['f-{id}', '/f-12', { id: '12' }],
    ['{name}.{extension}', '/a.b.c', { name: 'a.b', extension: 'c' }],
    ['{name}.{extension?}', '/a.b', { name: 'a', extension: 'b' }],
    ['{name}.{extension?}', '/a', { name: 'a' }],
    ['a{b}c{d}', '/abcabcd', { b: 'bcab', d: 'd' }],
    ['{n:int:min(5)}', '/7', { n: '7' }],
    ['{n:int?}', '/', {}],
    ['{code:regex(^\\d{{3}}-[a-z]+$)}', '/123-ab', { code: '123-ab' }],
    ['{ignored:maxlength(0)?}', '/', {}],
  ])('%s matches %s', (template, path, values) => {
    expect(match(template, path)).toEqual(values);
  });

  it.each([
    ['', '/x'],
    ['items', '/items//'],
    ['items', '/items/x'],
    ['items/{id}', '/items'],
    ['items/{id}', '/items/'],
    ['items/{id}', '/items//'],
    ['items/{id}/x', '/items//x'],
    ['files/{a}/{*rest}', '/files//x'],
    ['f-{id}', '/f-'],
    ['{name}.{extension}', '/a'],
    ['{n:int:min(5)}', '/4'],
    ['{code:regex(^\\d{{3}}$)}', '/12'],
    ['{ignored:maxlength(0)?}', '/x'],
    ['files/{*rest:int}', '/files'],
  ])('%s does not match %s', (template, path) => {
    expect(match(template, path)).toBeUndefined();
  });

  it.each([
    '{a}/{A}',
    '{*rest}/more',
    'x{*rest}',
    'a//b',
    '{a',
    'a}',
    '{}',
    '{a}{b}',
    '{a?}x',
    '{a:prime}',
    '{a:length}',
    '{a:min(x)}',
    '{a:}',
    'a?b',
  ])('%s is refused', (template) => {
    expect(() => new RouteTemplate(template)).toThrow();
  });
});

it('a route template gives back the values that it was filled with', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1 }).filter((value) => !value.includes('/'));
  fc.assert(
    fc.property(
      text,
      text,
      fc.array(fc.string().filter((value) => !value.includes('/'))),
      (id, name, rest) => {
        const values = { id, name, ...(rest.join('/') !== '' && { rest: rest.join('/') }) };
        const path = `/Items/${id}/f-${name}.txt/${rest.join('/')}`;
        expect(match('items/{id}/f-{name}.txt/{*rest}', path)).toEqual(values);
      },
    ),
  );
});
