import type { Timing } from 'skerry/client';

interface Waiter {
  readonly endsAt: number;
  readonly resolve: () => void;
}

/** Time that passes when a test says so. */
export interface ManualTiming extends Timing {
  /** Lets time pass, step by step, with whatever is due on the way. */
  pass(milliseconds: number): Promise<void>;
  /** Lets the clock on the wall jump, as after a sleep of the machine, while nothing is due. */
  jump(milliseconds: number): void;
}

export function manualTiming(): ManualTiming {
  let steady = 0;
  let offset = 0;
  const waiters = new Set<Waiter>();
  return {
    now: () => steady + offset,
    steady: () => steady,
    random: () => 0.5,
    wait: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const waiter = { endsAt: steady + milliseconds, resolve };
        waiters.add(waiter);
        signal?.addEventListener('abort', () => {
          waiters.delete(waiter);
          reject(signal.reason);
        });
      }),
    async pass(milliseconds) {
      const end = steady + milliseconds;
      for (;;) {
        await settle();
        const due = [...waiters].sort((one, other) => one.endsAt - other.endsAt)[0];
        if (due === undefined || due.endsAt > end) break;
        steady = Math.max(steady, due.endsAt);
        waiters.delete(due);
        due.resolve();
      }
      steady = end;
      await settle();
    },
    jump(milliseconds) {
      offset += milliseconds;
    },
  };
}

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
