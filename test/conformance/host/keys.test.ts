/** Keys, as a host checks them that has some. It is started here: `func start` asks nobody for a key. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type HostProcess, HostStartError, startHost } from './host-process.ts';

const SECRETS = path.resolve(import.meta.dirname, 'fixtures/keys-secrets');
const MASTER = 'the-master-key';
const SETTINGS = { AzureWebJobs_off_Disabled: '1' };

let host: HostProcess;

beforeAll(async () => {
  host = await startHost('keys', SETTINGS, ['--secrets', SECRETS]);
});

afterAll(() => host.kill());

async function statusOf(route: string, key?: string, query = '', method = 'GET'): Promise<number> {
  const headers = key === undefined ? {} : { 'x-functions-key': key };
  const response = await fetch(`${host.url}${route}${query}`, { method, headers });
  if (response.status === 401) expect(await response.text()).toBe('');
  return response.status;
}

describe('a function', () => {
  it.each<[string, string | undefined, number]>([
    ['anonymous', undefined, 200],
    ['anonymous', 'wrong', 200],
    ['function', undefined, 401],
    ['function', 'wrong', 401],
    ['function', 'HOST-FUNCTION-KEY', 401],
    ['function', 'host-function-key', 200],
    ['function', 'own-key', 200],
    ['function', MASTER, 200],
    ['function', 'system-key', 401],
    ['other', 'own-key', 401],
    ['other', 'host-function-key', 200],
    ['guarded', 'host-function-key', 401],
    ['guarded', 'own-key', 401],
    ['guarded', 'system-key', 401],
    ['guarded', MASTER, 200],
  ])('of level %s answers the key %s with %i', async (name, key, status) => {
    expect(await statusOf(`/api/${name}`, key)).toBe(status);
    if (key !== undefined) expect(await statusOf(`/api/${name}`, undefined, `?code=${key}`)).toBe(status);
  });

  it.each<[string | undefined, string, number]>([
    ['own-key', '?code=wrong', 200],
    ['wrong', '?code=own-key', 401],
    ['', '?code=own-key', 401],
    [undefined, '?CODE=own-key', 200],
    [undefined, '?code=own-key&code=wrong', 200],
    [undefined, '?code=wrong&code=own-key', 401],
  ])(
    'takes the key in the header (%s) before the first in the query (%s): %i',
    async (key, query, status) => {
      expect(await statusOf('/api/function', key, query)).toBe(status);
    },
  );

  it('that does not exist is 404, without a look at the key', async () => {
    expect(await statusOf('/api/nowhere')).toBe(404);
    expect(await statusOf('/api/function', undefined, '', 'DELETE')).toBe(404);
  });

  it('that is disabled is 401 without a key, 404 with its own, and runs with the master key', async () => {
    expect(await statusOf('/api/off')).toBe(401);
    expect(await statusOf('/api/off', 'host-function-key')).toBe(404);
    expect(await statusOf('/api/off', MASTER)).toBe(200);
  });
});

describe('an admin endpoint', () => {
  it.each([
    ['GET', '/admin/host/status'],
    ['GET', '/admin/functions'],
    ['GET', '/admin/functions/function'],
    ['POST', '/admin/functions/tick'],
  ])('wants the master key: %s %s', async (method, route) => {
    expect(await statusOf(route, undefined, '', method)).toBe(401);
    expect(await statusOf(route, 'host-function-key', '', method)).toBe(401);
    expect(await statusOf(route, 'own-key', '', method)).toBe(401);
    const body = method === 'POST' ? '{"input":""}' : null;
    const headers = { 'x-functions-key': MASTER, 'content-type': 'application/json' };
    const response = await fetch(host.url + route, { method, headers, body });
    expect(response.status).toBe(method === 'POST' ? 202 : 200);
  });

  it('to ping is open', async () => {
    expect(await statusOf('/admin/host/ping')).toBe(200);
  });

  it('that does not exist is 404 for everybody', async () => {
    expect(await statusOf('/admin/host/nothing')).toBe(404);
  });

  it('has run the function that it was asked to', async () => {
    await vi.waitFor(() => expect(host.reports.map(({ event }) => event)).toContain('tick'), 45_000);
  });
});

describe('a host without keys', () => {
  it('takes every caller for an administrator, and says so', async () => {
    const open = await startHost('keys', SETTINGS, ['--workers', '2']);
    onTestFinished(() => open.kill());
    for (const route of ['/api/function', '/api/guarded', '/admin/host/status']) {
      expect([route, (await fetch(open.url + route)).status]).toEqual([route, 200]);
    }
    await vi.waitFor(
      () => expect(open.output()).toMatch(/warn .*No keys of the host are checked.*function, guarded, other/),
      45_000,
    );
    expect(open.output().match(/No keys of the host are checked/g)).toHaveLength(1);
  });
});

describe('a host does not start', () => {
  const master = '"masterKey":{"name":"master","value":"m"}';

  it.each<[string, Record<string, string>, RegExp]>([
    ['without the file of its own keys', {}, /host\.json cannot be read/],
    ['with a file that is not JSON', { 'host.json': '{' }, /host\.json is not JSON/],
    ['without a master key', { 'host.json': '{}' }, /host\.json is not valid:\n {2}masterKey/],
    [
      'with an encrypted key',
      { 'host.json': `{${master},"functionKeys":[{"name":"a","value":"b","encrypted":true}]}` },
      /functionKeys\.0\.encrypted: encrypted keys are not supported/,
    ],
    [
      "with a malformed file of a function's keys",
      { 'host.json': `{${master}}`, 'function.json': '{"keys":[{"name":"a"}]}' },
      /function\.json is not valid:\n {2}keys\.0\.value/,
    ],
  ])('%s', async (_, files, message) => {
    const folder = await mkdtemp(path.join(tmpdir(), 'secrets-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
    const error: unknown = await startHost('keys', SETTINGS, ['--secrets', folder]).then(
      (started) => started.kill(),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(HostStartError);
    expect((error as HostStartError).message).toMatch(message);
  });
});
