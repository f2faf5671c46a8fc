import type { InvocationContext } from '@azure/functions';
import type { Alerts } from '../shared/platform/alerts.ts';
import { logLine, parseTraceparent, withoutSecrets } from '../shared/platform/telemetry/index.ts';

/** What one run of a function writes to the log of the host. */
export interface Log extends Alerts {
  info(message: string): void;
}

export interface LogOptions {
  /** Whether somebody reads along: lines are text then, and JSON elsewhere. */
  readonly isLocal: boolean;
  /** Known a little later than the log itself. */
  readonly requestId?: () => string | undefined;
}

/** The log of one run of a function; everything that it tells goes through here. */
export function logOf(context: InvocationContext, { isLocal, requestId }: LogOptions): Log {
  if (isLocal) {
    const shown = (word: unknown) => (typeof word === 'string' ? withoutSecrets(word) : word);
    return {
      info: (message) => context.log(shown(message)),
      error: (...words) => context.error(...words.map(shown)),
    };
  }
  const line = (level: 'info' | 'error', words: readonly unknown[]) =>
    logLine(level, words, {
      function: context.functionName,
      requestId: requestId?.(),
      traceId: parseTraceparent(context.traceContext?.traceParent)?.traceId,
    });
  return {
    info: (message) => context.log(line('info', [message])),
    error: (...words) => context.error(line('error', words)),
  };
}
