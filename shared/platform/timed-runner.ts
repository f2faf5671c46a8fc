import { createContext, Script } from 'node:vm';

/** Runs work to its end, or gives what `onFault` makes of what was thrown; of a fault of the code `ERR_SCRIPT_EXECUTION_TIMEOUT` where it took too long. */
export type TimedRunner = <Answer>(work: () => Answer, onFault: (fault: unknown) => Answer) => Answer;

/**
 * A function that runs work with a time limit. Only V8 itself can stop a regular expression, and `node:vm` is
 * how to ask it to.
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
      script.runInContext(context, { timeout: milliseconds });
    } catch (fault) {
      return onFault(fault);
    } finally {
      delete sandbox.work;
    }
    const [answer] = answers;
    return answer as Answer;
  };
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
