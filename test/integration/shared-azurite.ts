import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestProject } from 'vitest/node';
import { type Azurite, startAzurite } from './blob-fixture.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The port where files of tests are given an account. */
    readonly azuriteDoor: number;
  }
}

/** More than files ask for, also when they are run again and again as they are worked on. */
const ACCOUNTS = Array.from({ length: 256 }, (_, index) => `skerrytest${index}`);

/**
 * One Azurite for all files of tests, since its start computes for as long as many of them: it is started for the first that asks, and each
 * is given an account of its own in it, where nobody else writes.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let azurite: Promise<Azurite> | undefined;
  let given = 0;
  const door = createServer((_request, answer) => {
    azurite ??= startAzurite(ACCOUNTS);
    azurite.then(
      ({ port }) => answer.end(JSON.stringify({ port, account: ACCOUNTS[given++] })),
      (error: unknown) => answer.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  project.provide('azuriteDoor', (door.address() as AddressInfo).port);
  return async () => {
    door.close();
    await (await azurite)?.stop();
  };
}
