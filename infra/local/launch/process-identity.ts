import { readFileSync } from 'node:fs';

/** Names one process for as long as its record is kept, where a bare pid would be given to another process in time. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Start time in clock ticks since boot, where the system tells (Linux). */
  readonly startedAt?: string;
}

export function identifyProcess(pid: number): ProcessIdentity {
  const status = readStatus(pid);
  return status === undefined ? { pid } : { pid, startedAt: status.startedAt };
}

/** Whether the very process that was identified still runs; one that ended and was not yet reaped does not. */
export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  const status = readStatus(pid);
  if (status !== undefined) {
    return status.state !== 'Z' && (startedAt === undefined || startedAt === status.startedAt);
  }
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** See proc(5): the fields after the command's name, which stands in parentheses and may hold anything. */
function readStatus(pid: number): { state: string; startedAt: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state] = fields;
    const startedAt = fields[19];
    return state === undefined || startedAt === undefined ? undefined : { state, startedAt };
  } catch {
    return undefined;
  }
}
