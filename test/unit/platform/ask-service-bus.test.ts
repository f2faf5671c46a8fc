import { expect, test } from 'vitest';
import { askServiceBus } from '../../../shared/platform/servicebus.ts';

const failing = (error: Error) => askServiceBus(() => Promise.reject(error));

test.each([
  { code: 'ServiceCommunicationProblem' },
  { code: 'ServiceTimeout' },
  { code: 'GeneralError', retryable: true },
  { name: 'AbortError' },
])('a bus that cannot be reached is unavailable: %o', async (fault) => {
  const error = Object.assign(new Error('fault'), fault);
  await expect(failing(error)).rejects.toMatchObject({ kind: 'unavailable', cause: error });
});

test('what trying again cannot help passes through', async () => {
  const error = Object.assign(new Error('too large'), { code: 'MessageSizeExceeded', retryable: false });
  await expect(failing(error)).rejects.toBe(error);
});
