import type { LongRunningOperation, OperationStep } from '../../operations/operation.ts';
import type { OperationUpdate } from '../../operations/operation-mirror.ts';
import type { LiveRegion } from '../live-region.ts';
import { oneLine } from '../one-line.ts';
import type { Output } from '../output.ts';
import { isRetried, nameWidthOf, showDuration, showStep } from './show-step.ts';

/** Of the log of a step that failed, so many lines are shown. */
const LOG_LINES = 10;

/**
 * Tells how an operation goes. On a terminal each step that is under way has a line, which is drawn anew in its place until the step is
 * over; elsewhere a line for each beginning, failed attempt and end; as JSON, one line for each change.
 */
export class OperationReport {
  readonly #output: Output;
  readonly #region: LiveRegion;
  readonly #told = new Map<string, string>();
  #isIntroduced = false;

  constructor(output: Output) {
    this.#output = output;
    this.#region = output.live();
  }

  show({ operation, changed }: OperationUpdate): void {
    const { steps, data, ...facts } = operation;
    if (this.#output.isJson) {
      this.#output.event({ operation: facts, changed }, () => '');
      return;
    }
    const width = nameWidthOf(steps);
    const lineOf = (step: OperationStep) => showStep(step, width);
    const isLive = this.#output.isTerminal;
    const news = changed.filter((step) => isToldOnce(step, isLive) && this.#isNews(step));
    const isOver = operation.endedAt !== undefined;
    const printed = [
      ...(this.#isIntroduced ? [] : [introduce(operation)]),
      ...news.flatMap((step) => [this.#paint(step, lineOf(step)), ...logOf(step)]),
      ...(isOver ? [conclude(operation)] : []),
    ];
    this.#isIntroduced = true;
    const live = isOver ? [] : [...steps.filter(isUnderWay).map(lineOf), summarize(operation, steps)];
    this.#region.show(printed, live);
  }

  /** What a line would repeat is not told again, such as a step that is looked after while it runs. */
  #isNews({ id, state, attempts }: OperationStep): boolean {
    const told = `${state} ${attempts}`;
    if (this.#told.get(id) === told) return false;
    this.#told.set(id, told);
    return true;
  }

  #paint({ state }: OperationStep, line: string): string {
    if (state === 'succeeded') return this.#output.paint('green', line);
    return state === 'failed' ? this.#output.paint('red', line) : line;
  }
}

/** How an operation ended, or how it stands, in one line. */
export function conclude(
  operation: LongRunningOperation & { readonly steps?: readonly OperationStep[] },
): string {
  const { id, state, error, progress, steps = [], startedAt, endedAt } = operation;
  const time =
    startedAt === undefined || endedAt === undefined ? '' : ` after ${showDuration(startedAt, endedAt)}`;
  const where = error?.step === undefined ? '' : ` (step ${error.step})`;
  const skipped = steps.filter((step) => step.state === 'skipped').length;
  const count = `${countSteps(progress)}${skipped === 0 ? '' : `, ${skipped} of them skipped`}`;
  const why = error === undefined ? '' : `: ${oneLine(error.reason)}${where}`;
  return `${id} ${state}${time}, ${count}${why}`;
}

function introduce({ id, type, session, state }: LongRunningOperation): string {
  return `${id}  ${type} of ${session}, ${state}`;
}

function summarize({ state, progress }: LongRunningOperation, steps: readonly OperationStep[]): string {
  const waiting = steps.filter((step) => step.state === 'waiting' && !isRetried(step)).length;
  return `${state}, ${countSteps(progress)}${waiting === 0 ? '' : `, ${waiting} waiting`}`;
}

function countSteps({ done, total }: LongRunningOperation['progress']): string {
  return `${done} of ${total} ${total === 1 ? 'step' : 'steps'} over`;
}

function isUnderWay(step: OperationStep): boolean {
  return step.state === 'running' || step.state === 'ready' || isRetried(step);
}

/** What gets a line that stays. Steps that were skipped are many, and all for the same reason. */
function isToldOnce(step: OperationStep, isLive: boolean): boolean {
  if (step.endedAt !== undefined) return step.state !== 'skipped';
  return !isLive && (step.state === 'running' || (step.state === 'waiting' && isRetried(step)));
}

function logOf({ state, log }: OperationStep): string[] {
  return state === 'failed' ? log.slice(-LOG_LINES).map((line) => `    ${oneLine(line)}`) : [];
}
