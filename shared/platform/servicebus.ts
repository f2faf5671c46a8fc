import type { ServiceBusClient } from '@azure/service-bus';

/**
 * A Service Bus client. The SDK is loaded at the first call, because most processes answer requests without
 * it, and it connects at the first use. Its own default is to wait 30 s before a retry, which leaves a link
 * dead for that long after the service was away for a moment.
 */
export async function connectServiceBus(connectionString: string): Promise<ServiceBusClient> {
  const { RetryMode, ServiceBusClient } = await import('@azure/service-bus');
  return new ServiceBusClient(connectionString, {
    retryOptions: {
      mode: RetryMode.Exponential,
      maxRetries: 4,
      retryDelayInMs: 200,
      maxRetryDelayInMs: 2_000,
    },
  });
}
