import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tokensOfCommand } from '../../../client/cli/access/token-command.ts';
import { resolveSettings } from '../../../client/cli/connection-settings.ts';
import { SkerryClient } from '../../../client/index.ts';

const { signal } = new AbortController();

describe('a command that prints tokens', () => {
  it('runs once for several calls, and its token goes with each', async () => {
    const command = `"${process.execPath}" -e "console.log('t' + process.pid)"`;
    const sent: (string | null)[] = [];
    const client = new SkerryClient({
      url: 'http://127.0.0.1:1',
      token: tokensOfCommand(command, { signal }),
      fetch: async (_, init) => {
        sent.push(new Headers(init?.headers).get('authorization'));
        return Response.json({ items: [] });
      },
    });
    await Promise.all([client.roles.list(), client.roles.list()]);
    await client.whoami();
    expect(sent).toHaveLength(3);
    expect(new Set(sent).size).toBe(1);
    expect(sent[0]).toMatch(/^Bearer t\d+$/);
  });

  it.each([
    ['echo "not signed in" >&2; exit 1', 'SKERRY_TOKEN_COMMAND failed: not signed in'],
    ['echo two words', 'SKERRY_TOKEN_COMMAND did not print a token and nothing else.'],
    ['true', 'SKERRY_TOKEN_COMMAND did not print a token and nothing else.'],
  ])('that fails says so, and no call is made: %s', async (command, message) => {
    const client = new SkerryClient({
      url: 'http://127.0.0.1:1',
      token: tokensOfCommand(command, { signal }),
      fetch: () => expect.unreachable(),
    });
    await expect(client.whoami()).rejects.toThrow(message);
  });

  it('is asked again after it failed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'skerry-token-'));
    const file = join(folder, 'token');
    const token = tokensOfCommand(`cat "${file}"`, { signal });
    await expect(token()).rejects.toThrow('SKERRY_TOKEN_COMMAND failed');
    await writeFile(file, 't1');
    await expect(token()).resolves.toBe('t1');
    await rm(folder, { recursive: true });
  });

  it('gives way to a token that is named, and goes before the one of a file', () => {
    const env = { HOME: '/nowhere', SKERRY_TOKEN_COMMAND: 'print it' };
    const resolve = (more: object, flags = {}) =>
      resolveSettings({ flags, env: { ...env, ...more }, folder: '/nowhere' });
    expect(resolve({})).toMatchObject({ tokenCommand: 'print it' });
    expect(resolve({ SKERRY_TOKEN: 't' })).toEqual({
      server: 'http://127.0.0.1:7071',
      ns: 'default',
      token: 't',
    });
    expect(resolve({}, { token: 't' })).not.toHaveProperty('tokenCommand');
  });
});
