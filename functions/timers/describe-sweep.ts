import type { SweepSummary } from '../../shared/records/index.ts';

/** One line for the log; undefined when nothing happened. */
export function describeSweep(summary: SweepSummary): string | undefined {
  const { expired, removed, advanced, collected, heldBack, postponed, failed } = summary;
  const counts = [
    [expired, 'expired'],
    [removed, 'removed'],
    [advanced, 'rollouts advanced'],
    [collected, 'leases collected'],
    [heldBack, 'held back by the guard'],
    [postponed, 'postponed (scopes)'],
    [failed.length, 'failed (scopes)'],
  ] as const;
  const happened = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return happened.length === 0 ? undefined : `Sweep: ${happened.join(', ')}.`;
}
