import { describe, expect, it } from 'vitest';
import { AppSettings } from '../../../infra/local/host/app-settings.ts';

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
    const found: string[] = [];
    const rest: Record<string, string> = { ...values };
    for (const name of Object.keys(values).reverse()) {
      found.push(new AppSettings(rest).connection('BUS'));
      delete rest[name];
    }
    expect(found).toEqual(['1', '2', '3', '4']);
    expect(() => new AppSettings({}).connection('BUS')).toThrow("setting 'BUS' is missing");
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
