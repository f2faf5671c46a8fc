import { describe, expect, it, test } from 'vitest';
import type { ConfigSecrets, SecretPlace } from '../../../shared/config/config-secrets.ts';
import type { Json } from '../../../shared/records/index.ts';
import { configSecrets, NEW_KEY, OLD_KEY } from '../../integration/config/config-secrets-fixture.ts';

const PLACE: SecretPlace = ['default', '/app/shop'];
const MARKER = 'pa55"wörd\\with\nall';
const secrets = configSecrets();

function seal(given: Json, standing?: Json, by: ConfigSecrets = secrets, place = PLACE): Json {
  by.check(given);
  return by.seal(place, given, standing);
}

describe('a secret', () => {
  it.each([
    ['text', MARKER],
    ['a number', 7],
    ['null', null],
    ['an empty text', ''],
    ['an object', { user: 'me', password: [MARKER] }],
    ['what looks sealed but for another member', { sealed: 'x', other: 1 }],
  ])('that is %s is sealed wherever it stands, and opens again', async (_, value) => {
    const given = { db: [{ password: { $secret: value } }], 'a/b~c': { $secret: value }, plain: 1 };
    const stored = seal(given);
    expect(stored).toEqual({
      db: [{ password: { $secret: { sealed: expect.stringMatching(/^[\w-]{8}\.[\w-]{38,}$/) } } }],
      'a/b~c': { $secret: { sealed: expect.any(String) } },
      plain: 1,
    });
    expect(await secrets.reveal(PLACE, stored)).toEqual({
      db: [{ password: value }],
      'a/b~c': value,
      plain: 1,
    });
  });

  it('may be the whole configuration', async () => {
    const stored = seal({ $secret: MARKER });
    expect(await secrets.reveal(PLACE, stored)).toBe(MARKER);
  });

  it('keeps its sealed form where the same stands already, given in clear or as it was shown', () => {
    const stored = seal({ a: { $secret: MARKER }, b: [{ $secret: { deep: 1 } }] });
    expect(seal({ a: { $secret: MARKER }, b: [{ $secret: { deep: 1 } }] }, stored)).toEqual(stored);
    expect(seal(stored, stored)).toEqual(stored);
    expect(seal({ a: { $secret: 'other' }, b: [] }, stored)).not.toMatchObject({
      a: (stored as { a: Json }).a,
    });
  });

  it('goes on in its sealed form at another place of the application, and from before it was replaced', async () => {
    const stored = seal({ a: { $secret: MARKER } }) as { a: Json };
    expect(await secrets.reveal(PLACE, seal({ b: [stored.a] }, stored))).toEqual({ b: [MARKER] });
    const replaced = seal({ a: { $secret: 'newer' } }, stored);
    expect(await secrets.reveal(PLACE, seal({ a: stored.a }, replaced))).toEqual({ a: MARKER });
  });

  it.each([
    ['another application', ['default', '/app/other']],
    ['another namespace', ['staging', '/app/shop']],
  ] as const)(
    'does not open when its sealed form is brought from %s, whatever is wrong with it',
    (_, place) => {
      const foreign = seal({ a: { $secret: MARKER } }, undefined, secrets, place) as {
        a: { $secret: { sealed: string } };
      };
      const { sealed } = foreign.a.$secret;
      const faults = [sealed, `${sealed.slice(0, -2)}AA`, 'nokey123.AAAA', 'x', '', `${sealed}.more`].map(
        (text) => {
          try {
            return seal({ a: { $secret: { sealed: text } } });
          } catch (error) {
            const { kind, message, field, fix } = error as Record<string, unknown>;
            return { kind, message, field, fix };
          }
        },
      );
      expect(faults[0]).toMatchObject({ kind: 'unprocessable', field: 'config.a' });
      expect(new Set(faults.map((fault) => JSON.stringify(fault))).size).toBe(1);
    },
  );

  it('is stored as it was sealed here, not with what somebody hung on to it', () => {
    const stored = seal({ a: { $secret: MARKER } }) as { a: { $secret: { sealed: string } } };
    const written = seal({ a: { $secret: { sealed: `${stored.a.$secret.sealed}.note` } } }, stored);
    expect(JSON.stringify(written)).not.toContain('note');
  });

  it.each([
    [{ $secret: 1, other: 2 }, 'config'],
    [{ a: [{ $secret: { b: { $secret: 1 } } }] }, 'config.a[0]'],
    [{ a: { $secret: [{ $ref: 'keyvault://skerry/name' }] } }, 'config.a'],
    [{ a: { $ref: 'keyvault://skerry' } }, 'config.a'],
    [{ a: { $ref: 'KeyVault://skerry/name/short' } }, 'config.a'],
    [{ a: { $ref: 'keyvault://skerry/../name' } }, 'config.a'],
    [{ a: { $ref: 'keyvault://skerry.example.com/name' } }, 'config.a'],
    [{ a: { $ref: 'keyvault://skerry/name', b: 1 } }, 'config.a'],
    [Array.from({ length: 201 }, () => ({ $secret: 1 })), 'config'],
    [Array.from({ length: 51 }, () => ({ $ref: 'keyvault://skerry/name' })), 'config'],
  ] as [Json, string][])(
    'that is malformed or one too many is refused by its place alone (%#)',
    (given, field) => {
      expect(() => seal(given)).toThrow(expect.objectContaining({ kind: 'unprocessable', field }));
    },
  );

  it('cannot be stored without a key, which the refusal says how to set', () => {
    expect(() => seal({ a: { $secret: 1 } }, undefined, configSecrets([]))).toThrow(
      expect.objectContaining({
        kind: 'unprocessable',
        message: expect.stringContaining('SKERRY_SECRET_KEYS'),
      }),
    );
    const plain = { a: 1, $ref: '#/definitions/a' };
    expect(seal(plain, undefined, configSecrets([]))).toEqual(plain);
  });
});

describe('a key', () => {
  it('that is replaced opens what it sealed, until the next write seals it by the newest', async () => {
    const stored = seal({ a: { $secret: MARKER } });
    const both = configSecrets([NEW_KEY, OLD_KEY]);
    expect(await both.reveal(PLACE, stored)).toEqual({ a: MARKER });
    for (const given of [stored, { a: { $secret: MARKER } }]) {
      const again = seal(given, stored, both);
      expect(again).not.toEqual(stored);
      expect(await configSecrets([NEW_KEY]).reveal(PLACE, again)).toEqual({ a: MARKER });
      expect(seal(given, again, both)).toEqual(again);
    }
  });

  it('that is gone leaves what stands, and names what cannot be read', async () => {
    const stored = seal({ a: { $secret: MARKER } });
    const none = configSecrets([NEW_KEY]);
    expect(seal({ ...(stored as object), b: 1 }, stored, none)).toEqual({ ...(stored as object), b: 1 });
    await expect(none.reveal(PLACE, stored)).rejects.toMatchObject({
      kind: 'unavailable',
      field: 'config.a',
      message: expect.stringContaining('SKERRY_SECRET_KEYS'),
    });
  });
});

test('a reference is resolved where it stands, and a refusal says which one it is', async () => {
  const config = {
    a: [{ $ref: 'keyvault://Skerry-Prod/db-password/0123456789abcdef0123456789abcdef' }],
    b: { $ref: '#/c' },
  };
  expect(seal(config)).toEqual(config);
  expect(await secrets.reveal(PLACE, config)).toEqual({
    a: ['VALUE of Skerry-Prod/db-password'],
    b: { $ref: '#/c' },
  });
  await expect(
    secrets.reveal(PLACE, { a: 1, b: [{ $ref: 'keyvault://skerry/none' }] }),
  ).rejects.toMatchObject({
    field: 'config.b[0]',
  });
});

test('two configurations are the same by their secrets, not by how those are sealed', () => {
  const [one, other] = [seal({ a: { $secret: MARKER } }), seal({ a: { $secret: MARKER } })];
  expect(one).not.toEqual(other);
  expect(secrets.areEqual(PLACE, one, other)).toBe(true);
  expect(secrets.areEqual(PLACE, one, seal({ a: { $secret: 'another' } }))).toBe(false);
  expect(secrets.areEqual(PLACE, one, { a: MARKER })).toBe(false);
});
