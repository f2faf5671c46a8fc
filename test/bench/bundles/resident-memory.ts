import { readFileSync } from 'node:fs';
import { setInterval } from 'node:timers/promises';

const EVERY_MILLISECONDS = 50;

export interface ResidentMemory {
  /** Bytes, when the work began. */
  readonly before: number;
  /** Bytes, the most that was seen while it went on. */
  readonly most: number;
}

/** How much memory processes have while some work goes on, by their names. @param pids may grow meanwhile. */
export async function watchMemory(
  pids: ReadonlyMap<string, number>,
  work: () => Promise<unknown>,
): Promise<ReadonlyMap<string, ResidentMemory>> {
  const seen = new Map<string, ResidentMemory>();
  const look = () => {
    for (const [name, pid] of pids) {
      const bytes = residentBytes(pid);
      const { before = bytes, most = 0 } = seen.get(name) ?? {};
      seen.set(name, { before, most: Math.max(most, bytes) });
    }
  };
  const ended = new AbortController();
  look();
  const watching = (async () => {
    for await (const _ of setInterval(EVERY_MILLISECONDS, undefined, { signal: ended.signal })) look();
  })().catch(() => {});
  try {
    await work();
  } finally {
    ended.abort();
    await watching;
  }
  return seen;
}

/** 0 for a process that has ended. */
function residentBytes(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
