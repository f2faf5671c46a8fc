import { setTimeout as sleep } from 'node:timers/promises';
import { RestartPauses } from '../host/restart-pauses.ts';
import type { ChildProgram } from './child-program.ts';

export interface Supervised {
  /**
   * The address that it answers at.
   *
   * @throws LaunchError when it ends before it was ready for the first time; it is not started again then.
   */
  readonly ready: Promise<string>;
  /** Ends the program for good. */
  stop(): Promise<void>;
}

/**
 * Starts a program and keeps it running: when it ends by itself it is started again, after a pause that grows while it
 * keeps ending.
 *
 * @param start starts the program; given the address that it had, when it is started again.
 */
export function supervise(name: string, start: (address?: URL) => ChildProgram): Supervised {
  const stopping = new AbortController();
  let current = start();
  const { ready } = current;
  const watched = ready.then((url) => keepRunning(new URL(url))).catch(() => {});

  return {
    ready,
    async stop() {
      stopping.abort();
      await current.stop();
      await watched;
    },
  };

  async function keepRunning(address: URL): Promise<void> {
    const pauses = new RestartPauses();
    for (;;) {
      const how = await current.ended;
      if (stopping.signal.aborted) return;
      const pause = pauses.next();
      console.error(`The ${name} ended (${how}); it is started again${pause > 0 ? ` in ${pause} s` : ''}.`);
      await sleep(pause * 1000, undefined, { signal: stopping.signal });
      current = start(address);
      void announce(current);
    }
  }

  async function announce(program: ChildProgram): Promise<void> {
    try {
      console.log(`The ${name} answers again at ${await program.ready}.`);
    } catch {
      // It ended before it was ready, which is reported as its end.
    }
  }
}
