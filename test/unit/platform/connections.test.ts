import { describe, expect, it } from 'vitest';
import { readSettings } from '../../../shared/platform/settings.ts';

const STRINGS = {
  SKERRY_COSMOS: 'AccountEndpoint=https://a.test/;AccountKey=a2V5',
  SKERRY_SERVICEBUS: 'Endpoint=sb://a.test/;SharedAccessKeyName=n;SharedAccessKey=k',
  SKERRY_BLOB: 'UseDevelopmentStorage=true',
};
const ENDPOINTS = {
  SKERRY_COSMOS__accountEndpoint: 'https://a.documents.azure.com:443/',
  SKERRY_SERVICEBUS__fullyQualifiedNamespace: 'a.servicebus.windows.net',
  SKERRY_BLOB__blobServiceUri: 'https://a.blob.core.windows.net',
};

describe('a connection', () => {
  it('is a connection string, or an endpoint and who the app is there', () => {
    expect(readSettings(STRINGS)).toMatchObject(STRINGS);
    const identity = {
      SKERRY_COSMOS__credential: 'managedIdentity',
      SKERRY_COSMOS__clientId: 'c',
      SKERRY_SERVICEBUS__credential: 'managedidentity',
    };
    expect(readSettings({ ...ENDPOINTS, ...identity, SKERRY_COSMOS: '' })).toMatchObject({
      SKERRY_COSMOS: { endpoint: 'https://a.documents.azure.com:443/', clientId: 'c' },
      SKERRY_SERVICEBUS: { endpoint: 'a.servicebus.windows.net' },
      SKERRY_BLOB: { endpoint: 'https://a.blob.core.windows.net' },
    });
  });

  it.each<[what: string, environment: Record<string, string>, said: string]>([
    [
      'nothing',
      { SKERRY_COSMOS: '', SKERRY_COSMOS__credential: 'managedidentity' },
      'set either SKERRY_COSMOS (a connection string) or SKERRY_COSMOS__accountEndpoint',
    ],
    ['both', { SKERRY_BLOB__blobServiceUri: 'https://a.test' }, 'SKERRY_BLOB: both are set: set either'],
    [
      'a credential beside a string',
      { SKERRY_BLOB__credential: 'x' },
      'SKERRY_BLOB__credential says nothing',
    ],
    ['a client beside a string', { SKERRY_BLOB__clientId: 'x' }, 'SKERRY_BLOB__clientId says nothing'],
    [
      'another credential',
      { ...ENDPOINTS, SKERRY_COSMOS: '', SKERRY_COSMOS__credential: 'password' },
      'SKERRY_COSMOS__credential must be "managedidentity"',
    ],
    [
      'an endpoint that tokens would reach in the open',
      { SKERRY_COSMOS: '', SKERRY_COSMOS__accountEndpoint: 'http://a.test/' },
      'SKERRY_COSMOS__accountEndpoint must be a URL such as https://',
    ],
    [
      'a URL for the bus',
      { SKERRY_SERVICEBUS: '', SKERRY_SERVICEBUS__fullyQualifiedNamespace: 'sb://a.test/' },
      'must be the name of a host such as NAME.servicebus.windows.net',
    ],
  ])('that says %s is refused with what to set', (_, environment, said) => {
    expect(() => readSettings({ ...STRINGS, ...environment })).toThrow(said);
  });
});
