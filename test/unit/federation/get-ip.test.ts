import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { gossipEndpoints } from '../../../functions/http/gossip.ts';
import { services } from '../../../functions/services.ts';
import { cosmosConnectionString } from '../../../infra/local/launch/connection-strings.ts';
import { createRouteHandlers } from '../../../shared/platform/http/index.ts';

beforeAll(() => {
  // Never connected to.
  vi.stubEnv('SKERRY_COSMOS', cosmosConnectionString(1));
  vi.stubEnv('SKERRY_SERVICEBUS', 'none');
  vi.stubEnv('SKERRY_BLOB', 'none');
  vi.stubEnv('SKERRY_LOCAL', 'true');
});

afterAll(() => {
  vi.unstubAllEnvs();
});

/** Calls GET /registry/get_ip as if a front end had written this header. */
async function getIp(forwardedFor?: string) {
  const app = services();
  const handlers = createRouteHandlers(gossipEndpoints, {
    services: app,
    access: app.access,
    settings: app.settings,
    random: app.random,
  });
  const handler = handlers.find(({ route }) => route === 'registry/get_ip');
  const request = new Request('http://skerry.test/registry/get_ip', {
    headers: forwardedFor === undefined ? {} : { 'X-Forwarded-For': forwardedFor },
  });
  return await handler?.handle(request, { traceparent: undefined, logError: () => {} });
}

describe('GET /registry/get_ip', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:4711', '203.0.113.7'],
    ['6.6.6.6, 203.0.113.7:4711', '203.0.113.7'],
    ['2001:db8::1', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['6.6.6.6, [2001:db8::1]:443', '2001:db8::1'],
  ])('finds in %s the address that the front end saw', async (forwardedFor, address) => {
    expect(await getIp(forwardedFor)).toMatchObject({ status: 200, body: address });
  });

  it.each([undefined, '', 'unknown', '203.0.113.7, ', '203.0.113.999'])(
    'answers 400 to %j, in which there is none',
    async (forwardedFor) => {
      expect(await getIp(forwardedFor)).toMatchObject({
        status: 400,
        headers: { 'Content-Type': 'text/plain; charset=utf-8' },
      });
    },
  );
});
