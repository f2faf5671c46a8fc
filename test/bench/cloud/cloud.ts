import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { benchCosmos } from './bench-cosmos.ts';
import { benchServiceBus } from './bench-service-bus.ts';

/** Where Skerry keeps its data: a folder for temporary files may lie in memory, where syncing costs nothing. */
const DATA = path.resolve(import.meta.dirname, '../../../.skerry');

/** What the embedded Cosmos DB and Service Bus cost, each against the least that its work can cost. */
export async function benchCloud(quick: boolean): Promise<void> {
  await mkdir(DATA, { recursive: true });
  const folder = await mkdtemp(path.join(DATA, 'bench-'));
  try {
    const cosmos = path.join(folder, 'cosmos');
    const serviceBus = path.join(folder, 'servicebus');
    await Promise.all([mkdir(cosmos), mkdir(serviceBus)]);
    await benchCosmos(cosmos, quick);
    await benchServiceBus(serviceBus, quick);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log(
    '\n"÷ …" is the rate as a share of the floor\'s; "µs ÷ stub" the emulator\'s CPU as a multiple of the stub\'s, which a busy machine\n' +
      'disturbs less. The emulators do not sync: what they acknowledged survives kill -9, not a power cut, so "put" is their own\n' +
      'floor; "synced put" is what surviving a power cut would cost at least.',
  );
}
