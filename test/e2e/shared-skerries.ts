import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { type Skerry, type SkerryOptions, startSkerry } from './skerry.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The port where files of tests learn where the Skerries that they share answer. */
    readonly skerryDoor: number;
  }
}

const SHARED = {
  /** Sweeps every second, and calls webhooks again soon. */
  swept: { env: { SKERRY_SWEEP_SCHEDULE: '* * * * * *', SKERRY_WEBHOOK_RETRY_SECONDS: '0.2' } },
  /** No timer ever helps. */
  unswept: { env: { SKERRY_SWEEP_SCHEDULE: '0 0 0 1 1 *' } },
} satisfies Record<string, SkerryOptions>;

export type SharedSkerry = keyof typeof SHARED;

/**
 * A Skerry for all files of tests that need nothing of their own but names: its start computes for as long as many tests. Each is started
 * for the first that asks. A file keeps to a namespace of its own, or in `default` to kinds of records and names that no other one uses.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = new Map<SharedSkerry, Promise<Skerry>>();
  const door = createServer(({ url = '' }, answer) => {
    const name = url.slice(1) as SharedSkerry;
    const skerry = started.get(name) ?? startSkerry(SHARED[name]);
    started.set(name, skerry);
    skerry.then(
      (running) => answer.end(running.url),
      (error: unknown) => {
        // The next file that asks tries again.
        started.delete(name);
        answer.writeHead(500).end(String(error));
      },
    );
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  project.provide('skerryDoor', (door.address() as AddressInfo).port);
  return async () => {
    door.close();
    await Promise.all(Array.from(started.values(), async (skerry) => (await skerry).stop()));
  };
}
