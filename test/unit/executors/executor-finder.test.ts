import { expect, test } from 'vitest';
import { type ExecutorParts, executorFinder } from '../../../shared/executors/index.ts';
import { executorParts } from '../../integration/executors/executor-fixture.ts';

const parts: ExecutorParts = executorParts();

test.each(['http', 'terraform', 'consul-kv', 'vault'])('%s is found, and made once', async (name) => {
  const find = executorFinder(parts);
  const found = await find(name);
  expect(found?.start).toBeTypeOf('function');
  expect(await find(name)).toBe(found);
});

test.each(['', 'ftp', 'constructor', '__proto__'])('there is no executor %j', async (name) => {
  expect(await executorFinder(parts)(name)).toBeUndefined();
});
