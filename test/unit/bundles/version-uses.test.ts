import { describe, expect, test, vi } from 'vitest';
import { bundleScope, VersionUses, versionKey } from '../../../shared/bundles/index.ts';
import { unavailable } from '../../../shared/platform/errors.ts';
import type { Lease, Leases, StoredLease } from '../../../shared/records/index.ts';
import { SteppedClock } from '../webhooks/stepped-clock.ts';

const HOUR = 3_600_000;
const SCOPE = bundleScope('default', 'web');

/** The leases that several processes share, and how often one was written. */
class SharedLeases {
  writes = 0;
  isDown = false;
  held: StoredLease | undefined;

  async read(): Promise<StoredLease | undefined> {
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

/** Lets what was begun in the background end. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('the use of a version', () => {
  test('stands for a day and a half, and is written twice a day however many read it', async () => {
    const { leases, clock, openProcess } = start();
    const processes = [openProcess(), openProcess(), openProcess()];
    const readByAll = async () => {
      for (const uses of processes) uses.note('default', 'web', 7);
      await settled();
      for (const uses of processes) uses.note('default', 'web', 7);
      await settled();
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
    one.note('default', 'web', 7);
    await settled();
    await clock.advance(11 * HOUR);
    other.note('default', 'web', 7);
    await settled();
    await clock.advance(2 * HOUR);
    other.note('default', 'web', 7);
    await settled();
    expect(leases.held?.lease.expiresAt).toBeGreaterThanOrEqual(clock.now() + 24 * HOUR);
  });

  test('neither fails a read nor is forgotten when it cannot be written', async () => {
    const { leases, openProcess } = start();
    const uses = openProcess();
    leases.isDown = true;
    uses.note('default', 'web', 7);
    await settled();
    leases.isDown = false;
    uses.note('default', 'web', 7);
    await vi.waitUntil(() => leases.writes === 1);
  });
});
