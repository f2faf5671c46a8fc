import type { InvocationContext } from '@azure/functions';
import { expect, it } from 'vitest';
import { outlast } from '../../../functions/servicebus/outlast.ts';
import { takeCommand } from '../../../functions/servicebus/take-command.ts';
import { type Commands, type Operations, operationIdOf } from '../../../shared/operations/index.ts';
import { notFound, unavailable } from '../../../shared/platform/errors.ts';

const VALID = { specversion: '1.0', id: '1', source: '/ci', type: 'test.build', data: { a: 1 } };

/** What becomes of a message, where one operation stands. */
async function take(body: unknown, standing?: string): Promise<readonly unknown[]> {
  const told: unknown[] = [];
  const commands = {
    accept: async (command: object, session: string) => told.push(['accept', command, session]),
    refuse: async (command: object, session: string, { message }: Error) =>
      told.push(['refuse', command, session, message]),
  } as unknown as Commands;
  const operations = {
    find: async (_: string, id: string) => (id === standing ? {} : undefined),
  } as unknown as Operations;
  const context = {
    triggerMetadata: { sessionId: 'place' },
    error: () => told.push(['logged']),
  } as unknown as InvocationContext;
  await takeCommand(body, context, { commands, operations }, context);
  return told[0] as readonly unknown[];
}

it.each([
  ['an object', VALID],
  ['text', JSON.stringify(VALID)],
  ['bytes', Buffer.from(JSON.stringify(VALID))],
])(
  'accepts a command that comes as %s, for the default namespace and the source as actor',
  async (_how, body) => {
    expect(await take(body)).toEqual(['accept', { ...VALID, ns: 'default', actor: 'bus:/ci' }, 'place']);
  },
);

it('makes a failed operation of what is no command but has an id, and logs the rest', async () => {
  const [what, command, session, reason] = await take({
    ...VALID,
    specversion: '0.3',
    ns: 'no name',
    type: 7,
  });
  expect([what, session]).toEqual(['refuse', 'place']);
  expect(command).toMatchObject({ id: '1', source: '/ci', type: '', ns: 'default', actor: 'bus:/ci' });
  expect(reason).toContain('specversion');
  const { data: _, ...withoutData } = VALID;
  expect(await take(withoutData)).toMatchObject([
    'refuse',
    { id: '1' },
    'place',
    expect.stringContaining('data'),
  ]);
  const unnamed = [
    { ...VALID, id: undefined },
    { ...VALID, source: '' },
    { ...VALID, source: '/ci\n1' },
  ];
  for (const body of ['no JSON', 7, null, ...unnamed]) {
    expect(await take(body)).toEqual(['logged']);
  }
});

it('takes what is asked for over HTTP from nobody who would come first by its source and id', async () => {
  const asked = { ...VALID, source: '/api/v1/token:tok_1' };
  expect(await take(asked)).toEqual(['logged']);
  expect(await take({ ...asked, specversion: '0.3' })).toEqual(['logged']);
  expect(await take(asked, operationIdOf('default', asked.source, asked.id))).toMatchObject([
    'accept',
    asked,
    'place',
  ]);
});

it('outlasts what is out of reach for a while, and nothing else: a delivery takes minutes, of which the broker makes a hundred', async () => {
  let now = 0;
  const clock = {
    now: () => now,
    sleep: async (milliseconds: number) => {
      now += milliseconds;
    },
  };
  let tries = 0;
  const failsUntil = (end: number, error: Error) =>
    outlast(async () => {
      tries += 1;
      if (now < end) throw error;
    }, clock);
  await failsUntil(60_000, unavailable('The database does not answer.'));
  expect(now).toBeGreaterThanOrEqual(60_000);
  expect(tries).toBeLessThan(15);

  const since = now;
  await expect(failsUntil(Number.POSITIVE_INFINITY, unavailable('It is away.'))).rejects.toThrow('away');
  expect(now - since).toBeGreaterThan(150_000);
  expect(now - since).toBeLessThan(240_000);

  tries = 0;
  await expect(failsUntil(Number.POSITIVE_INFINITY, notFound('There is none.'))).rejects.toThrow('none');
  expect(tries).toBe(1);
});
