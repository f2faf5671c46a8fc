import { describe, expect, it } from 'vitest';
import { cosmosConnectionString } from '../../../infra/local/launch/connection-strings.ts';
import { readSettings } from '../../../shared/platform/settings.ts';

const TENANT = '11111111-2222-3333-4444-555555555555';

const read = (more: Record<string, string>) =>
  readSettings({
    SKERRY_COSMOS: cosmosConnectionString(8081),
    SKERRY_SERVICEBUS: 'Endpoint=sb://x',
    SKERRY_BLOB: 'UseDevelopmentStorage=true',
    ...more,
  });

describe('the settings of access', () => {
  it('may be empty, which is as if they were not there', () => {
    const empty = {
      SKERRY_BOOTSTRAP_TOKEN_SHA256: '',
      SKERRY_ENTRA_TENANT: '',
      SKERRY_ENTRA_AUDIENCE: '',
      SKERRY_ENTRA_AUTHORITY: '',
      SKERRY_KEYVAULTS: '',
      AZURE_CLIENT_ID: '',
    };
    expect(read(empty)).toEqual(read({}));
    expect(read({})).toMatchObject({
      SKERRY_LEGACY_ACCESS: 'off',
      SKERRY_ENTRA_AUDIENCE: [],
      SKERRY_ENTRA_AUTHORITY: 'https://login.microsoftonline.com',
      WEBSITE_AUTH_ENABLED: false,
    });
  });

  it('are taken as they are meant', () => {
    const given = {
      SKERRY_LEGACY_ACCESS: '10.0.0.0/8, 192.0.2.7,2001:db8::/32',
      SKERRY_ENTRA_TENANT: TENANT.toUpperCase(),
      SKERRY_ENTRA_AUDIENCE: 'api://skerry, another',
      SKERRY_ENTRA_AUTHORITY: 'http://127.0.0.1:1/',
      SKERRY_KEYVAULTS: 'skerry-prod, payments',
      SKERRY_LOCAL: 'true',
      WEBSITE_AUTH_ENABLED: 'True',
    };
    expect(read(given)).toMatchObject({
      SKERRY_LEGACY_ACCESS: ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32'],
      SKERRY_ENTRA_TENANT: TENANT,
      SKERRY_ENTRA_AUDIENCE: ['api://skerry', 'another'],
      SKERRY_ENTRA_AUTHORITY: 'http://127.0.0.1:1',
      SKERRY_KEYVAULTS: ['skerry-prod', 'payments'],
      WEBSITE_AUTH_ENABLED: true,
    });
  });

  it.each<[name: string, more: Record<string, string>]>([
    ['SKERRY_LEGACY_ACCESS', { SKERRY_LEGACY_ACCESS: 'on' }],
    ['SKERRY_LEGACY_ACCESS', { SKERRY_LEGACY_ACCESS: '10.1' }],
    ['SKERRY_LEGACY_ACCESS', { SKERRY_LEGACY_ACCESS: '10.0.0.0/33' }],
    ['SKERRY_LEGACY_ACCESS', { SKERRY_LEGACY_ACCESS: '10.0.0.0/8,open' }],
    ['SKERRY_ENTRA_TENANT', { SKERRY_ENTRA_TENANT: 'contoso.onmicrosoft.com' }],
    ['SKERRY_ENTRA_TENANT', { SKERRY_ENTRA_AUDIENCE: 'api://skerry' }],
    ['SKERRY_ENTRA_AUTHORITY', { SKERRY_ENTRA_AUTHORITY: 'login' }],
    ['SKERRY_ENTRA_AUTHORITY', { SKERRY_ENTRA_AUTHORITY: 'http://127.0.0.1:1' }],
    ['SKERRY_ENTRA_AUTHORITY', { SKERRY_ENTRA_AUTHORITY: 'http://issuer.example', SKERRY_LOCAL: 'true' }],
  ])('%s is refused where it is %j', (name, more) => {
    expect(() => read(more)).toThrow(new RegExp(`\n  ${name}: must be`));
  });
});
