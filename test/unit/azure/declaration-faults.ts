import { isDeepStrictEqual } from 'node:util';
import { SETTING_NAMES } from '../../../shared/platform/settings.ts';
import {
  BLOB_CONTAINERS,
  CONNECTION_ENDPOINTS,
  CONNECTIONS,
  COSMOS_CONTAINERS,
  COSMOS_DATABASE,
  IDENTITY_SETTINGS,
  SERVICE_BUS_QUEUES,
  SERVICE_BUS_TOPICS,
} from '../../../shared/platform/topology.ts';
import { type BicepFiles, MAIN } from './bicep-faults.ts';
import { type BicepFile, Expression } from './bicep-file.ts';

const APP = 'modules/function-app.bicep';
const SETTINGS = 'settings.bicep';
const DATABASE = 'modules/database.bicep';
const BUS = 'modules/bus.bicep';
const STORAGE = 'modules/storage.bicep';

/** What the platform, the host and SDKs read. */
const PLATFORM_SETTINGS: readonly string[] = [
  'AZURE_CLIENT_ID',
  'AzureWebJobsStorage__blobServiceUri',
  'AzureWebJobsStorage__credential',
  'AzureWebJobsStorage__clientId',
  'APPLICATIONINSIGHTS_CONNECTION_STRING',
  'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
];

/** What the app reads and no deployment sets: those of a laptop, and those that the platform sets itself. */
const NOT_DEPLOYED: ReadonlySet<string> = new Set(['SKERRY_LOCAL', 'SKERRY_AUTH']);

const SECRETS = ['SKERRY_SECRET_KEYS', 'SKERRY_EXECUTOR_CREDENTIALS'] as const;

/** Keys and passwords, by the resource that has a switch for them. */
const SWITCHES = {
  'Microsoft.DocumentDB/databaseAccounts': [
    'disableLocalAuth: true',
    'disableKeyBasedMetadataWriteAccess: true',
  ],
  'Microsoft.ServiceBus/namespaces': ['disableLocalAuth: true', "minimumTlsVersion: '1.2'"],
  'Microsoft.Insights/components': ['DisableLocalAuth: true'],
  'Microsoft.OperationalInsights/workspaces': ['disableLocalAuth: true'],
  'Microsoft.KeyVault/vaults': ['enableRbacAuthorization: true'],
  'Microsoft.Storage/storageAccounts': ['properties: protection'],
  'Microsoft.Web/sites': ['httpsOnly: true'],
  'Microsoft.Web/sites/basicPublishingCredentialsPolicies': ['allow: false', "['scm', 'ftp']"],
} as const;

/**
 * Where the deployment and the code differ: entities and their properties, settings, functions.
 *
 * @param functions names of those that there are.
 */
export function declarationFaults(files: BicepFiles, functions: readonly string[]): string[] {
  return [
    ...entityFaults(files),
    ...settingFaults(files),
    ...functionFaults(files, functions),
    ...switchFaults(files),
  ];
}

function entityFaults(files: BicepFiles): string[] {
  const containers = Object.values(COSMOS_CONTAINERS).map((container) => ({
    defaultTimeToLive: null,
    ...container,
  }));
  const database = files.get(DATABASE);
  const bus = files.get(BUS);
  return [
    ...differences(database, 'containers', containers),
    ...differences(bus, 'queues', Object.values(SERVICE_BUS_QUEUES)),
    ...differences(bus, 'topics', Object.values(SERVICE_BUS_TOPICS)),
    ...differences(files.get(STORAGE), 'containers', [...BLOB_CONTAINERS]),
    ...bodyFaults(database, 'container', [
      'name: declared.id',
      'id: declared.id',
      'declared.partitionKey',
      'includedPaths: map(declared.indexedPaths, path => { path: path })',
      "path: '/*'",
      '{ defaultTtl: declared.defaultTimeToLive }',
    ]),
    ...bodyFaults(database, 'account', [
      'for (region, index) in regions',
      'consistencyPolicy: consistency',
      "capabilities: isServerless ? [{ name: 'EnableServerless' }] : []",
    ]),
    ...regionFaults(database),
    ...bodyFaults(database, 'database', [`name: '${COSMOS_DATABASE}'`, `id: '${COSMOS_DATABASE}'`]),
    ...bodyFaults(bus, 'queue', [
      'name: declared.name',
      'lockDuration: declared.lockDuration',
      'requiresDuplicateDetection: true',
      'duplicateDetectionHistoryTimeWindow: declared.duplicateDetectionWindow',
      'maxDeliveryCount: declared.maxDeliveryCount',
      'requiresSession: declared.hasSessions',
    ]),
    ...bodyFaults(bus, 'topic', [
      'name: declared.name',
      'requiresDuplicateDetection: true',
      'duplicateDetectionHistoryTimeWindow: declared.duplicateDetectionWindow',
      'defaultMessageTimeToLive: declared.messageTimeToLive',
    ]),
  ];
}

/** A serverless account with a second region has to fail, and each number of regions has its consistency. */
function regionFaults(file: BicepFile | undefined): string[] {
  const textOf = (name: string) => {
    const value = file?.variables.get(name);
    return value instanceof Expression ? value.text.replaceAll(/\s+/g, ' ') : '';
  };
  return [
    ...(/^isServerless && hasSecondRegion \? fail\(/.test(textOf('regions'))
      ? []
      : ['serverless with a second region is not refused']),
    ...(/^hasSecondRegion \? .*'BoundedStaleness'.* : .*'Strong'/.test(textOf('consistency'))
      ? []
      : ['consistency is not Strong in one region, and Bounded Staleness in two']),
  ];
}

function differences(file: BicepFile | undefined, variable: string, declared: readonly unknown[]): string[] {
  const found = file?.variables.get(variable);
  const inBicep: readonly unknown[] = Array.isArray(found) ? found : [];
  const isIn = (one: unknown, others: readonly unknown[]) =>
    others.some((other) => isDeepStrictEqual(one, other));
  return [
    ...declared.filter((one) => !isIn(one, inBicep)).map((one) => `not in Bicep: ${JSON.stringify(one)}`),
    ...inBicep.filter((one) => !isIn(one, declared)).map((one) => `not in the code: ${JSON.stringify(one)}`),
  ];
}

function bodyFaults(file: BicepFile | undefined, symbol: string, lines: readonly string[]): string[] {
  const text = file?.resources.find((resource) => resource.symbol === symbol)?.text ?? '';
  return lines.filter((line) => !text.includes(line)).map((line) => `${symbol} has no "${line}"`);
}

function settingFaults(files: BicepFiles): string[] {
  const connections = (Object.keys(CONNECTIONS) as (keyof typeof CONNECTIONS)[]).flatMap((service) =>
    [CONNECTION_ENDPOINTS[service], IDENTITY_SETTINGS.credential, IDENTITY_SETTINGS.clientId].map(
      (part) => `${CONNECTIONS[service]}__${part}`,
    ),
  );
  const ofApp = SETTING_NAMES.filter(
    (name) =>
      !NOT_DEPLOYED.has(name) &&
      !name.startsWith('WEBSITE_') &&
      !PLATFORM_SETTINGS.includes(name) &&
      !Object.values<string>(CONNECTIONS).includes(name),
  );
  const wanted = new Set([...ofApp, ...connections, ...PLATFORM_SETTINGS]);
  const found = deployedSettings(files);
  const app = files.get(APP)?.text ?? '';
  const main = files.get(MAIN)?.text ?? '';
  return [
    ...(/SKERRY_KEYVAULTS: referableVaults$/m.test(main) &&
    /contains\(toLower\(keyVaults\), vaultName\)\n +\? fail\(/.test(main)
      ? []
      : ['configurations may refer to the vault that holds the keys']),
    ...SECRETS.filter((name) => !app.includes(`${name}: '@Microsoft.KeyVault(SecretUri=`)).map(
      (name) => `${name} is no reference to the vault`,
    ),
    ...[...wanted].filter((name) => !found.has(name)).map((name) => `${name} is not in Bicep`),
    ...[...found].filter((name) => !wanted.has(name)).map((name) => `${name} is read by nobody`),
  ];
}

/** Settings of the app that the files name: those of its module, those that main.bicep gives, and those that its type lets through. */
function deployedSettings(files: BicepFiles): Set<string> {
  const key = /^\s*(?:\{ )?((?:SKERRY|WEBSITE|AzureWebJobs|APPLICATIONINSIGHTS|FUNCTIONS|OTEL|AZURE)\w*): /gm;
  const ofApp = [...(files.get(APP)?.text.matchAll(key) ?? [])].map(([, name = '']) => name);
  const main = files.get(MAIN);
  const given = /settings: union\([\s\S]*?\n {4}\)\n/.exec(main?.text ?? '')?.[0] ?? '';
  const ofMain = [...given.matchAll(key)].map(([, name = '']) => name);
  return new Set([...ofApp, ...ofMain, ...(files.get(SETTINGS)?.types.get('settings')?.keys() ?? [])]);
}

/** Functions that always have instances have to be there by that name, or nobody waits. */
function functionFaults(files: BicepFiles, functions: readonly string[]): string[] {
  const named = [...(files.get(APP)?.text.matchAll(/'function:([^']*)'/g) ?? [])].map(
    ([, name = '']) => name,
  );
  return named.filter((name) => !functions.includes(name)).map((name) => `there is no function ${name}`);
}

function switchFaults(files: BicepFiles): string[] {
  const resources = [...files.values()].flatMap((file) => file.resources);
  const protection = files.get(STORAGE)?.variables.get('protection') as Record<string, unknown> | undefined;
  const isClosed = protection?.allowSharedKeyAccess === false && protection.allowBlobPublicAccess === false;
  return [
    ...Object.entries(SWITCHES).flatMap(([type, lines]) => {
      const those = resources.filter((resource) => resource.type === type);
      if (those.length === 0) return [`there is no ${type}`];
      return those.flatMap(({ symbol, text }) =>
        lines.filter((line) => !text.includes(line)).map((line) => `${symbol} has no "${line}"`),
      );
    }),
    ...(isClosed ? [] : ['storage accounts take keys, or anybody']),
  ];
}

/** What is literal in one of the settings of the app; for an expression, what a deployment might make of it. */
export function settingValues(
  files: BicepFiles,
  made: Readonly<Record<string, string>>,
): Record<string, string> {
  const app = files.get(APP);
  const groups = ['connectionSettings', 'platformSettings'].map(
    (name) => app?.variables.get(name) as Record<string, unknown> | undefined,
  );
  return Object.fromEntries(
    groups.flatMap((group) =>
      Object.entries(group ?? {}).map(([name, value]) => [
        name,
        value instanceof Expression ? (made[value.text] ?? value.text) : String(value),
      ]),
    ),
  );
}
