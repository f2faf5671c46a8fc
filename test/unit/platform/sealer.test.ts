import { expect, test } from 'vitest';
import { Sealer } from '../../../shared/platform/sealer.ts';

const OLD = Buffer.alloc(32, 1);
const NEW = Buffer.alloc(32, 2);
const PLACE = ['default', 'sub_1', 'key_1'];

test('what is sealed opens in its place, and is never sealed alike twice', () => {
  const sealer = new Sealer([OLD]);
  const sealed = sealer.seal('whsec_æøå', PLACE);
  expect(sealed).not.toContain('whsec');
  expect(sealer.seal('whsec_æøå', PLACE)).not.toBe(sealed);
  expect(sealer.open(sealed, PLACE)).toBe('whsec_æøå');
  expect(sealer.open(sealer.seal('', PLACE), PLACE)).toBe('');
});

test.each([
  ['another subscription', ['default', 'sub_2', 'key_1']],
  ['another namespace', ['other', 'sub_1', 'key_1']],
  ['the same letters, cut elsewhere', ['defaultsub_1', '', 'key_1']],
  ['a longer place', [...PLACE, '']],
])('what was moved to %s does not open', (_, place) => {
  const sealer = new Sealer([OLD]);
  const sealed = sealer.seal('secret', PLACE);
  expect(() => sealer.open(sealed, place)).toThrow();
});

test('what was tampered with anywhere does not open', () => {
  const sealer = new Sealer([OLD]);
  const [id = '', encoded = ''] = sealer.seal('secret', PLACE).split('.');
  const bytes = Buffer.from(encoded, 'base64url');
  for (const index of bytes.keys()) {
    const changed = Buffer.from(bytes);
    changed[index] = (changed[index] ?? 0) ^ 1;
    expect(() => sealer.open(`${id}.${changed.toString('base64url')}`, PLACE), `byte ${index}`).toThrow();
  }
  for (let length = 0; length < bytes.length; length += 1) {
    const short = bytes.subarray(0, length).toString('base64url');
    expect(() => sealer.open(`${id}.${short}`, PLACE), `${length} bytes`).toThrow();
  }
  expect(() => sealer.open(id, PLACE)).toThrow();
});

test('keys are replaced one after the other: the first seals, all open', () => {
  const sealed = new Sealer([OLD]).seal('secret', PLACE);
  const both = new Sealer([NEW, OLD]);
  expect(both.open(sealed, PLACE)).toBe('secret');
  expect(new Sealer([NEW]).open(both.seal('secret', PLACE), PLACE)).toBe('secret');
  expect(() => new Sealer([NEW]).open(sealed, PLACE)).toThrow(
    expect.objectContaining({ kind: 'unavailable', message: expect.stringContaining('SKERRY_SECRET_KEYS') }),
  );
});

test('without any key nothing is sealed, and it is said what to set', () => {
  expect(() => new Sealer([]).seal('secret', PLACE)).toThrow(
    expect.objectContaining({ kind: 'unavailable', fix: expect.stringContaining('openssl rand') }),
  );
});
