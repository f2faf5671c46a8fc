import type { CleanupSummary } from '../../shared/bundles/index.ts';

/** One line for the log; undefined when nothing happened. */
export function describeCleanup(summary: CleanupSummary): string | undefined {
  const { removed, deleted, retained, orphans, drafts, overdue, isCutOff, failed } = summary;
  const counts = [
    [removed, 'versions taken from readers'],
    [deleted, 'versions deleted'],
    [retained, 'retained by storage until later'],
    [orphans, 'blobs without a version deleted'],
    [drafts, 'abandoned drafts deleted'],
    [overdue, 'overdue rollouts woken'],
    [failed.length, 'failed (folders)'],
  ] as const;
  const happened = [
    ...counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`),
    ...(isCutOff ? ['the rest is left to the next run'] : []),
  ];
  return happened.length === 0 ? undefined : `Bundles: ${happened.join(', ')}.`;
}
