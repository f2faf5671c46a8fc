import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { executorFinder } from '../../../shared/executors/index.ts';
import type { PlannedAction } from '../../../shared/operations/index.ts';
import { executorParts, stepRequest } from '../../integration/executors/executor-fixture.ts';

const docs = await readFile('docs/executors.md', 'utf8');

/** The first block of a section: an action. */
function exampleOf(executor: string): Pick<PlannedAction, 'name' | 'executor' | 'command'> {
  const section = docs.split(/^## /m).find((text) => text.startsWith(`${executor}\n`)) ?? '';
  return JSON.parse(/```json\n(.*?)```/s.exec(section)?.[1] ?? 'null');
}

describe('the example of', () => {
  test.each(['http', 'terraform', 'consul-kv', 'vault'])(
    '%s has a command that is one of it',
    async (name) => {
      const { name: action, executor, command } = exampleOf(name);
      expect(executor).toBe(name);
      const found = await executorFinder(executorParts())(name);
      // Nobody listens at the port of "discard": what is called there has been understood.
      const request = stepRequest('create', command, {
        url: 'http://127.0.0.1:9',
        action: { name: action, executor },
      });
      expect(await found?.start(request)).toMatchObject({
        state: 'failed',
        isPassing: true,
        reason: expect.stringContaining('ECONNREFUSED'),
      });
    },
  );
});
