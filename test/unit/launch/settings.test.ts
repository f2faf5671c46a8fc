import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { appEnvironment, LOCAL_SETTINGS } from '../../../infra/local/launch/app-settings.ts';
import {
  blobConnectionString,
  cosmosConnectionString,
  serviceBusConnectionString,
} from '../../../infra/local/launch/connection-strings.ts';
import { readSettings } from '../../../shared/platform/settings.ts';

/** Of no worth: it is in the example for whoever starts the functions by themselves. */
const SECRET_KEY = Buffer.from('local key of no worth, 32 bytes!').toString('base64');

const connections = {
  cosmos: cosmosConnectionString(8081),
  servicebus: serviceBusConnectionString(5672),
  blob: blobConnectionString(10000),
};

describe('the local settings', () => {
  test('are ones that the app accepts', () => {
    expect(readSettings(appEnvironment({}, connections, SECRET_KEY))).toMatchObject({
      SKERRY_LOCAL: true,
      SKERRY_COSMOS: connections.cosmos,
      SKERRY_FEED_POLL_MILLISECONDS: 20,
      SKERRY_SECRET_KEYS: [Buffer.from(SECRET_KEY, 'base64')],
    });
  });

  test("give way to the caller's environment, except for the connections", () => {
    const callers = {
      SKERRY_LOCAL: 'false',
      SKERRY_EXPIRED_GRACE_SECONDS: '2',
      SKERRY_SECRET_KEYS: 'their own',
      SKERRY_COSMOS: 'AccountEndpoint=x',
    };
    expect(appEnvironment(callers, connections, SECRET_KEY)).toMatchObject({
      SKERRY_LOCAL: 'false',
      SKERRY_EXPIRED_GRACE_SECONDS: '2',
      SKERRY_SECRET_KEYS: 'their own',
      SKERRY_COSMOS: connections.cosmos,
    });
  });

  test('are what the example for func start says', async () => {
    const { Values } = JSON.parse(await readFile('local.settings.example.json', 'utf8'));
    expect(Values).toEqual({
      ...appEnvironment({}, connections, SECRET_KEY),
      ...LOCAL_SETTINGS,
      AzureWebJobsStorage: 'UseDevelopmentStorage=true',
    });
  });
});
