import { createContext, Script } from 'node:vm';

/** Runs work to its end, or gives what `onFault` makes of what was thrown; of a fault of the code `ERR_SCRIPT_EXECUTION_TIMEOUT` where it took too long. */
export type TimedRunner = <Answer>(work: () => Answer, onFault: (fault: unknown) => Answer) => Answer;

/** How often work is begun for which the machine left no time. */
const MAX_TRIES = 4;
/** Which part of its time this process has to have computed for, or the work is begun again. */
const LEAST_SHARE = 0.8;

/**
 * A function that runs work with a time limit. Only V8 itself can stop a regular expression, and `node:vm` is
 * how to ask it to. That goes by the clock on the wall: where a busy machine did not let this process compute meanwhile, the work
 * is begun again.
 *
 * @param milliseconds that the work may take.
 */
export function createTimedRunner(milliseconds: number): TimedRunner {
  const sandbox: { work?: () => void } = {};
  const context = createContext(sandbox);
  const script = new Script('work()');
  return <Answer>(work: () => Answer, onFault: (fault: unknown) => Answer): Answer => {
    const answers: Answer[] = [];
    sandbox.work = () => {
      answers.push(work());
    };
    try {
      for (let tries = 1; answers.length === 0; tries += 1) {
        const before = process.cpuUsage();
        try {
          script.runInContext(context, { timeout: milliseconds });
        } catch (fault) {
          const wasHeldUp = isOutOfTime(fault) && computedSince(before) < LEAST_SHARE * milliseconds;
          if (!wasHeldUp || tries === MAX_TRIES) return onFault(fault);
        }
      }
    } finally {
      delete sandbox.work;
    }
    const [answer] = answers;
    return answer as Answer;
  };
}

/** Milliseconds. */
function computedSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Whether the work of a timed runner took too long. */
export function isOutOfTime(fault: unknown): boolean {
  return (
    typeof fault === 'object' &&
    fault !== null &&
    'code' in fault &&
    fault.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
