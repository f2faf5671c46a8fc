import { describe, expect, it } from 'vitest';
import { hostJsonSchema } from '../../../infra/local/host/host-json.ts';
import { parseJson } from '../../../infra/local/host/read-json.ts';

const parse = (content: object) =>
  parseJson('host.json', JSON.stringify({ version: '2.0', ...content }), hostJsonSchema);

describe('host.json', () => {
  it("has the host's own defaults", () => {
    const { functionTimeout, extensions, logging, retry } = parse({ managedDependency: { enabled: true } });
    expect(functionTimeout).toBe(30 * 60_000);
    expect(extensions.http).toMatchObject({ routePrefix: 'api', maxConcurrentRequests: -1 });
    expect(extensions.serviceBus).toMatchObject({
      autoCompleteMessages: true,
      maxAutoLockRenewalDuration: 300_000,
    });
    expect(extensions.serviceBus).toMatchObject({
      maxConcurrentSessions: 8,
      maxConcurrentCallsPerSession: 1,
      sessionIdleTimeout: 60_000,
    });
    expect([logging.logLevel, retry]).toEqual([{}, undefined]);
  });

  it('has durations in milliseconds, and -1 for no timeout', () => {
    expect(parse({ functionTimeout: '01:00:00.5' }).functionTimeout).toBe(3_600_500);
    expect(parse({ functionTimeout: '-1' }).functionTimeout).toBe(Number.POSITIVE_INFINITY);
    const retry = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: '00:00:10' };
    expect(parse({ retry }).retry).toEqual({ ...retry, delayInterval: 10_000 });
  });

  it.each([
    [{ version: '1.0' }, 'version'],
    [{ functionTimeout: 'soon' }, 'functionTimeout: must be a duration'],
    [{ functionTimeout: '00:00:00' }, 'at least one second'],
    [{ logging: { logLevel: { default: 'Loud' } } }, 'logging.logLevel.default: Invalid option'],
    [{ extensions: { serviceBus: { maxConcurrentCalls: 0 } } }, 'extensions.serviceBus.maxConcurrentCalls'],
    [{ extensions: { serviceBus: { prefetchCount: 5 } } }, 'prefetchCount: only 0 is supported here'],
    [{ extensions: { serviceBus: { webProxy: 'p' } } }, 'serviceBus.webProxy: is not supported here'],
    [{ extensions: { serviceBus: { clientRetryOptions: {} } } }, 'clientRetryOptions: is not supported here'],
    [{ extensions: { serviceBus: { transportType: 'amqpWebSockets' } } }, "only 'amqpTcp' is supported"],
    [{ extensions: { serviceBus: { enableCrossEntityTransactions: true } } }, 'is not supported here'],
    [{ extensions: { http: { maxConcurrentRequests: 0 } } }, 'maxConcurrentRequests: must be positive'],
    [{ extensions: { http: { maxOutstandingRequests: -2 } } }, 'maxOutstandingRequests: Too small'],
    [{ extensions: { http: { hsts: { isEnabled: true } } } }, 'hsts.isEnabled: is not supported here'],
    [{ extensions: { http: { chunkedTransferEnabled: true } } }, 'is not supported here'],
    [{ concurrency: { dynamicConcurrencyEnabled: true } }, 'dynamicConcurrencyEnabled: is not supported'],
  ])('%j is refused', (content, message) => {
    expect(() => parse(content)).toThrow(message);
  });
});
