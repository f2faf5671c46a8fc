import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { readSettings } from '../../../shared/platform/settings.ts';
import { bicepFaults, MAIN } from './bicep-faults.ts';
import { parseBicep } from './bicep-file.ts';
import { declarationFaults, settingValues } from './declaration-faults.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const folder = path.join(root, 'infra/azure');
const sources = new Map(
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.bicep'))
    .map((name) => [name.replaceAll(path.sep, '/'), readFileSync(path.join(folder, name), 'utf8')]),
);
const files = new Map([...sources].map(([name, text]) => [name, parseBicep(text)]));
const functions = functionNames();

/** Of those that are not HTTP, which share their instances. */
function functionNames(): string[] {
  const groups = ['changefeed', 'servicebus', 'timers'];
  return groups.flatMap((group) => {
    const text = readFileSync(path.join(root, 'functions', group, 'index.ts'), 'utf8');
    return [...text.matchAll(/app\.\w+\('([^']+)'/g)].map(([, name = '']) => name);
  });
}

function faultsOf(changed = files): string[] {
  return [...bicepFaults(changed), ...declarationFaults(changed, functions)];
}

test('the deployment is sound, and declares what the code uses and nothing else', () => {
  expect(faultsOf()).toEqual([]);
});

test('with the settings that it gives the app starts', () => {
  const values = settingValues(files, {
    cosmosEndpoint: 'https://cosmos-abc.documents.azure.com:443/',
    serviceBusHost: 'sb-abc.servicebus.windows.net',
    blobEndpoint: 'https://stabc.blob.core.windows.net/',
    identityClientId: '9e8b7ac6-0d4d-44a1-9b51-1d20d0c6f2b5',
  });
  expect(() => readSettings(values)).not.toThrow();
});

/** One change to one file, and what has to be said of it. */
const MUTATIONS: readonly (readonly [string, string, string, RegExp])[] = [
  [MAIN, 'import { settings }', 'import { setting }', /settings.bicep exports no setting\b/],
  ['modules/bus.bicep', 'maxDeliveryCount: 100\n', 'maxDeliveryCount: 10\n', /not in Bicep: .*deliveries/],
  ['modules/bus.bicep', 'hasSessions: true', 'hasSessions: false', /not in the code: .*commands/],
  ['modules/bus.bicep', 'requiresSession: declared.hasSessions', '', /queue has no "requiresSession/],
  ['modules/bus.bicep', "'P7D'", "'P1D'", /not in Bicep: .*notifications/],
  [
    'modules/bus.bicep',
    'disableLocalAuth: true',
    'disableLocalAuth: false',
    /namespace has no "disableLocalAuth/,
  ],
  ['modules/bus.bicep', '4f6d3b9b', '4f6d3b9c', /is no known role/],
  ['modules/bus.bicep', 'principalId: principalId\n', "principalId: 'x'\n", /maySend is of somebody else/],
  [
    'modules/bus.bicep',
    "@description('Principal of the app",
    "@metadata('Principal of the app",
    /principalId is not described/,
  ],
  ['modules/bus.bicep', 'output id string', 'output ident string', /bus puts out no id/],
  ['modules/database.bicep', "'/milestone/?'\n", '', /not in Bicep: .*milestone/],
  [
    'modules/database.bicep',
    "partitionKey: '/subscription'",
    "partitionKey: '/id'",
    /not in Bicep: .*subscription/,
  ],
  [
    'modules/database.bicep',
    'defaultTimeToLive: -1',
    'defaultTimeToLive: null',
    /not in Bicep: .*deliveries/,
  ],
  ['modules/database.bicep', "id: 'leases'", "id: 'lease'", /not in the code: .*"lease"/],
  ['modules/database.bicep', "name: 'skerry'", "name: 'Skerry'", /database has no "name: 'skerry'"/],
  ['modules/database.bicep', 'disableLocalAuth: true', '', /account has no "disableLocalAuth/],
  ['modules/database.bicep', 'isServerless ?', 'isServerles ?', /isServerles is declared nowhere/],
  ['modules/database.bicep', '@2024-11-15', '@2024-11', /of no known form/],
  ['modules/database.bicep', 'fail(', 'fails(', /fails is no known function/],
  ['modules/database.bicep', 'isServerless && hasSecondRegion', 'false', /is not refused/],
  ['modules/database.bicep', "'Strong'", "'Session'", /consistency is not Strong/],
  [
    'modules/storage.bicep',
    'output id string = account.id',
    'output id string = account.listKeys().keys[0].value',
    /listKeys is no known function/,
  ],
  [
    'modules/function-app.bicep',
    "'@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/skerry-secret-keys)'",
    'vaultUri',
    /SKERRY_SECRET_KEYS is no reference/,
  ],
  ['modules/storage.bicep', "  'drafts'\n", '', /not in Bicep: "drafts"/],
  ['modules/storage.bicep', 'allowSharedKeyAccess: false', 'allowSharedKeyAccess: true', /take keys/],
  [
    'modules/function-app.bicep',
    'function:servicebus-deliver',
    'function:servicebus-delivery',
    /no function servicebus-delivery/,
  ],
  [
    'modules/function-app.bicep',
    'SKERRY_COSMOS__accountEndpoint',
    'SKERRY_COSMOS__endpoint',
    /SKERRY_COSMOS__endpoint is read by nobody/,
  ],
  ['modules/function-app.bicep', 'allow: false', 'allow: true', /noPasswords has no "allow: false"/],
  ['modules/vault.bicep', 'isClosed ?', 'isOpen ?', /isOpen is declared nowhere/],
  [
    MAIN,
    'SKERRY_KEYVAULTS: referableVaults',
    'SKERRY_KEYVAULTS: keyVaults',
    /may refer to the vault that holds the keys/,
  ],
  ['settings.bicep', '  SKERRY_RETENTION_DAYS: string?\n', '', /SKERRY_RETENTION_DAYS is not in Bicep/],
  [
    MAIN,
    'SKERRY_PUBLIC_URL: publicUrl',
    'SKERRY_PUBLIC_URI: publicUrl',
    /SKERRY_PUBLIC_URI is read by nobody/,
  ],
  [MAIN, 'tier: serviceBusTier', 'sku: serviceBusTier', /bus is not given tier/],
  [MAIN, "'modules/workbook.bicep'", "'modules/workbooks.bicep'", /modules\/workbook.bicep is not used/],
  [MAIN, 'vault.outputs.uri', 'vault.outputs.url', /vault puts out no url/],
  [MAIN, "param publicUrl string = ''", "param publicUrl string = '", /main.bicep: line/],
  [MAIN, 'isClosed: privateNetwork\n', 'isClosed: privateNetwork)\n', /main.bicep: line/],
];

describe('a change for the worse is found', () => {
  test.each(MUTATIONS)('%s: %j -> %j', (name, from, to, fault) => {
    const text = sources.get(name) ?? '';
    expect(text).toContain(from);
    const changed = new Map(files).set(name, parseBicep(text.replace(from, () => to)));
    expect(faultsOf(changed).join('\n')).toMatch(fault);
  });
});
