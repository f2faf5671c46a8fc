import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { resolveSettings } from '../../../client/cli/connection-settings.ts';

let folder: string;
let env: Record<string, string>;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'skerry-settings-'));
  env = { XDG_CONFIG_HOME: path.join(folder, 'home') };
  mkdirSync(path.join(folder, 'home/skerry'), { recursive: true });
});

afterEach(() => rmSync(folder, { recursive: true }));

function write(file: string, content: unknown): void {
  writeFileSync(path.join(folder, file), typeof content === 'string' ? content : JSON.stringify(content));
}

describe('where the command line finds Skerry', () => {
  it('is the laptop, where nothing says otherwise', () => {
    expect(resolveSettings({ flags: {}, env, folder })).toEqual({
      server: 'http://127.0.0.1:7071',
      ns: 'default',
    });
  });

  it('is said by flags before the environment before the file, each thing by itself', () => {
    write('skerry.json', { server: 'http://file', ns: 'file', token: 'file' });
    expect(resolveSettings({ flags: {}, env, folder })).toEqual({
      server: 'http://file',
      ns: 'file',
      token: 'file',
    });
    const all = { ...env, SKERRY_URL: 'http://env', SKERRY_NS: 'env', SKERRY_TOKEN: '' };
    expect(resolveSettings({ flags: { ns: 'flag' }, env: all, folder })).toEqual({
      server: 'http://env',
      ns: 'flag',
      token: 'file',
    });
  });

  it('is said by the file that is named, else that of the folder, else that of the user, and never by two', () => {
    write('home/skerry/config.json', { server: 'http://home', token: 'secret' });
    expect(resolveSettings({ flags: {}, env, folder })).toMatchObject({
      server: 'http://home',
      token: 'secret',
    });
    write('skerry.json', { server: 'http://folder' });
    expect(resolveSettings({ flags: {}, env, folder })).toEqual({ server: 'http://folder', ns: 'default' });
    write('other.json', { ns: 'other' });
    expect(resolveSettings({ flags: { config: 'other.json' }, env, folder })).toMatchObject({
      server: 'http://127.0.0.1:7071',
      ns: 'other',
    });
  });

  it.each([
    ['a file that is not there', { config: 'none.json' }, undefined, /there is no file .*none\.json/],
    ['a file that is no JSON', {}, '{"token": secret}', /skerry\.json is not JSON\.$/],
    ['a file of something else', {}, [], /must hold an object/],
    ['a misspelt name', {}, { sever: 'http://x' }, /holds "sever"; it may hold "server", "ns" and "token"/],
    ['a token that is a number', {}, { token: 7 }, /"token" must be a text/],
    ['a server that is no URL', { server: 'localhost:7071' }, undefined, /must be a URL such as/],
    ['a password in a URL', { server: 'http://me:pw@x' }, undefined, /without a user or password/],
  ])('refuses %s', (_, flags, content, message) => {
    if (content !== undefined) write('skerry.json', content);
    expect(() => resolveSettings({ flags, env, folder })).toThrow(message);
  });
});
