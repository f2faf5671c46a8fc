import { isDeepStrictEqual } from 'node:util';
import type { Change, StoredRecord } from '../../../../shared/records/change.ts';
import { recordAfter } from '../../../../shared/records/change.ts';
import type { Delivered, History, WatchReport } from './watch-report.ts';

/** The contract of a watch, as etcd names it (tests/robustness/validate/watch.go), each property with what is wrong in a report. */
export const WATCH_PROPERTIES: Readonly<Record<string, (report: WatchReport, history: History) => string[]>> =
  {
    Ordered: findDisorder,
    Unique: findRepetitions,
    Atomic: findSplitTransactions,
    Reliable: findGaps,
    Resumable: findLostBeginnings,
    Bookmarkable: findBrokenBookmarks,
    'Previous value': findWrongPreviousValues,
    'Is-create': findWrongCreations,
    Filter: findUnwanted,
  };

/** Changes come in the order of their scope, and none is older than what the resync held of its key. */
function findDisorder(report: WatchReport): string[] {
  const newest = new Map<string, number>();
  const held = new Map(report.resync?.map(({ key, revision }) => [key, revision]));
  return allOf(report).flatMap((delivered) => {
    const { scope, change } = delivered;
    const isLate =
      change.revision < (newest.get(scope) ?? 0) || change.revision <= (held.get(change.key) ?? 0);
    newest.set(scope, Math.max(change.revision, newest.get(scope) ?? 0));
    return isLate ? [nameOf(delivered)] : [];
  });
}

function findRepetitions(report: WatchReport): string[] {
  const seen = new Set<string>();
  return allOf(report).flatMap((delivered) => {
    const name = nameOf(delivered);
    const isNew = !seen.has(name);
    seen.add(name);
    return isNew ? [] : [name];
  });
}

/** All wanted changes of a transaction come in one answer. */
function findSplitTransactions(report: WatchReport, history: History): string[] {
  return report.answers.flatMap(({ changes }) =>
    changes.flatMap(({ scope, change }) => {
      const { transaction } = change;
      if (transaction === undefined) {
        return [];
      }
      const wanted = wantedOf(report, history.get(scope)).filter(
        ({ revision }) => revision >= transaction.first && revision <= transaction.last,
      );
      const missing = wanted.filter(
        ({ revision }) =>
          !changes.some((other) => other.scope === scope && other.change.revision === revision),
      );
      return missing.map(({ revision }) => `${scope} ${revision} is not with ${change.revision}`);
    }),
  );
}

/** Between the first and the last change of a scope nothing that is wanted is missing. */
function findGaps(report: WatchReport, history: History): string[] {
  return [...revisionsOf(report)].flatMap(([scope, revisions]) => {
    const first = Math.min(...revisions);
    const last = Math.max(...revisions);
    return wantedOf(report, history.get(scope))
      .filter(({ revision }) => revision > first && revision < last && !revisions.has(revision))
      .map(({ revision }) => `${scope} ${revision}`);
  });
}

/**
 * A resync holds exactly what there was at some revision of each scope, and the first change that comes is the first that is
 * wanted behind it.
 */
function findLostBeginnings(report: WatchReport, history: History): string[] {
  const revisions = revisionsOf(report);
  return [...history].flatMap(([scope, changes]) => {
    const start = startOf(report, changes);
    if (start === undefined) {
      return [`the resync holds what ${scope} never held`];
    }
    const first = Math.min(...(revisions.get(scope) ?? [0]));
    return wantedOf(report, changes)
      .filter(({ revision }) => revision > start && revision < first)
      .map(({ revision }) => `${scope} ${revision} before ${first}`);
  });
}

/** Where an answer says how far it leads, all before has come by then, and nothing before comes later. */
function findBrokenBookmarks(report: WatchReport, history: History): string[] {
  return report.answers.flatMap((answer, index) => {
    const before = revisionsOf({ ...report, answers: report.answers.slice(0, index + 1) });
    const later = revisionsOf({ ...report, answers: report.answers.slice(index + 1) });
    return [...history].flatMap(([scope, changes]) => {
      const start = startOf(report, changes) ?? 0;
      const bookmark = answer.isComplete === true ? Number.POSITIVE_INFINITY : (answer.revision ?? 0);
      const missing = wantedOf(report, changes).filter(
        ({ revision }) =>
          revision > start && revision <= bookmark && !(before.get(scope)?.has(revision) ?? false),
      );
      const tooLate = [...(later.get(scope) ?? [])].filter((revision) => revision <= bookmark);
      return [
        ...missing.map(({ revision }) => `${scope} ${revision} is missing at bookmark ${bookmark}`),
        ...tooLate.map((revision) => `${scope} ${revision} comes after bookmark ${bookmark}`),
      ];
    });
  });
}

function findWrongPreviousValues(report: WatchReport, history: History): string[] {
  return allOf(report).flatMap((delivered) => {
    const before = recordBefore(delivered, history);
    return isDeepStrictEqual(delivered.change.previous, before) ? [] : [nameOf(delivered)];
  });
}

/** A change has no previous record exactly where it creates its record. */
function findWrongCreations(report: WatchReport, history: History): string[] {
  return allOf(report).flatMap((delivered) => {
    const { change } = delivered;
    const creates = change.type === 'put' && recordBefore(delivered, history) === undefined;
    const saysSo = change.value !== undefined && change.previous === undefined;
    return creates === saysSo ? [] : [nameOf(delivered)];
  });
}

function findUnwanted(report: WatchReport): string[] {
  return allOf(report).flatMap((delivered) => {
    const isWanted = delivered.ns === report.ns && matches(report, delivered.change);
    return isWanted ? [] : [nameOf(delivered)];
  });
}

function allOf({ answers }: WatchReport): readonly Delivered[] {
  return answers.flatMap(({ changes }) => changes);
}

function revisionsOf(report: WatchReport): Map<string, Set<number>> {
  const revisions = new Map<string, Set<number>>();
  for (const { scope, change } of allOf(report)) {
    revisions.set(scope, (revisions.get(scope) ?? new Set()).add(change.revision));
  }
  return revisions;
}

/**
 * The revision of a scope behind which a watch has to deliver: where it began, or the newest at which the scope was as the resync
 * has it; undefined where it never was.
 */
function startOf(report: WatchReport, changes: readonly Change<unknown>[]): number | undefined {
  const { since, resync, resyncRevision } = report;
  if (resync === undefined) {
    return since ?? 0;
  }
  const keys = new Set(changes.map(({ key }) => key));
  const held = resync.filter(({ key }) => keys.has(key)).map((record) => [record.key, record] as const);
  const fits = (revision: number) => isDeepStrictEqual(stateAt(report, changes, revision), new Map(held));
  const revisions =
    resyncRevision === undefined ? [0, ...changes.map(({ revision }) => revision)] : [resyncRevision];
  return revisions.findLast(fits);
}

function stateAt(
  report: WatchReport,
  changes: readonly Change<unknown>[],
  revision: number,
): Map<string, unknown> {
  const state = new Map<string, unknown>();
  for (const change of changes.filter(
    (own) => own.revision <= revision && isCovered(report.prefix, own.key),
  )) {
    const record = recordAfter(change);
    if (record === undefined) {
      state.delete(change.key);
    } else {
      state.set(change.key, record);
    }
  }
  return state;
}

function wantedOf(report: WatchReport, changes: readonly Change<unknown>[] = []): readonly Change<unknown>[] {
  return changes.filter((change) => matches(report, change));
}

/** By a rule of the test's own, so that it would find a fault in the product's. */
function matches({ prefix, types }: WatchReport, change: Change<unknown>): boolean {
  return (types === undefined || types.includes(change.type)) && isCovered(prefix, change.key);
}

function isCovered(prefix: string, key: string): boolean {
  const above = prefix.endsWith('/') ? prefix : `${prefix}/`;
  return (key === prefix && !prefix.endsWith('/')) || (key.startsWith(above) && key !== above);
}

function recordBefore({ scope, change }: Delivered, history: History): StoredRecord<unknown> | undefined {
  const before = history
    .get(scope)
    ?.findLast(({ key, revision }) => key === change.key && revision < change.revision);
  return before && recordAfter(before);
}

function nameOf({ scope, change }: Delivered): string {
  return `${scope} ${change.revision}`;
}
