import { describe, expect, test } from 'vitest';
import { bundleScope, VersionUses, versionKey } from '../../../shared/bundles/index.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import type { Lease, Leases, StoredLease } from '../../../shared/records/index.ts';
import { SteppedClock } from '../webhooks/stepped-clock.ts';

const HOUR = 3_600_000;
const SCOPE = bundleScope('default', 'web');

/** The leases that several processes share, and how often one was written. */
class SharedLeases {
  writes = 0;
  reads = 0;
  isDown = false;
  held: StoredLease | undefined;

  async read(): Promise<StoredLease | undefined> {
    this.reads += 1;
    if (this.isDown) throw unavailable('The database cannot be reached at the moment.');
    return this.held;
  }

  async write(
    _scope: unknown,
    lease: Lease,
    over: StoredLease | undefined,
  ): Promise<StoredLease | undefined> {
    if (over?.etag !== this.held?.etag) return undefined;
    this.writes += 1;
    this.held = { scope: SCOPE, lease, etag: String(this.writes) };
    return this.held;
  }
}

function start() {
  const leases = new SharedLeases();
  const clock = new SteppedClock();
  const openProcess = () => new VersionUses({ leases: leases as unknown as Leases, clock });
  return { leases, clock, openProcess };
}

describe('the use of a version', () => {
  test('stands for a day and a half, and is written twice a day however many read it', async () => {
    const { leases, clock, openProcess } = start();
    const processes = [openProcess(), openProcess(), openProcess()];
    const readByAll = async () => {
      await Promise.all(processes.map((uses) => uses.note('default', 'web', 7)));
      await Promise.all(processes.map((uses) => uses.note('default', 'web', 7)));
    };
    await readByAll();
    expect(leases.writes).toBe(1);
    expect(leases.held?.lease).toMatchObject({
      key: versionKey('web', 7),
      expiresAt: clock.now() + 37 * HOUR,
    });
    await clock.advance(12 * HOUR - 1);
    await readByAll();
    expect(leases.writes).toBe(1);
    await clock.advance(1);
    await readByAll();
    expect(leases.writes).toBe(2);
    await clock.advance(36 * HOUR - 1);
    expect(await processes[0]?.isUsed('default', 'web', 7)).toBe(true);
    await clock.advance(1);
    expect(await processes[0]?.isUsed('default', 'web', 7)).toBe(false);
  });

  test('holds for a day at least after any read, whoever renewed it', async () => {
    const { leases, clock, openProcess } = start();
    const [one, other] = [openProcess(), openProcess()];
    await one.note('default', 'web', 7);
    await clock.advance(11 * HOUR);
    await other.note('default', 'web', 7);
    await clock.advance(2 * HOUR);
    await other.note('default', 'web', 7);
    expect(leases.held?.lease.expiresAt).toBeGreaterThanOrEqual(clock.now() + 24 * HOUR);
  });

  test('neither fails reads, nor holds each of them up, nor is forgotten when it cannot be written', async () => {
    const { leases, clock, openProcess } = start();
    const uses = openProcess();
    leases.isDown = true;
    for (let read = 0; read < 3; read += 1) await uses.note('default', 'web', 7);
    expect(leases.reads).toBe(1);
    leases.isDown = false;
    await clock.advance(30_000);
    await uses.note('default', 'web', 7);
    expect(leases.writes).toBe(1);
  });

  test('stands before anybody is told of the version, also those who ask while it is written', async () => {
    const { leases, openProcess } = start();
    const uses = openProcess();
    const { promise: written, resolve: write } = Promise.withResolvers<void>();
    const read = leases.read.bind(leases);
    leases.read = async () => {
      await written;
      return await read();
    };
    const told: number[] = [];
    const both = [1, 2].map((reader) => uses.note('default', 'web', 7).then(() => told.push(reader)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([]);
    write();
    await Promise.all(both);
    expect(leases.writes).toBe(1);
  });
});
