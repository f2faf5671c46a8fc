import { expect } from 'vitest';
import type { CosmosServer } from '../../../infra/local/cosmos/server.ts';

/** Has some batches fail before or after their commit, so that their writers cannot know. */
export const LOST_ANSWERS = [
  { match: { operation: 'batch' }, probability: 0.15, action: { kind: 'drop-before' } },
  { match: { operation: 'batch' }, probability: 0.15, action: { kind: 'drop-after' } },
  { match: { operation: 'batch' }, probability: 0.1, action: { kind: 'delay', ms: 15 } },
  { match: { operation: 'batch' }, probability: 0.05, action: { kind: 'status', status: 503 } },
];

/** Replaces the rules by which the emulator fails; none ends them. */
export async function injectFaults({ endpoint }: CosmosServer, rules: readonly object[]): Promise<void> {
  const response = await fetch(new URL('/_skerry/faults', endpoint), {
    method: 'PUT',
    body: JSON.stringify({ rules }),
  });
  expect(response.ok).toBe(true);
}
