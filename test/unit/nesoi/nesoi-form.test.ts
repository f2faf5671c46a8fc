import { describe, expect, it } from 'vitest';
import {
  checkBodyName,
  nesoiJson,
  subscriptionsLink,
  toNesoiTime,
} from '../../../functions/http/nesoi/nesoi-form.ts';

describe('the forms of Nesoi', () => {
  it.each([
    ['2011-08-29T11:46:35.739Z', '2011-08-29 11:46:35.739000'],
    ['2011-08-29T11:46:35.000Z', '2011-08-29 11:46:35.000000'],
    ['2011-08-29T11:46:35Z', '2011-08-29 11:46:35.000000'],
    ['2011-08-29T13:46:35.7+02:00', '2011-08-29 11:46:35.700000'],
  ])('writes the time %s in UTC with six digits', (timestamp, written) => {
    expect(toNesoiTime(timestamp)).toBe(written);
  });

  it('sorts members at every depth, keeps the order of arrays, and indents', () => {
    const { body, headers } = nesoiJson(200, { name: 'dm', config: { z: [{ b: 1, a: 2 }, 'x'], a: {} } });
    expect(headers['Content-Type']).toBe('application/json');
    expect(body).toBe(`{
  "config": {
    "a": {},
    "z": [
      {
        "a": 2,
        "b": 1
      },
      "x"
    ]
  },
  "name": "dm"
}
`);
  });

  it('keeps a member called __proto__', () => {
    expect(nesoiJson(200, Object.fromEntries([['__proto__', { a: 1 }]])).body).toContain('"__proto__"');
  });

  it('links without angle brackets', () => {
    expect(subscriptionsLink('http://localhost:6553/app/dm')).toBe(
      'http://localhost:6553/app/dm/web-hooks, rel="Subscriptions"',
    );
  });

  it('refuses a body that is about something else than the URL', () => {
    expect(() => checkBodyName({ name: 'dm' }, 'dm')).not.toThrow();
    expect(() => checkBodyName({ name: 'dm2' }, 'dm')).toThrow(
      'The body is about "dm2", the URL about "dm".',
    );
  });
});
