import { type Change, recordAfter, type StoredRecord } from '../../../shared/records/change.ts';
import type { Records } from '../../../shared/records/records.ts';
import type { Scope } from '../../../shared/records/scope.ts';

/** What a client of the log saw of one of its writes, and of the key before it. */
export interface Observation {
  /** Unique; stands as the actor of the change. */
  readonly actor: string;
  readonly key: string;
  /** Of the record that it read before it wrote; 0 where there was none. */
  readonly readRevision: number;
  /** The scope's revision at some time before that was read; it was read before `before`. */
  readonly beforeRead: number;
  /** Refuses unless this holds for the record's value; undefined for an unconditional write. */
  readonly condition: ((value: string | undefined) => boolean) | undefined;
  readonly outcome: 'committed' | 'refused' | 'unknown';
  /** Revision that the answer named, of a committed write. */
  readonly revision?: number;
  /** The scope's revision at some time before the write was sent, and at some time after its answer. */
  readonly before: number;
  readonly after: number;
}

/** All changes of a scope, each by a point read. */
export async function readHistory(records: Records, scope: Scope): Promise<Change<string>[]> {
  const history: Change<string>[] = [];
  for (let revision = 1; ; revision += 1) {
    const change = await records.readChange<string>(scope, revision);
    if (change === undefined) {
      return history;
    }
    history.push(change);
  }
}

/** The live records in key order after the first `revision` changes. */
export function foldHistory(
  history: readonly Change<string>[],
  revision = history.length,
): StoredRecord<string>[] {
  const state = new Map<string, StoredRecord<string>>();
  for (const change of history.slice(0, revision)) {
    const record = recordAfter(change);
    if (record === undefined) {
      state.delete(change.key);
    } else {
      state.set(change.key, record);
    }
  }
  return [...state.values()].sort((one, other) => (one.key < other.key ? -1 : 1));
}

/** Every broken promise of a history, as a sentence. */
export function findViolations(
  history: readonly Change<string>[],
  observations: readonly Observation[],
): string[] {
  return [...violationsOfChain(history), ...observations.flatMap((seen) => violationOf(seen, history))];
}

function violationsOfChain(history: readonly Change<string>[]): string[] {
  const violations: string[] = [];
  const newest = new Map<string, StoredRecord<string>>();
  const writers = new Map<string, Change<string>>();
  for (const [index, change] of history.entries()) {
    if (change.revision !== index + 1) {
      violations.push(`revision ${change.revision} stands at place ${index + 1}`);
    }
    const expected = newest.get(change.key);
    if (JSON.stringify(change.previous) !== JSON.stringify(expected)) {
      violations.push(
        `change ${change.revision} names ${JSON.stringify(change.previous)} as previous of ${change.key}, which was ${JSON.stringify(expected)}`,
      );
    }
    const sameWrite = writers.get(change.writeId);
    if (sameWrite !== undefined && !areOneTransaction(sameWrite, change)) {
      violations.push(
        `write ${change.writeId} stands twice, at ${sameWrite.revision} and ${change.revision}`,
      );
    }
    writers.set(change.writeId, change);
    const record = recordAfter(change);
    if (record === undefined) {
      newest.delete(change.key);
    } else {
      newest.set(change.key, record);
    }
  }
  return violations;
}

function areOneTransaction(one: Change<string>, next: Change<string>): boolean {
  const { first, last } = one.transaction ?? {};
  return (
    next.revision === one.revision + 1 &&
    next.transaction !== undefined &&
    next.transaction.first === first &&
    next.transaction.last === last
  );
}

function violationOf(seen: Observation, history: readonly Change<string>[]): string[] {
  if (!wasReadableAtSomeTime(seen, history)) {
    return [
      `${seen.actor} read ${seen.key} at ${seen.readRevision} between revisions ${seen.beforeRead} and ${seen.before}`,
    ];
  }
  const standing = history.filter((change) => change.actor === seen.actor);
  if (standing.length > 1) {
    return [`${seen.actor} stands ${standing.length} times`];
  }
  if (seen.outcome === 'committed' && standing[0]?.revision !== seen.revision) {
    return [`${seen.actor} was acknowledged at ${seen.revision} but stands at ${standing[0]?.revision}`];
  }
  if (seen.outcome === 'refused' && standing.length > 0) {
    return [`${seen.actor} was refused but stands at ${standing[0]?.revision}`];
  }
  if (seen.outcome === 'refused' && !wasRefusableAtSomeTime(seen, history)) {
    return [
      `${seen.actor} was refused although its condition held from revision ${seen.before} to ${seen.after}`,
    ];
  }
  if (seen.outcome === 'committed' && seen.condition !== undefined && seen.revision !== undefined) {
    const value = valueAt(history, seen.key, seen.revision - 1);
    return seen.condition(value) ? [] : [`${seen.actor} was committed on ${value}, against its condition`];
  }
  return [];
}

function wasReadableAtSomeTime(seen: Observation, history: readonly Change<string>[]): boolean {
  for (let revision = seen.beforeRead; revision <= seen.before; revision += 1) {
    const newest = history.slice(0, revision).findLast(({ key }) => key === seen.key);
    if ((newest?.value === undefined ? 0 : newest.revision) === seen.readRevision) {
      return true;
    }
  }
  return false;
}

function wasRefusableAtSomeTime(seen: Observation, history: readonly Change<string>[]): boolean {
  for (let revision = seen.before; revision <= seen.after; revision += 1) {
    if (seen.condition?.(valueAt(history, seen.key, revision)) === false) {
      return true;
    }
  }
  return false;
}

function valueAt(history: readonly Change<string>[], key: string, revision: number): string | undefined {
  return history.slice(0, revision).findLast((change) => change.key === key)?.value;
}
