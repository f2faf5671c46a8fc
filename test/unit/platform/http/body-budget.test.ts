import { expect, it } from 'vitest';
import { BodyBudget } from '../../../../shared/platform/http/index.ts';

it('lets in as many bytes at a time as there is room for, and one body however large it is', async () => {
  const budget = new BodyBudget(100);
  const first = Promise.withResolvers<string>();
  const held = budget.hold(60, () => first.promise);
  await expect(budget.hold(41, () => Promise.resolve('late'))).rejects.toMatchObject({
    kind: 'too-many-requests',
    retryAfterSeconds: 5,
  });
  expect(await budget.hold(40, () => Promise.resolve('fits'))).toBe('fits');
  first.resolve('done');
  expect(await held).toBe('done');
  await expect(budget.hold(500, () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(await budget.hold(500, () => Promise.resolve('alone'))).toBe('alone');
});
