import { describe, expect, it } from 'vitest';
import { stepChanges } from '../../../shared/environments/commands/step-changes.ts';
import { environmentKey, resourceKey } from '../../../shared/environments/index.ts';
import type { StepValue } from '../../../shared/operations/index.ts';
import type { Json, StoredRecord } from '../../../shared/records/index.ts';

const NOW = Date.parse('2030-01-01T00:00:00Z');
const KEY = resourceKey('e', 't.r');
const FACTS = { name: 'new', tags: [], count: 1, links: [], statusEndpoints: [], dependencies: [] };
const STANDING = {
  ...{
    ...FACTS,
    name: 'old',
    template: { id: 't', version: 1, parameters: {} },
    outputs: { id: 7, keys: ['a'] },
  },
  ...{ createdOn: '2029-01-01T00:00:00Z', status: 'ok', statusSince: '2029-01-01T00:00:00Z' },
};

/** What the resource is after the end of a step, of version 2 of its template. */
function after(standing: object | undefined, step: Partial<StepValue>): Json | undefined {
  const stored = (key: string, value: object): [string, StoredRecord<Json>] => [
    key,
    { key, value: value as Json, revision: 1, createdAt: '', updatedAt: '' },
  ];
  const current = new Map([
    stored(environmentKey('e'), { templates: [{ id: 't', version: 2, parameters: {} }] }),
    ...(standing === undefined ? [] : [stored(KEY, standing)]),
  ]);
  const isMade = step.verb === 'create' || step.verb === 'update';
  const value: StepValue = {
    ...{ id: 's', verb: 'update', resource: 't.r', dependsOn: [], attempts: 1, log: [], state: 'failed' },
    ...(isMade && { memo: { resource: FACTS, template: 't' } }),
    ...step,
  };
  const [write] = stepChanges('e', value, current, NOW);
  return write?.decision.type === 'put' ? write.decision.value : undefined;
}

describe('a step that comes to nothing leaves with its resource what stands all the same', () => {
  const outputs = { keys: ['a', 'b'] };

  it.each(['failed', 'cancelled'] as const)('of a change (%s), and the resource else as it was', (state) => {
    expect(after(STANDING, { verb: 'update', state, outputs })).toMatchObject({
      ...{ name: 'old', template: { version: 1 }, status: 'failed', outputs: { id: 7, keys: ['a', 'b'] } },
    });
    expect(after(STANDING, { verb: 'update', state })).toMatchObject({ outputs: STANDING.outputs });
  });

  it('of an action that is run, or of what was to be made', () => {
    expect(after(STANDING, { verb: 'run', outputs })).toEqual({
      ...STANDING,
      outputs: { id: 7, keys: ['a', 'b'] },
    });
    expect(after(undefined, { verb: 'create', outputs })).toMatchObject({ status: 'failed', outputs });
  });
});
