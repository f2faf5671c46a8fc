import { setTimeout as sleep } from 'node:timers/promises';
import { LaunchError } from './launch-error.ts';

const DEADLINE_MILLISECONDS = 30_000;
const ATTEMPT_MILLISECONDS = 5_000;
const PAUSE_MILLISECONDS = 20;

/**
 * Waits until the app answers a probe with 200.
 *
 * @throws LaunchError with the last answer, after 30 s.
 */
export async function waitUntilAnswering(probe: URL): Promise<void> {
  const deadline = performance.now() + DEADLINE_MILLISECONDS;
  for (;;) {
    const fault = await ask(probe);
    if (fault === undefined) return;
    if (performance.now() > deadline) {
      throw new LaunchError(
        `${probe} did not answer 200 within ${DEADLINE_MILLISECONDS / 1000} s; its last answer was ${fault}.`,
      );
    }
    await sleep(PAUSE_MILLISECONDS);
  }
}

async function ask(probe: URL): Promise<string | undefined> {
  try {
    const response = await fetch(probe, { signal: AbortSignal.timeout(ATTEMPT_MILLISECONDS) });
    const body = await response.text();
    return response.ok ? undefined : `${response.status} ${body}`;
  } catch (error) {
    return error instanceof Error ? String(error.cause ?? error.message) : String(error);
  }
}
