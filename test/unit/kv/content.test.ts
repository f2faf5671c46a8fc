import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkValue, rawContentOf, toRawValue } from '../../../shared/kv/content.ts';
import type { Json } from '../../../shared/records/index.ts';

const KIB = 1024;

function bytesBack(value: Json): Buffer | undefined {
  const raw = rawContentOf(value);
  return raw && Buffer.from(raw.bytes);
}

describe('raw content', () => {
  it.each<[what: string, bytes: Buffer, member: string]>([
    ['text', Buffer.from('grüße 🐟\r\n'), '$text'],
    ['nothing', Buffer.alloc(0), '$text'],
    ['text behind a byte order mark', Buffer.from('\ufeffx'), '$text'],
    ['bytes', Buffer.from([0xff, 0, 0xfe]), '$bytes'],
    ['256 KiB of bytes', randomBytes(256 * KIB), '$bytes'],
    [
      '256 KiB of control characters, which JSON would make six times as long',
      Buffer.alloc(256 * KIB, 1),
      '$bytes',
    ],
  ])('comes back as it was: %s', (_, bytes, member) => {
    const value = toRawValue(bytes, 'text/plain');
    expect(Object.keys(value as object)).toEqual([member, 'contentType']);
    expect(bytesBack(value)?.equals(bytes)).toBe(true);
    expect(() => checkValue(value)).not.toThrow();
    expect(JSON.stringify(value).length).toBeLessThan(384 * KIB);
  });

  it('is too large beyond 256 KiB, whatever its form', () => {
    const tooLarge = expect.objectContaining({ kind: 'too-large', fix: expect.stringContaining('bundle') });
    const bytes = Buffer.alloc(256 * KIB + 1, 'x');
    expect(() => toRawValue(bytes, 'text/plain')).toThrow(tooLarge);
    expect(() => checkValue({ $text: bytes.toString(), contentType: 'text/plain' })).toThrow(tooLarge);
    expect(() => checkValue({ $bytes: bytes.toString('base64'), contentType: 'image/png' })).toThrow(
      tooLarge,
    );
    expect(() => checkValue('x'.repeat(256 * KIB - 1))).toThrow(tooLarge);
    expect(() => checkValue('x'.repeat(256 * KIB - 2))).not.toThrow();
  });

  it.each<[what: string, value: Json]>([
    ['a member too many', { $text: 'x', contentType: 'text/plain', more: 1 }],
    ['both of them', { $text: 'x', $bytes: 'eA==', contentType: 'text/plain' }],
    ['no content type', { $text: 'x' }],
    ['a text that is none', { $text: 5, contentType: 'text/plain' }],
    ['the form of it in a list', [{ $text: 'x', contentType: 'text/plain' }]],
    ['nothing', null],
  ])('is not what has %s: that is JSON', (_, value) => {
    expect(rawContentOf(value)).toBeUndefined();
    expect(() => checkValue(value)).not.toThrow();
  });

  it.each<[value: Json, field: string]>([
    [{ $bytes: 'no base64!', contentType: 'image/png' }, 'value.$bytes'],
    [{ $bytes: 'eA', contentType: 'image/png' }, 'value.$bytes'],
    [{ $text: '\ud800', contentType: 'text/plain' }, 'value.$text'],
    [{ $text: 'x', contentType: 'text/plain\r\nSet-Cookie: a=b' }, 'value.contentType'],
    [{ $text: 'x', contentType: 'nonsense' }, 'value.contentType'],
    [{ $text: '{}', contentType: 'application/json' }, 'value.contentType'],
  ])('is refused where it cannot be given back: %j', (value, field) => {
    expect(() => checkValue(value, 'value')).toThrow(expect.objectContaining({ kind: 'invalid', field }));
  });
});
