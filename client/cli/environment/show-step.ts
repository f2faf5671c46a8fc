import type { OperationStep } from '../../operations/operation.ts';
import { oneLine } from '../one-line.ts';

const STATE_WIDTH = 'succeeded'.length;
const VERB_WIDTH = 'destroy'.length;
/** Wider names push the rest of their own line to the right, and no other. */
const WIDEST_NAME = 40;

/** How wide the column of names has to be for these steps. */
export function nameWidthOf(steps: readonly OperationStep[]): number {
  return Math.min(WIDEST_NAME, Math.max(0, ...steps.map((step) => nameOf(step).length)));
}

/** A step in one line: what it is about, how it stands, and why. */
export function showStep(step: OperationStep, nameWidth: number): string {
  const { state, verb, executor, attempts } = step;
  const facts = [
    executor,
    timeOf(step),
    attempts > 1 ? `attempt ${attempts}` : undefined,
    state === 'waiting' && attempts > 0 ? `again at ${step.nextAt ?? 'once'}` : undefined,
    state === 'succeeded' ? undefined : step.error,
    state === 'running' ? step.log.at(-1) : undefined,
  ];
  return [
    (isRetried(step) ? 'retry' : state).padEnd(STATE_WIDTH),
    verb.padEnd(VERB_WIDTH),
    nameOf(step).padEnd(nameWidth),
    ...facts.filter((fact) => fact !== undefined).map(oneLine),
  ]
    .join('  ')
    .trimEnd();
}

/** Whether a failed attempt will be followed by another. */
export function isRetried({ state, attempts }: OperationStep): boolean {
  return (state === 'waiting' || state === 'ready') && attempts > 0;
}

function nameOf({ id, resource }: OperationStep): string {
  return oneLine(resource ?? id);
}

function timeOf({ startedAt, endedAt }: OperationStep): string | undefined {
  return startedAt === undefined || endedAt === undefined ? undefined : showDuration(startedAt, endedAt);
}

/** The time between two RFC 3339 times. */
export function showDuration(from: string, to: string): string {
  const seconds = Math.max(0, Date.parse(to) - Date.parse(from)) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60
    ? `${minutes} min ${Math.floor(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
