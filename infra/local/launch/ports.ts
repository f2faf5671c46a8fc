import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LaunchError } from './launch-error.ts';

const LOOPBACK = '127.0.0.1';
/** The children of a run that was killed a moment ago may still hold theirs. */
const PATIENCE_MILLISECONDS = 1_000;

export interface PortUse {
  /** 0 (any free port) is always fine. */
  readonly port: number;
  /** Who wants it, as a message calls it. */
  readonly wantedBy: string;
  readonly flag: string;
}

/**
 * Makes sure that nothing listens on the ports before anything is started.
 *
 * @throws LaunchError that names the port, who wants it and the flag that changes it.
 */
export async function requireFreePorts(uses: readonly PortUse[]): Promise<void> {
  await Promise.all(uses.filter(({ port }) => port !== 0).map(requireFreePort));
}

async function requireFreePort({ port, wantedBy, flag }: PortUse): Promise<void> {
  const deadline = performance.now() + PATIENCE_MILLISECONDS;
  while (!(await isFree(port))) {
    if (performance.now() > deadline) {
      throw new LaunchError(
        `Port ${port}, which the ${wantedBy} wants, is taken: stop what listens there, or choose another with --${flag} (0 = any free one).`,
      );
    }
    await sleep(50);
  }
}

async function isFree(port: number): Promise<boolean> {
  try {
    const server = createServer().listen(port, LOOPBACK);
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
}

/**
 * A port on which nothing listens, for a server that is left out: the one that was assigned to tcpmux, which nobody runs. A port that
 * is merely free now may be given to any other process at the next moment.
 */
export const UNUSED_PORT = 1;
