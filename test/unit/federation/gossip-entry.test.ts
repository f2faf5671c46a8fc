import { describe, expect, it } from 'vitest';
import {
  announcementSchema,
  fromGossipList,
  gossipListSchema,
  toGossipList,
} from '../../../shared/federation/index.ts';

function announced(fields: Record<string, unknown>) {
  return { address: '127.0.0.1:5000', app_name: 'greeter', last_update: 7, ...fields };
}

describe('an announcement', () => {
  it.each([
    [5, 5],
    [0, 0],
    ['1700000000', 1_700_000_000],
    ['0', 0],
    [-1, -1],
  ])('takes the last_update %j', (sent, kept) => {
    expect(announcementSchema.parse(announced({ last_update: sent })).lastUpdate).toBe(kept);
  });

  it.each(['now', '', '1.5', 1.5, null, undefined, true, '99999999999999999999', 2 ** 53])(
    'refuses the last_update %j',
    (sent) => {
      expect(announcementSchema.safeParse(announced({ last_update: sent })).success).toBe(false);
    },
  );

  it.each([
    '10.0.0.1:80',
    '[::1]:80',
    'node-1.example.com:8000',
    'http://10.0.0.1:80/a?b#c',
    'x'.repeat(255),
  ])('takes the address %s', (address) => {
    expect(announcementSchema.parse(announced({ address })).address).toBe(address);
  });

  it.each(['', 'x'.repeat(256), 'a b', 'a\nb', 'a\u0000', 'bücher:80', '__proto__', 80, undefined])(
    'refuses the address %j',
    (address) => {
      expect(announcementSchema.safeParse(announced({ address })).success).toBe(false);
    },
  );

  it.each(['', 'x'.repeat(256), 5, null, undefined])('refuses the app_name %j', (appName) => {
    expect(announcementSchema.safeParse(announced({ app_name: appName })).success).toBe(false);
  });

  it('ignores fields that it does not know', () => {
    expect(announcementSchema.parse(announced({ colour: 'green' }))).toEqual({
      address: '127.0.0.1:5000',
      appName: 'greeter',
      lastUpdate: 7,
    });
  });
});

describe('the list', () => {
  it('is read in the form in which it is written', () => {
    const entries = [
      { address: '0:0', appName: 'a', lastUpdate: 0 },
      { address: '[::1]:80', appName: 'b', lastUpdate: 9 },
    ];
    expect(toGossipList(entries)).toEqual({
      '0:0': { app_name: 'a', last_update: 0 },
      '[::1]:80': { app_name: 'b', last_update: 9 },
    });
    expect(fromGossipList(gossipListSchema.parse(toGossipList(entries)))).toEqual(entries);
  });

  it.each([
    [[]],
    ['text'],
    [null],
    [{ 'a b': { app_name: 'a', last_update: 1 } }],
    [{ '1:1': { app_name: 'a', last_update: 1 }, '2:2': { app_name: 'a' } }],
  ])('is refused whole: %j', (sent) => {
    expect(gossipListSchema.safeParse(sent).success).toBe(false);
  });
});
