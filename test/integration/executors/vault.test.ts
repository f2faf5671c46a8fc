import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VaultExecutor } from '../../../shared/executors/vault.ts';
import type { StepVerb } from '../../../shared/operations/index.ts';
import type { Json } from '../../../shared/records/index.ts';
import { type ApiCall, firstCalls } from './api-server.ts';
import { executorParts, type RequestOptions, stepRequest } from './executor-fixture.ts';
import { startVault, VAULT_TOKEN, type Vault } from './vault-server.ts';

let vault: Vault;
let executor: VaultExecutor;

beforeEach(async () => {
  vault = await startVault();
  const credentials = { [vault.origin]: { token: VAULT_TOKEN } };
  executor = new VaultExecutor(executorParts({ credentials }));
});

afterEach(() => vault.stop());

const COMMAND = {
  path: 'shop/db',
  data: { user: 'shop', password: { generate: { length: 40 } }, port: 5432 },
};
const WRITTEN = { mount: 'secret', path: 'shop/db', version: 1 };

function request(verb: StepVerb, command: Json = COMMAND, options: RequestOptions = {}) {
  return stepRequest(verb, command, { url: vault.origin, ...options });
}

function newest(): Readonly<Record<string, unknown>> {
  return vault.versions('shop/db').at(-1)?.data ?? {};
}

const isWrite = ({ method }: ApiCall) => method === 'POST';

describe('a secret', () => {
  test.each(['create', 'update', 'run'] as const)('is made up, and told to nobody (%s)', async (verb) => {
    const outcome = await executor.start(request(verb));
    expect(outcome).toEqual({ state: 'succeeded', outputs: WRITTEN, log: ['Wrote version 1.'] });
    expect(newest()).toEqual({
      user: 'shop',
      password: expect.stringMatching(/^[0-9A-Za-z]{40}$/),
      port: 5432,
    });
  });

  test('is kept when it is there, and no version is written where nothing changed', async () => {
    await executor.start(request('create'));
    const { password } = newest();
    expect(await executor.start(request('update'))).toEqual({
      state: 'succeeded',
      outputs: WRITTEN,
      log: ['It is there already.'],
    });
    const changed = {
      ...COMMAND,
      data: { ...COMMAND.data, user: 'shop2', token: { generate: { charset: 'ab', length: 8 } } },
    };
    expect(await executor.start(request('update', changed))).toMatchObject({ outputs: { version: 2 } });
    expect(newest()).toEqual({
      user: 'shop2',
      password,
      port: 5432,
      token: expect.stringMatching(/^[ab]{8}$/),
    });
  });

  test('loses the members that the command does not name', async () => {
    vault.write('shop/db', { ...COMMAND.data, password: 'theirs', stale: true });
    await executor.start(request('update'));
    expect(newest()).toEqual({ user: 'shop', password: 'theirs', port: 5432 });
  });

  test('is written once, though the answer was lost', async () => {
    vault.interfere = firstCalls(isWrite, 'lose');
    expect(await executor.start(request('create'))).toMatchObject({ state: 'failed', isPassing: true });
    const { password } = newest();
    expect(await executor.start(request('create', COMMAND, { attempt: 2 }))).toEqual({
      state: 'succeeded',
      outputs: WRITTEN,
      log: ['It is there already.'],
    });
    expect(newest()).toMatchObject({ password });
  });

  test('is not written over what somebody else wrote in the meantime', async () => {
    vault.interfere = (call) => {
      if (isWrite(call)) {
        vault.write('shop/db', { user: 'theirs' });
      }
      return undefined;
    };
    expect(await executor.start(request('create'))).toEqual({
      state: 'failed',
      reason: 'Somebody else wrote the secret in the meantime.',
      isPassing: true,
    });
    expect(newest()).toEqual({ user: 'theirs' });
  });

  test('is removed with all its versions, and made up anew afterwards', async () => {
    await executor.start(request('create'));
    const { password } = newest();
    expect(await executor.start(request('destroy'))).toEqual({ state: 'succeeded', log: ['Removed.'] });
    expect(vault.versions('shop/db')).toEqual([]);
    expect(await executor.start(request('destroy'))).toMatchObject({ state: 'succeeded' });
    expect(await executor.start(request('create'))).toMatchObject({ outputs: { version: 1 } });
    expect(newest().password).not.toBe(password);
  });

  test('that is only deleted can be brought back in Vault, and is followed by the next version', async () => {
    const command = { ...COMMAND, keepVersions: true };
    await executor.start(request('create', command));
    await executor.start(request('destroy', command));
    expect(vault.versions('shop/db')).toMatchObject([{ isDeleted: true }]);
    expect(await executor.observe(request('refresh', command))).toEqual({ exists: false });
    expect(await executor.start(request('create', command))).toMatchObject({ outputs: { version: 2 } });
  });

  test('of a mount that is gone is removed already', async () => {
    const command = { ...COMMAND, mount: 'elsewhere' };
    expect(await executor.start(request('destroy', command))).toMatchObject({ state: 'succeeded' });
  });

  test('that may not be removed stays', async () => {
    vault.interfere = () => ({ status: 403, body: { errors: ['permission denied'] } });
    expect(await executor.start(request('destroy'))).toEqual({
      state: 'failed',
      reason: 'Removing the secret: HTTP 403: permission denied',
      isPassing: false,
    });
  });

  test('is of a namespace, if that is said', async () => {
    await executor.start(request('create', { ...COMMAND, namespace: 'team/a' }));
    expect(vault.versions('team/a:shop/db')).toHaveLength(1);
  });
});

describe('a look', () => {
  test('names members that differ, and no values', async () => {
    expect(await executor.observe(request('refresh'))).toEqual({ exists: false });
    await executor.start(request('create'));
    expect(await executor.observe(request('refresh'))).toEqual({ exists: true });
    vault.write('shop/db', { user: 'top-secret', port: 5432, extra: 'top-secret' });
    expect(await executor.observe(request('refresh'))).toEqual({
      exists: true,
      difference: 'differs in user, password, extra',
    });
  });

  test('says so when it is refused', async () => {
    vault.isSealed = true;
    await expect(executor.observe(request('refresh'))).rejects.toThrow(
      'Reading the secret: HTTP 503: Vault is sealed',
    );
  });
});

describe('a failure', () => {
  test.each([
    [400, { errors: ['no data provided'] }, false],
    [403, { errors: ['permission denied'] }, false],
    [404, { errors: ['no handler for route'] }, false],
    [405, { errors: ['unsupported operation'] }, false],
    [412, { errors: ['required index state not present'] }, true],
    [429, { errors: ['request path "secret": rate limit quota exceeded'] }, true],
    [472, { errors: [] }, true],
    [473, { errors: [] }, true],
    [500, { errors: ['internal error'] }, true],
    [501, { errors: [] }, true],
    [503, { errors: ['Vault is sealed'] }, true],
    [307, {}, false],
  ])('%i when the secret is written', async (status, body, isPassing) => {
    vault.interfere = (call) => (isWrite(call) ? { status, body } : undefined);
    expect(await executor.start(request('create'))).toMatchObject({
      state: 'failed',
      isPassing,
      reason: expect.stringMatching(`^Writing the secret: HTTP ${status}`),
    });
    expect(vault.calls.filter(isWrite)).toHaveLength(1);
  });

  test.each(['drop', 'half', 'lie'] as const)('of an answer that is none (%s)', async (interference) => {
    vault.interfere = () => interference;
    expect(await executor.start(request('create'))).toMatchObject({ state: 'failed', isPassing: true });
    vault.interfere = () => undefined;
    expect(await executor.start(request('create'))).toMatchObject({ outputs: WRITTEN });
  });

  test('does not repeat what was sent', async () => {
    const data = { password: 'correct horse', made: { generate: {} } };
    let made = '';
    vault.interfere = (call) => {
      const sent = (call.body as { data?: { made: string } } | undefined)?.data;
      made = sent?.made ?? '';
      return isWrite(call)
        ? { status: 400, body: { errors: [`${VAULT_TOKEN} sent ${call.text}`] } }
        : undefined;
    };
    const outcome = await executor.start(request('create', { path: 'shop/db', data }));
    expect(made).toHaveLength(32);
    const told = JSON.stringify(outcome);
    expect(told).toContain('HTTP 400');
    for (const secret of [made, 'correct horse', VAULT_TOKEN]) {
      expect(told).not.toContain(secret);
    }
  });

  test('of a mount of version 1', async () => {
    expect(await executor.start(request('create', { ...COMMAND, mount: 'old' }))).toEqual({
      state: 'failed',
      reason: 'The mount old is no KV secrets engine of version 2.',
      isPassing: false,
    });
  });

  test('of a mount that is not there', async () => {
    expect(await executor.start(request('create', { ...COMMAND, mount: 'elsewhere' }))).toMatchObject({
      reason: expect.stringContaining('HTTP 404: no handler for route'),
      isPassing: false,
    });
  });

  test.each([
    [{ ...COMMAND, path: '../sys/seal' }, 'command.path'],
    [{ ...COMMAND, path: 'a\\..\\b' }, 'command.path'],
    [{ ...COMMAND, path: 'a//b' }, 'command.path'],
    [{ path: 'a', data: { password: { generate: { length: 4 } } } }, 'command.data.password'],
    [{ path: 'a', data: { password: { generate: { charset: 'aa' } } } }, 'command.data.password'],
    [{ path: 'a', data: { password: { generate: {}, length: 8 } } }, 'command.data.password'],
    [{ path: 'a' }, 'command.data'],
  ])('of the command is found before anything is sent: %#', async (command, reason) => {
    expect(await executor.start(request('create', command))).toMatchObject({
      isPassing: false,
      reason: expect.stringContaining(`${reason}: `),
    });
    expect(vault.calls).toHaveLength(0);
  });
});
