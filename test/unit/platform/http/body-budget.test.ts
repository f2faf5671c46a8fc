import { expect, it } from 'vitest';
import { BodyBudget } from '../../../../shared/platform/http/index.ts';

it('lets in as many bytes at a time as there is room for, and one body however large it is', async () => {
  const MiB = 1024 * 1024;
  const budget = new BodyBudget(100 * MiB);
  const first = Promise.withResolvers<string>();
  const held = budget.hold(60 * MiB, () => first.promise);
  await expect(budget.hold(41 * MiB, () => Promise.resolve('late'))).rejects.toMatchObject({
    kind: 'too-many-requests',
    retryAfterSeconds: 5,
  });
  expect(await budget.hold(40 * MiB, () => budget.hold(1_000, () => Promise.resolve('small')))).toBe('small');
  expect(await budget.hold(40 * MiB, () => Promise.resolve('fits'))).toBe('fits');
  first.resolve('done');
  expect(await held).toBe('done');
  await expect(budget.hold(500 * MiB, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await budget.hold(500 * MiB, () => Promise.resolve('alone'))).toBe('alone');
});
