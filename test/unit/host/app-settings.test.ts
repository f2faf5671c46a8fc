import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AppSettings, readLocalSettings } from '../../../infra/local/host/app-settings.ts';

describe('app settings', () => {
  it('replace %NAME% wherever it stands, ignoring case', () => {
    const settings = new AppSettings({ STAGE: 'test', Queue: 'q' });
    expect(settings.resolve('%queue%-%STAGE%')).toBe('q-test');
    expect(settings.resolve('100 %')).toBe('100 %');
    expect(() => settings.resolve('%MISSING%')).toThrow("'MISSING' is missing");
  });

  it('look a connection up with the prefix first, and among the connection strings first', () => {
    const values = {
      BUS: '4',
      'ConnectionStrings:BUS': '3',
      AzureWebJobsBUS: '2',
      ConnectionStrings__AzureWebJobsBUS: '1',
    };
    const found: unknown[] = [];
    const rest: Record<string, string> = { ...values };
    for (const name of Object.keys(values).reverse()) {
      found.push(new AppSettings(rest).connection('BUS', 'fullyQualifiedNamespace'));
      delete rest[name];
    }
    expect(found).toEqual(['1', '2', '3', '4']);
    const identity = { BUS__fullyQualifiedNamespace: 'bus.test', BUS__clientId: 'me' };
    expect(new AppSettings(identity).connection('BUS', 'fullyQualifiedNamespace')).toEqual({
      endpoint: 'bus.test',
      clientId: 'me',
    });
    expect(() => new AppSettings({}).connection('BUS', 'fullyQualifiedNamespace')).toThrow(
      "setting 'BUS' is missing",
    );
  });

  it.each([
    ['AzureWebJobs.work.Disabled', 'true', true],
    ['AzureWebJobs_Work_Disabled', '1', true],
    ['AzureWebJobs.work.Disabled', 'false', false],
    ['AzureWebJobs.other.Disabled', 'true', false],
  ])('%s = %s disables: %s', (name, value, disabled) => {
    expect(new AppSettings({ [name]: value }).isDisabled('work')).toBe(disabled);
  });
});

it('local.settings.json may not ask for CORS, which would be left out without a word', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'settings-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const write = (host: object) =>
    writeFile(path.join(folder, 'local.settings.json'), `\uFEFF${JSON.stringify({ Host: host })}`);
  await write({ CORS: '*' });
  await expect(readLocalSettings(folder)).rejects.toThrow('Host.CORS: CORS is not supported here');
  await write({ LocalHttpPort: 7071 });
  expect(await readLocalSettings(folder)).toEqual({});
});
