import { ServiceBusClient } from '@azure/service-bus';
import { expect, onTestFinished, test } from 'vitest';
import { askServiceBus } from '../../../shared/platform/servicebus.ts';

const failing = (error: Error) => askServiceBus(() => Promise.reject(error));

test.each([
  { code: 'ServiceCommunicationProblem' },
  { code: 'ServiceTimeout' },
  { code: 'GeneralError', retryable: true },
  { name: 'AbortError' },
  { message: 'The underlying AMQP connection is closed.' },
])('a bus that cannot be reached is unavailable: %o', async (fault) => {
  const error = Object.assign(new Error('fault'), fault);
  await expect(failing(error)).rejects.toMatchObject({ kind: 'unavailable', cause: error });
});

test('what trying again cannot help passes through', async () => {
  const error = Object.assign(new Error('too large'), { code: 'MessageSizeExceeded', retryable: false });
  await expect(failing(error)).rejects.toBe(error);
});

test('a bus that nobody answers for is unavailable, though the SDK says that trying again cannot help', async () => {
  const client = new ServiceBusClient(
    'Endpoint=sb://127.0.0.1:1;SharedAccessKeyName=any;SharedAccessKey=any;UseDevelopmentEmulator=true;',
    { retryOptions: { maxRetries: 0 } },
  );
  onTestFinished(() => client.close());
  const sender = client.createSender('any');
  const calls = [
    () => sender.sendMessages({ body: 'now' }),
    () => sender.scheduleMessages({ body: 'later' }, new Date()),
  ];
  for (const call of calls) {
    await expect(askServiceBus<unknown>(call)).rejects.toMatchObject({
      kind: 'unavailable',
      cause: { retryable: false, syscall: 'connect' },
    });
  }
});

test('a bus of several addresses is unavailable where one of them cannot be reached', async () => {
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', syscall: 'connect' });
  await expect(failing(new AggregateError([refused]))).rejects.toMatchObject({ kind: 'unavailable' });
});

test('an error of this program passes through', async () => {
  const error = new TypeError('a mistake');
  await expect(failing(error)).rejects.toBe(error);
});
