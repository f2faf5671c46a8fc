import type { HostClock } from './clock.ts';
import { localOffset, toOffsetDate } from './dotnet-date.ts';
import type { FunctionDefinition, TimerTrigger } from './function-definition.ts';
import type { TriggerEvent } from './invocation.ts';
import type { Listener } from './listener.ts';
import { describeError, type Log } from './log.ts';
import type { TypedData } from './rpc.ts';
import { firesOftenerThanEachMinute, parseSchedule, type Schedule } from './schedule.ts';
import type { TimerStatus, TimerStatuses } from './timer-status.ts';

export interface TimerListenerOptions {
  readonly definition: FunctionDefinition<TimerTrigger>;
  readonly clock: HostClock;
  readonly statuses: Pick<TimerStatuses, 'read' | 'write'>;
  readonly log: Log;
  /** Runs the function with its retry policy; failures are logged there. */
  readonly run: (event: TriggerEvent) => Promise<void>;
}

interface Occurrence {
  /** Undefined for a timer that is not monitored. */
  readonly status: TimerStatus | undefined;
  readonly isPastDue: boolean;
  readonly next: number;
}

/** Fires one timer function, never twice at once (webjobs-sdk-extensions, `TimerListener` and `ScheduleMonitor`). */
export class TimerListener implements Listener {
  readonly #name: string;
  readonly #trigger: TimerTrigger;
  readonly #schedule: Schedule;
  readonly #options: TimerListenerOptions;

  /** @throws Error if the schedule is malformed. */
  constructor(options: TimerListenerOptions) {
    this.#options = options;
    this.#name = options.definition.name;
    this.#trigger = options.definition.trigger;
    this.#schedule = parseSchedule(this.#trigger.schedule);
  }

  async start(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const now = clock.now();
    const monitored = this.#trigger.useMonitor && !firesOftenerThanEachMinute(this.#schedule, now);
    const status = monitored ? await this.#resume(now) : undefined;
    const isPastDue = status !== undefined && now > status.next;
    const runsAtOnce = isPastDue || this.#trigger.runOnStartup;
    const next = runsAtOnce ? now : (status?.next ?? this.#schedule.next(now));
    this.#loop({ status, isPastDue, next }, signal).catch((error: unknown) => {
      log.write('error', 'Host.Timer', `Timer '${this.#name}' has stopped: ${describeError(error)}`);
    });
  }

  async close(): Promise<void> {}

  async #loop(first: Occurrence, signal: AbortSignal): Promise<void> {
    const { clock, run } = this.#options;
    let { status, isPastDue, next } = first;
    while (true) {
      await clock.sleep(next - clock.now(), signal);
      if (signal.aborted) return;
      const startedAt = clock.now();
      if (startedAt < next) continue;
      await run({ input: timerInput(status, isPastDue) }).catch(() => undefined);
      // From the run's start: ticks that it slept through collapse into one run at once.
      next = this.#schedule.next(startedAt);
      if (status !== undefined) {
        status = { last: startedAt, next, lastUpdated: startedAt };
        await this.#save(status);
      }
      isPastDue = false;
    }
  }

  /** The stored status; a first one if there is none; one for the present schedule if that has changed. */
  async #resume(now: number): Promise<TimerStatus> {
    const stored = await this.#options.statuses.read(this.#name);
    const expected = this.#schedule.next(stored?.lastUpdated ?? now);
    if (stored?.next === expected) return stored;
    const next = now > expected ? this.#schedule.next(now) : expected;
    const status = { last: stored?.last ?? 0, next, lastUpdated: now };
    await this.#save(status);
    return status;
  }

  async #save(status: TimerStatus): Promise<void> {
    const { statuses, log } = this.#options;
    await statuses.write(this.#name, status).catch((error: unknown) => {
      log.write(
        'warning',
        'Host.Timer',
        `The status of timer '${this.#name}' cannot be saved: ${describeError(error)}`,
      );
    });
  }
}

/** The timer as the extension serialises it; the library turns the names to camel case. */
export function timerInput(status: TimerStatus | undefined, isPastDue: boolean): TypedData {
  const timer = {
    Schedule: { AdjustForDST: true },
    ScheduleStatus: status && {
      Last: status.last === 0 ? '0001-01-01T00:00:00+00:00' : toLocalDate(status.last),
      Next: toLocalDate(status.next),
      LastUpdated: toLocalDate(status.lastUpdated),
    },
    IsPastDue: isPastDue,
  };
  return { json: JSON.stringify({ ...timer, ScheduleStatus: timer.ScheduleStatus ?? null }) };
}

function toLocalDate(epochMilliseconds: number): string {
  return toOffsetDate(epochMilliseconds, localOffset(epochMilliseconds));
}
